// Two pictures that teach, drawn from the run: a unit's life cycle, and what a process holds and its threads share.

const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = plain(text);
  return element;
}

const PLACES = { start: [64, 74], ready: [262, 74], running: [520, 74], waiting: [391, 188], terminated: [716, 74] };
const OVAL = [62, 25];
// from, to, and how far the way bends to its left
const WAYS = [
  ["start", "ready", 0], ["start", "running", 42], ["start", "waiting", -34], ["ready", "running", 13], ["running", "ready", 13],
  ["running", "waiting", 13], ["waiting", "running", 13], ["waiting", "ready", 13], ["ready", "waiting", 13], ["running", "terminated", 0],
  ["waiting", "terminated", -22], ["ready", "terminated", 44],
];
const WORDS = { start: "start", ready: "ready", running: "running", waiting: "waiting", terminated: "terminated" };

function lifeCycle(cycle, title, looks) {
  const box = make("figure", "diagram");
  const svg = shape("svg", { viewBox: "0 0 790 222", role: "img", "aria-label": "life cycle" });
  const marker = shape("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" });
  marker.append(shape("path", { d: "M0 0 8 4 0 8z", class: "tip" }));
  const defs = shape("defs", {});
  defs.append(marker);
  svg.append(defs);
  for (const [from, to, bend] of WAYS) {
    const times = cycle.move(STATES.indexOf(from), STATES.indexOf(to));
    if (!times) continue;
    drawWay(svg, from, to, bend, grouped(times) + (cycle.exact ? "" : "+"));
  }
  const whole = cycle.ns.reduce((a, b) => a + b, 0);
  const ended = STATES.reduce((sum, _, i) => sum + cycle.move(i, 4), 0);
  const colours = { start: looks.css[START], ready: looks.css[GIL], running: looks.css[PYTHON], waiting: looks.css[IO], terminated: "" };
  for (const [state, [x, y]] of Object.entries(PLACES)) {
    const ns = cycle.ns[STATES.indexOf(state)];
    const oval = shape("ellipse", { cx: x, cy: y, rx: OVAL[0], ry: OVAL[1], class: "state", "data-state": state, "data-ns": Math.round(ns) });
    if (colours[state]) oval.style.stroke = colours[state];
    svg.append(oval, shape("text", { x, y: y - 3, class: "name" }, WORDS[state]),
      shape("text", { x, y: y + 13, class: "time" }, state === "terminated" ? count(ended, "time") : ns ? `${duration(ns)}, ${percent(ns, whole)}` : "–"));
  }
  box.append(make("figcaption", "", title), svg);
  box.append(make("p", "soft", cycle.exact
    ? "On an arrow: how often it went from one to the other."
    : "On an arrow: how often it went from one to the other, at least: bursts of short intervals were folded into one (+)."));
  return box;
}

function drawWay(svg, from, to, bend, text) {
  const [x0, y0] = PLACES[from], [x1, y1] = PLACES[to];
  const length = Math.hypot(x1 - x0, y1 - y0);
  const [nx, ny] = [(y1 - y0) / length, -(x1 - x0) / length]; // to the left of the way
  const [cx, cy] = [(x0 + x1) / 2 + nx * bend * 2, (y0 + y1) / 2 + ny * bend * 2];
  const [ax, ay] = onOval(x0, y0, cx, cy, 0), [bx, by] = onOval(x1, y1, cx, cy, 3);
  svg.append(shape("path", { d: `M${ax} ${ay}Q${cx} ${cy} ${bx} ${by}`, class: "way", "marker-end": "url(#tip)" }));
  // The number stands at the outer side of the bow.
  const side = bend < 0 ? -1 : 1;
  const px = (ax + 2 * cx + bx) / 4 + nx * side * (8 + text.length * 3.2), py = (ay + 2 * cy + by) / 4 + ny * side * 9;
  svg.append(shape("text", { x: Math.round(px), y: Math.round(py) + 4, class: "times", "data-way": from + " " + to }, text));
}

