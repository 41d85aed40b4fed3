// What the page shows at this moment: the range of time, what is folded, filtered and selected.

const LEAST_NS = 200; // a range is never shorter
const UNIT = 2 ** 31; // in the column `on`: what follows is the id of a unit, and not of a lock

class Model {
  constructor(data, columns) {
    this.data = data;
    this.columns = columns;
    this.report = data.report;
    this.findings = data.report.findings;
    Object.assign(this, buildTree(data, columns));
    this.wall = Math.max(data.wall_ns, 1);
    this.t0 = 0;
    this.t1 = this.wall;
    this.scroll = 0;
    this.arrows = true;
    this.baton = true;
    this.compact = null; // null: as it suits
    this.kinds = new Set(["process", "gil", "thread", "task", "greenlet", "job"]);
    this.text = "";
    this.found = 0;
    this.node = null; // selected
    this.row = -1;
    this.marked = null;
    this.finding = null;
    this.hovered = null;
    this.pointer = null;
    this.holders = new Map();
    for (const node of this.root.all()) {
      if (node.type !== "gil") continue;
      const { by } = node.lane.columns;
      for (let i = node.lane.first; i < node.lane.last; i++) {
        if (!this.holders.has(by[i])) this.holders.set(by[i], this.holders.size);
      }
    }
    this.lay();
  }

  lay() {
    this.found = filterTree(this.root, this.text, this.kinds);
    let { shown, height } = layOut(this.root, this.compact ?? false);
    if (this.compact === null && shown.length > 60) ({ shown, height } = layOut(this.root, true));
    this.shown = shown;
    this.full = height;
  }

  unit(id) {
    return this.report.units[id - 1] ?? null;
  }

  lock(id) {
    return this.report.locks[id - 1] ?? null;
  }

  hue(id) {
    return (this.holders.get(id) ?? 0) % 8;
  }

  isHolder(node) {
    return node.type === "thread" && this.holders.has(node.unit.id);
  }

  // The row in which a unit is to be seen: its own, or that into which it is folded.
  shownNode(id) {
    let node = this.nodes.get(id) ?? null, shown = node;
    for (; node && node.parent; node = node.parent) {
      if (!node.matches) shown = node.parent;
      if (node.parent.folded) shown = node.parent;
    }
    return shown && shown.type !== "root" ? shown : null;
  }

  // Unfolds what is above a node.
  reveal(node) {
    for (let up = node.parent; up; up = up.parent) up.folded = false;
    if (!node.matches) {
      this.text = "";
      this.kinds = new Set(["process", "gil", "thread", "task", "greenlet", "job"]);
    }
    this.lay();
  }

  range(t0, t1) {
    let width = Math.min(Math.max(t1 - t0, LEAST_NS), this.wall * 1.04);
    const middle = (t0 + t1) / 2;
    if (t1 - t0 > width || t1 - t0 < width) [t0, t1] = [middle - width / 2, middle + width / 2];
    const room = this.wall * 0.02;
    if (t0 < -room) [t0, t1] = [-room, -room + width];
    if (t1 > this.wall + room) [t0, t1] = [this.wall + room - width, this.wall + room];
    this.t0 = t0;
    this.t1 = t1;
  }

  zoom(factor, at) {
    this.range(at - (at - this.t0) * factor, at + (this.t1 - at) * factor);
  }

  whole() {
    this.t0 = 0;
    this.t1 = this.wall;
  }

  get isWhole() {
    return this.t0 <= 0 && this.t1 >= this.wall;
  }

  // What a wait was for, in words; empty if that is not known.
  target(row) {
    const { kind, on, by } = this.columns;
    const k = kind[row] & KIND;
    if (k >= LOCK && k <= FUTURE) {
      if (!on[row]) return "";
      return on[row] >= UNIT ? this.name(on[row] - UNIT) : plain(this.lock(on[row])?.name ?? "");
    }
    if (k === IO) return on[row] ? `${IO_WORDS[by[row]] || ""} fd ${on[row] - 1}`.trim() : IO_WORDS[by[row]] || "";
    if (k === PROCESS) return on[row] ? "process " + on[row] : "any child";
    return "";
  }

  // What stands in a bar.
  label(row) {
    const { kind, by, stack } = this.columns;
    const k = kind[row] & KIND;
    if (k === HELD) return this.name(by[row]);
    const target = this.target(row);
    if (k === LOCK && target) return target;
    if (k === PYTHON || k === NATIVE || k === RUNNING) {
      const place = this.place(stack[row]);
      return place ? (k === NATIVE ? "native: " : "") + place : LOOKS[k][1];
    }
    return wordsOf(k).replace("waits for a ", "").replace("waits for an ", "").replace("waits for ", "") + (target ? " " + target : "");
  }

  name(id) {
    const unit = this.unit(id);
    return unit ? plain(unit.name) : "?";
  }

  // The program's own line in a stack, shortly.
  place(number) {
    const { stacks, frames } = this.data;
    const own = stacks[number]?.find((frame) => !frames[frame][3]) ?? stacks[number]?.[0];
    return own === undefined ? "" : `${this.functionOf(own)} ${this.lineOf(own).split("/").pop()}`;
  }

  functionOf(frame) {
    return plain(this.data.functions[this.data.frames[frame][2]]);
  }

  lineOf(frame) {
    const [file, line] = this.data.frames[frame];
    return plain(this.data.files[file][1]) + (line ? ":" + line : "");
  }
}
