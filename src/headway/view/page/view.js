// Ties the parts together: draws when something has changed, and lets the report follow.

const REPORT_AFTER_MS = 70;

class View {
  constructor(model) {
    this.model = model;
    this.canvas = document.getElementById("lanes");
    this.tip = document.getElementById("tip");
    this.painter = new Painter(this.canvas, model);
    this.report = new Report(document.getElementById("report"), this);
    this.details = new Details(document.getElementById("details"), this);
    this.scheduled = false;
    this.timer = 0;
    this.frames = [];
    new ResizeObserver(() => {
      this.painter.resize();
      this.scroll(0);
      this.draw();
    }).observe(this.canvas);
  }

  draw() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      const began = performance.now();
      this.painter.paint();
      this.frames.push(performance.now() - began);
      if (this.frames.length > 1000) this.frames.splice(0, 500);
    });
  }

  // The range has changed.
  moved() {
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.summarise(), REPORT_AFTER_MS);
  }

  summarise() {
    const { model } = this;
    const summary = summarise(model, model.t0, model.t1);
    this.report.show(summary);
    const range = document.getElementById("range");
    range.textContent = model.isWhole ? "the whole run" : `${duration(Math.max(model.t0, 0))} to ${duration(Math.min(model.t1, model.wall))}`;
    range.dataset.from = String(model.t0);
    range.dataset.until = String(model.t1);
  }

  relay() {
    this.model.lay();
    this.scroll(0);
    this.moved();
    document.getElementById("found").textContent = this.model.text.trim() ? `${grouped(this.model.found)} found` : "";
  }

  scroll(by) {
    const { model, painter } = this;
    model.scroll = Math.max(0, Math.min(model.scroll + by, model.full - (painter.height - TOP)));
  }

  pointerTime() {
    const { model, painter } = this;
    return model.pointer === null ? (model.t0 + model.t1) / 2 : painter.time(model.pointer);
  }

  // --- selection

  nodeAt(y) {
    const at = y - TOP + this.model.scroll;
    return y < TOP ? null : this.model.shown.find((node) => at >= node.y && at < node.y + node.height) ?? null;
  }

  rowAt(node, x) {
    if (!node || !node.lane || x < GUTTER) return -1;
    const { lane } = node;
    const row = lane.rowAt(this.painter.time(x));
    if (row >= 0) return row;
    // a short one a pixel or two beside it
    const near = lane.at(this.painter.time(x - 2));
    return near < lane.last && lane.columns.start[near] < this.painter.time(x + 2) ? near : -1;
  }

  click(x, y) {
    const flag = y > AXIS && y < TOP ? this.painter.flags.find((one) => x >= one.x0 && x <= one.x1) : null;
    if (flag) return this.goToFinding(flag.finding);
    const node = this.nodeAt(y);
    if (!node) return this.choose(null, -1);
    if (x < GUTTER && x < 8 + Math.min(node.depth, 9) * 11 + 12 && node.children.length) {
      node.folded = !node.folded;
      return this.relay();
    }
    this.choose(node, this.rowAt(node, x));
  }

  choose(node, row, reveal = false) {
    const { model } = this;
    model.node = node;
    model.row = row;
    if (node && (reveal || !model.shown.includes(node))) this.show(node);
    this.details.show();
    if (this.report.tab !== "range") this.summarise();
    this.draw();
  }

  // Scrolls to a lane, and unfolds what it is in.
  show(node) {
    const { model, painter } = this;
    if (!model.shown.includes(node)) {
      model.reveal(node);
      document.getElementById("search").value = model.text;
    }
    const room = painter.height - TOP;
    if (node.y < model.scroll || node.y + node.height > model.scroll + room) model.scroll = node.y - room / 2;
    this.scroll(0);
  }

  // Shows an interval, with some time around it if it is not in sight.
  go(node, row) {
    const { model } = this;
    const { start, end } = model.columns;
    const width = end[row] - start[row];
    const wide = model.t1 - model.t0;
    if (start[row] < model.t0 || end[row] > model.t1 || width < wide / 200) model.range(start[row] - width * 1.5, end[row] + width * 1.5);
    this.choose(node, row, true);
    this.moved();
  }

  goToFinding(finding) {
    const { model } = this;
    model.finding = finding;
    const start = finding.start_s * 1e9, end = finding.end_s * 1e9, around = Math.max((end - start) * 0.15, 1e4);
    model.range(start - around, end + around);
    const node = finding.units.map((id) => model.nodes.get(id)).find((one) => one);
    this.setTab("findings");
    if (node) this.choose(node, -1, true);
    this.moved();
  }

  hover(x, y, left, top) {
    const { model, tip } = this;
    const node = this.nodeAt(y);
    model.hovered = x < GUTTER ? node : null;
    const row = this.rowAt(node, x);
    tip.hidden = row < 0;
    if (row < 0) return;
    const { start, end, kind, by } = model.columns;
    const k = kind[row] & KIND;
    const target = model.target(row);
    tip.replaceChildren(
      make("b", "", k === HELD ? `${model.name(by[row])} holds the GIL` : `${node.name}: ${wordsOf(k)}`),
      make("div", "", duration(end[row] - start[row]) + (target ? ", " + target : "")),
      make("div", "soft", `from ${duration(start[row])}`));
    tip.style.left = Math.min(left + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(top + 16, window.innerHeight - tip.offsetHeight - 8) + "px";
  }

  setTab(name) {
    this.report.tab = name;
    for (const button of document.querySelectorAll("[data-tab]")) button.setAttribute("aria-pressed", String(button.dataset.tab === name));
    this.summarise();
  }

  toggleTheme() {
    const root = document.documentElement;
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    this.painter.restyle();
    this.painter.edgeColour = undefined;
    legend(this);
    this.details.show();
    this.moved();
  }

  // What a key does; false if nothing.
  does(key) {
    const { model } = this;
    const { node, row } = model;
    const { start, end, waker } = model.columns;
    const help = document.getElementById("help");
    if (key === "?") help.open ? help.close() : help.showModal();
    else if (key === "Escape") this.choose(null, -1);
    else if (key === "0" || key === "Home") model.whole();
    else if (key === "f" && node && row >= 0) model.range(start[row] - (end[row] - start[row]) * 0.05, end[row] + (end[row] - start[row]) * 0.05);
    else if (key === "f" && node?.unit) model.range(node.unit.start_s * 1e9, node.lane?.end ?? (node.unit.end_s ?? model.wall / 1e9) * 1e9);
    else if (key === "m") model.marked = model.marked || !node || row < 0 ? null : [start[row], end[row]];
    else if ((key === "," || key === ".") && node?.lane) this.step(node, row, key === "." ? 1 : -1);
    else if (key === "ArrowUp" || key === "ArrowDown") this.lane(key === "ArrowDown" ? 1 : -1);
    else if ((key === "ArrowLeft" || key === "ArrowRight") && node) {
      node.folded = key === "ArrowLeft";
      this.relay();
    } else if (key === "g" && node && row >= 0 && waker[row]) {
      const other = model.nodes.get(waker[row]);
      const at = other?.lane?.rowAt(end[row] - 1) ?? -1;
      if (at >= 0) this.choose(other, at, true);
    } else if ((key === "n" || key === "p") && model.findings.length) {
      const at = model.findings.indexOf(model.finding), many = model.findings.length;
      this.goToFinding(model.findings[key === "n" ? (at + 1) % many : (at + many - (at < 0 ? 0 : 1)) % many]);
    } else if (key === "/") document.getElementById("search").focus();
    else if (key === "e") model.arrows = !model.arrows;
    else if (key === "b") model.baton = !model.baton;
    else if (key === "t") this.toggleTheme();
    else if (key === "c") {
      model.compact = !(model.compact ?? model.shown.length > 60);
      this.relay();
    } else return false;
    this.moved();
    return true;
  }

  step(node, row, by) {
    const { lane } = node;
    const next = row < 0 ? lane.at(this.model.t0) : Math.min(Math.max(row + by, lane.first), lane.last - 1);
    const { start, end } = this.model.columns;
    const wide = this.model.t1 - this.model.t0;
    if (start[next] < this.model.t0 || end[next] > this.model.t1) {
      const middle = (start[next] + end[next]) / 2;
      this.model.range(middle - wide / 2, middle + wide / 2);
    }
    this.choose(node, next, true);
  }

  lane(by) {
    const { model } = this;
    const at = model.shown.indexOf(model.node);
    const node = model.shown[Math.min(Math.max(at < 0 ? 0 : at + by, 0), model.shown.length - 1)];
    if (node) this.choose(node, node.lane ? node.lane.rowAt(this.pointerTime()) : -1, true);
  }
}
