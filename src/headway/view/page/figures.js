// Numbers and texts for people, as headway's reports write them.

function digits(value) {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function duration(ns) {
  if (ns < 0) return "-" + duration(-ns);
  if (ns === 0) return "0 s";
  if (ns >= 600e9) {
    const minutes = Math.round(ns / 60e9);
    return minutes < 600 ? minutes + " min" : digits(ns / 3600e9) + " h";
  }
  for (const [name, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    // 999.5 of a unit would be written as 1000 of it
    if (ns >= 0.9995 * size) return digits(ns / size) + " " + name;
  }
  return Math.round(ns) + " ns";
}

function percent(part, whole) {
  const share = whole > 0 ? (100 * part) / whole : 0;
  if (share === 0) return "0 %";
  if (share < 0.1) return "<0.1 %";
  return (share >= 9.95 ? share.toFixed(0) : share.toFixed(1)) + " %";
}

function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

function count(number, noun) {
  const many = noun.endsWith("s") ? noun + "es" : noun + "s";
  return grouped(number) + " " + (number === 1 ? noun : many);
}

// A moment on the axis, with as many digits as the step between two labels needs.
function moment(ns, step) {
  for (const [name, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]]) {
    if (Math.abs(step) >= size || size === 1) {
      const places = Math.max(0, Math.ceil(-Math.log10(step / size) - 1e-9));
      return (ns / size).toFixed(places) + " " + name;
    }
  }
  return "";
}

// What programs call things is shown as text, and what would steer a terminal or turn the writing round as a sign.
const STEERING = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
function plain(text) {
  return String(text).replace(STEERING, "\ufffd");
}

// An element with a text and children. Nothing that comes from a trace is ever read as HTML.
function make(tag, name, text, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined && text !== null) element.textContent = plain(text);
  element.append(...children);
  return element;
}

function link(text, action, title) {
  const button = make("button", "link", text);
  button.type = "button";
  if (title) button.title = plain(title);
  button.addEventListener("click", action);
  return button;
}
