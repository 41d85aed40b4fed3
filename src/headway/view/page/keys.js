// Keys and pointer, as in Perfetto: w a s d, f, m, ?; the wheel scrolls, with Ctrl it zooms.

const HELP = [
  ["w s", "zoom in and out, at the pointer"],
  ["a d", "move left and right"],
  ["f", "fit the selected interval"],
  ["0", "the whole run"],
  ["m", "mark the time of the selected interval; again: unmark"],
  [", .", "the interval before and after"],
  ["↑ ↓", "the lane above and below"],
  ["← →", "fold and unfold"],
  ["g", "go to who woke it"],
  ["n p", "next and previous finding"],
  ["/", "search"],
  ["e", "arrows on and off"],
  ["b", "the GIL's way on and off"],
  ["c", "low lanes on and off"],
  ["t", "light or dark"],
  ["Esc", "nothing selected"],
  ["wheel", "scroll; with Shift sideways; with Ctrl zoom"],
  ["drag", "move; with Shift zoom to what is marked"],
  ["click", "select; twice: fit"],
];
const HELD_KEYS = new Set(["w", "a", "s", "d"]);

function bindKeys(view) {
  const held = new Set();
  let last = 0;
  const move = (seconds) => {
    const { model } = view;
    const width = model.t1 - model.t0;
    const at = view.pointerTime();
    if (held.has("w")) model.zoom(Math.pow(0.12, seconds), at);
    if (held.has("s")) model.zoom(Math.pow(1 / 0.12, seconds), at);
    if (held.has("a")) model.range(model.t0 - width * seconds, model.t1 - width * seconds);
    if (held.has("d")) model.range(model.t0 + width * seconds, model.t1 + width * seconds);
    view.moved();
  };
  const turn = (now) => {
    if (!held.size) return;
    move(Math.min(Math.max(now - last, 0), 50) / 1000);
    last = now;
    requestAnimationFrame(turn);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement && event.target.type === "search") {
      if (event.key === "Escape" || event.key === "Enter") event.target.blur();
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (HELD_KEYS.has(key)) {
      if (held.has(key)) return;
      const first = !held.size;
      held.add(key);
      move(0.06); // so that a short press moves, too
      last = performance.now();
      if (first) requestAnimationFrame(turn);
    } else if (view.does(key)) event.preventDefault();
  });
  document.addEventListener("keyup", (event) => held.delete(event.key.toLowerCase()));
  window.addEventListener("blur", () => held.clear());
}

function bindPointer(view, canvas) {
  const { model, painter } = view;
  let from = null;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const width = model.t1 - model.t0;
    if (event.ctrlKey) model.zoom(Math.exp(event.deltaY * 0.004), painter.time(Math.max(event.offsetX, GUTTER)));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = ((event.deltaX || event.deltaY) / (painter.width - GUTTER)) * width;
      model.range(model.t0 + by, model.t1 + by);
    } else view.scroll(event.deltaY);
    view.moved();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    from = { x: event.offsetX, y: event.offsetY, t0: model.t0, t1: model.t1, scroll: model.scroll, shift: event.shiftKey, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    model.pointer = event.offsetX > GUTTER ? event.offsetX : null;
    if (from) {
      const dx = event.offsetX - from.x, dy = event.offsetY - from.y;
      from.moved ||= Math.abs(dx) > 3 || Math.abs(dy) > 3;
      if (from.moved && from.shift) model.marked = [painter.time(from.x), painter.time(event.offsetX)].sort((a, b) => a - b);
      else if (from.moved) {
        const by = (dx / (painter.width - GUTTER)) * (from.t1 - from.t0);
        if (from.x > GUTTER) model.range(from.t0 - by, from.t1 - by);
        model.scroll = from.scroll;
        view.scroll(-dy);
      }
      if (from.moved) view.moved();
    } else view.hover(event.offsetX, event.offsetY, event.clientX, event.clientY);
    view.draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (from && !from.moved) view.click(event.offsetX, event.offsetY);
    else if (from?.shift && model.marked) {
      model.range(...model.marked);
      model.marked = null;
      view.moved();
    }
    from = null;
  });
  canvas.addEventListener("pointerleave", () => {
    model.pointer = null;
    view.hover(-1, -1, 0, 0);
    view.draw();
  });
  canvas.addEventListener("dblclick", () => view.does("f"));
}