// Where the line from the middle of an oval to a point leaves it.
function onOval(x, y, toX, toY, more) {
  const [rx, ry] = OVAL;
  const dx = toX - x, dy = toY - y;
  const scale = 1 / Math.sqrt((dx / (rx + more)) ** 2 + (dy / (ry + more)) ** 2);
  return [Math.round((x + dx * scale) * 10) / 10, Math.round((y + dy * scale) * 10) / 10];
}

// --- a process

const MOST_THREADS = 8;

function processDiagram(node, view) {
  const { model } = view;
  const unit = node.unit;
  const box = make("figure", "diagram process");
  box.append(make("figcaption", "", `process ${unit.name}, pid ${unit.pid}`));
  const threads = [...model.nodes.values()].filter((one) => one.type === "thread" && one.unit.process === unit.id);
  const shared = make("div", "shared");
  shared.append(make("h3", "", "Shared by all its threads"));
  const list = make("ul");
  list.append(make("li", "", "memory: code, globals, every object"));
  const gil = model.report.gils.find((one) => one.process === unit.id);
  if (gil) list.append(make("li", "", `one GIL, held ${percent(gil.held_s, gil.span_s)} of the time`));
  else list.append(make("li", "", unit.gil === false ? "no GIL: a build without one" : "a GIL that was not seen"));
  const locks = model.report.locks.filter((one) => one.process === unit.id);
  for (const lock of locks.slice(0, 3)) {
    const item = make("li");
    item.append(`${count(lock.waits, "wait")} for the `, link(lock.name, () => view.details.lock(lock.id)));
    list.append(item);
  }
  if (locks.length > 3) list.append(make("li", "soft", `and ${count(locks.length - 3, "more lock")}`));
  const files = descriptors(threads, model);
  list.append(make("li", "", files.length ? `open files, of which it waited for ${files.length > 6 ? files.length : "fd " + files.join(", ")}` : "open files"));
  const children = model.report.units.filter((one) => one.kind === "process" && one.parent === unit.id && one.id !== unit.id);
  if (children.length) list.append(make("li", "", `its ${children.length === 1 ? "child" : "children"}: ${children.slice(0, 4).map((one) => "pid " + one.pid).join(", ")}${children.length > 4 ? " …" : ""} (with memory of their own)`));
  shared.append(list);
  const own = make("div", "threads");
  for (const thread of threads.slice(0, MOST_THREADS)) {
    const part = make("div", "thread");
    part.append(link(thread.name, () => view.choose(thread, -1, true)), make("p", "soft", thread.unit.tid ? "own id: tid " + thread.unit.tid : "never ran"));
    const stack = lastStack(thread, model);
    if (stack) {
      part.append(make("p", "soft", "own stack, as last seen:"));
      const frames = make("ol", "stack");
      for (const frame of model.data.stacks[stack].slice(0, 3)) frames.append(make("li", model.data.frames[frame][3] ? "library" : "", model.functionOf(frame)));
      part.append(frames);
    }
    own.append(part);
  }
  if (threads.length > MOST_THREADS) own.append(make("div", "thread soft", `and ${count(threads.length - MOST_THREADS, "more thread")}, each with an id and a stack of its own`));
  box.append(shared, own);
  return box;
}

// Descriptors that its threads waited for.
function descriptors(threads, model) {
  const found = new Set();
  const { kind, on } = model.columns;
  for (const { lane } of threads) {
    for (let i = lane?.first; lane && i < lane.last; i++) if ((kind[i] & KIND) === IO && on[i]) found.add(on[i] - 1);
  }
  return [...found].sort((a, b) => a - b);
}

// The newest stack of a thread that is known within the range in sight, or before it.
function lastStack(node, model) {
  const { lane } = node;
  if (!lane) return 0;
  const { stack } = model.columns;
  let i = Math.min(lane.at(model.t1), lane.last - 1);
  for (let looked = 0; i >= lane.first && looked < 20000; i--, looked++) if (stack[i]) return stack[i];
  return 0;
}
