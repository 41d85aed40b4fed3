// What is selected: an interval, a unit or a lock, with links to all that belongs to it.

class Details {
  constructor(element, view) {
    this.element = element;
    this.view = view;
  }

  show() {
    const { model } = this.view;
    this.element.replaceChildren();
    this.element.scrollTop = 0;
    if (!model.node) {
      this.element.append(make("p", "soft", "Click a lane or an interval to see what it did, what it waited for, who had that, and who woke it. Press ? for the keys."));
    } else if (model.row >= 0 && model.node.type === "gil") this.hold(model.node, model.row);
    else if (model.row >= 0) this.interval(model.node, model.row);
    else this.unit(model.node);
  }

  list() {
    const list = make("dl");
    const add = (term, ...content) => {
      if (!content.length || content[0] === "" || content[0] === null) return;
      const value = make("dd");
      value.append(...content.map((one) => (typeof one === "string" ? plain(one) : one)));
      list.append(make("dt", "", term), value);
    };
    return [list, add];
  }

  unitLink(id, row = -1) {
    const node = this.view.model.nodes.get(id);
    return node ? link(node.name, () => (row >= 0 ? this.view.go(node, row) : this.view.choose(node, -1, true)), "show this " + node.type) : make("span", "", this.view.model.name(id));
  }

  interval(node, row) {
    const { model, painter } = this.view;
    const { start, end, kind, on, by, waker, stack } = model.columns;
    const k = kind[row] & KIND, known = ["exact", "sampled", "inferred"][kind[row] >> 5];
    const title = make("h2", "big");
    title.append(swatch(k, painter.looks), make("span", "", `${node.name} ${wordsOf(k)} for ${duration(end[row] - start[row])}`));
    const [list, add] = this.list();
    add("state", stateOf(k) === null ? "not known: older events were overwritten" : k === START ? "start" : `${stateOf(k)}: ${LOOKS[k][1]}`);
    add("when", `${duration(start[row])} to ${duration(end[row])}${this.open(node, row) ? " (had not ended)" : ""}`);
    const isLock = on[row] && on[row] < UNIT && k >= LOCK && k <= FUTURE;
    if (isLock) add("waited on", link(model.target(row), () => this.lock(on[row]), "about this lock"));
    else if (on[row] >= UNIT) add("waited on", this.unitLink(on[row] - UNIT));
    else add("waited on", model.target(row));
    if (by[row] && k >= LOCK && k <= FUTURE) add(k === JOIN ? "joined" : "held by", this.unitLink(by[row]));
    if (by[row] && k === GIL) add("held by", this.unitLink(by[row]));
    if (by[row] && k === START) add("started by", this.unitLink(by[row]));
    if (waker[row]) add(k === GIL ? "dropped by" : "woken by", this.unitLink(waker[row], this.rowOf(waker[row], end[row] - 1)));
    add("unit", this.unitLink(node.unit.id));
    add("known", known === "exact" ? "" : known === "inferred" ? "inferred: how long is exact, when exactly is not" : known);
    this.element.append(title, list);
    if (stack[row]) this.stack(k === PYTHON ? "Where it let go of the GIL" : `Stack of ${node.name}`, stack[row]);
    const other = this.otherStack(row, k);
    if (other) this.stack(other.title, other.stack);
    const created = this.view.model.data.created[node.unit.id];
    if (!stack[row] && !other && created) this.stack(`Where ${node.name} was made`, created);
  }

  // Whether the trace, or the process, ended in it.
  open(node, row) {
    return row === node.lane.last - 1 && node.unit.end_s === null;
  }

  rowOf(id, time) {
    const lane = this.view.model.nodes.get(id)?.lane;
    return lane ? lane.rowAt(time) : -1;
  }

  // The stack at the other end of a wait: of who had what was waited for, when it let go of it.
  otherStack(row, k) {
    const { model } = this.view;
    const { start, end, kind, on, by, waker, stack } = model.columns;
    const isLock = on[row] && on[row] < UNIT && k >= LOCK && k <= FUTURE;
    if (isLock) {
      // The last hold that ended while this one waited; it may have had to wait for a core afterwards.
      let best = null;
      for (const [lock, thread, , ended, where] of model.data.holds) {
        const mine = lock === on[row] && ended > start[row] && ended <= end[row] + 1e6;
        if (mine && where && (!waker[row] || thread === waker[row])) best = { thread, where }; // they are in order
      }
      if (best) return { title: `Where ${model.name(best.thread)} let go of it`, stack: best.where };
    }
    const other = waker[row] || by[row];
    const at = other && (k === GIL || (k >= LOCK && k <= FUTURE)) ? this.rowOf(other, end[row] - 1) : -1;
    if (at >= 0 && stack[at]) {
      const words = (kind[at] & KIND) === PYTHON ? "where it let go of the GIL next" : wordsOf(kind[at] & KIND);
      return { title: `${model.name(other)} then: ${words}`, stack: stack[at] };
    }
    if (isLock && model.data.releases[on[row]]) return { title: "Where it was released after its longest hold", stack: model.data.releases[on[row]] };
    return null;
  }

  stack(title, number) {
    const { model } = this.view;
    const { data } = model;
    this.element.append(make("h2", "", title));
    const list = make("ol", "stack");
    for (const frame of data.stacks[number]) {
      const [file, line, , library] = data.frames[frame];
      const item = make("li", library ? "library" : "");
      item.title = plain(data.files[file][0]) + ":" + line;
      item.append(make("span", "function", model.functionOf(frame)), make("span", "line", model.lineOf(frame)));
      list.append(item);
    }
    this.element.append(list);
  }

  hold(node, row) {
    const { model } = this.view;
    const { start, end, by, kind, stack } = model.columns;
    const [list, add] = this.list();
    this.element.append(make("h2", "big", `${model.name(by[row])} held the GIL for ${duration(end[row] - start[row])}`), list);
    const at = this.rowOf(by[row], start[row] + (end[row] - start[row]) / 2);
    add("holder", this.unitLink(by[row], at));
    add("when", `${duration(start[row])} to ${duration(end[row])}`);
    const lane = node.lane;
    if (row > lane.first) add("had it before", this.unitLink(by[row - 1]));
    if (row + 1 < lane.last) add("had it next", this.unitLink(by[row + 1]));
    const wanted = [];
    for (const one of model.nodes.values()) {
      if (one.type !== "thread" || one.unit.process !== node.unit.id || !one.lane) continue;
      const sums = new Float64Array(KINDS);
      one.lane.sum(start[row], end[row], sums);
      if (sums[GIL] > 0) wanted.push([sums[GIL], one.unit.id]);
    }
    wanted.sort((a, b) => b[0] - a[0]);
    for (const [ns, id] of wanted.slice(0, 8)) add("wanted it", this.unitLink(id), `, ${duration(ns)} of that`);
    if (kind[row] >> 5) add("known", "inferred: short holds were folded");
    if (at >= 0 && stack[at]) this.stack("Where it let go of it", stack[at]);
  }

  unit(node) {
    const { model } = this.view;
    const [list, add] = this.list();
    if (node.type === "group") {
      this.element.append(make("h2", "big", node.name), list);
      add("of", `${node.of} with one name; unfold the lane to see each`);
      return;
    }
    const unit = node.unit;
    this.element.append(make("h2", "big", node.type === "gil" ? `The GIL of ${unit.name}` : `${unit.kind} ${unit.name}`), list);
    if (node.type === "gil") {
      const gil = model.report.gils.find((one) => one.process === unit.id);
      if (!gil) return;
      add("held", `${duration(gil.held_s * 1e9)}, ${percent(gil.held_s, gil.span_s)} of the time`);
      add("waited for", duration(gil.waited_s * 1e9));
      for (const { unit: id, s } of gil.held.slice(0, 8)) add("by", this.unitLink(id), ` ${duration(s * 1e9)}`);
      return;
    }
    add("ids", `unit ${unit.id}, pid ${unit.pid}` + (unit.tid ? `, tid ${unit.tid}` : ""));
    add("life", `${duration(unit.start_s * 1e9)} to ${unit.end_s === null ? "the end (had not ended)" : duration(unit.end_s * 1e9)}`);
    if (unit.parent) add("made by", this.unitLink(unit.parent));
    if (unit.carrier) add("ran on", this.unitLink(unit.carrier));
    add("ended", unit.outcome ?? (unit.signal ? "killed by signal " + unit.signal : ""));
    add("runs", unit.coroutine ?? unit.function ?? (unit.command ? unit.command.join(" ") : ""));
    if (unit.gil_held_s) add("held the GIL", duration(unit.gil_held_s * 1e9));
    for (const [state, time] of Object.entries(unit.states)) {
      const parts = typeof time === "number" ? (time ? [duration(time * 1e9)] : []) : Object.entries(time).filter(([, s]) => s > 0).map(([reason, s]) => `${reason} ${duration(s * 1e9)}`);
      add(state, parts.join(", "));
    }
    const made = model.data.created[unit.id];
    if (made) this.stack("Where it was made", made);
  }

  lock(id) {
    const { model } = this.view;
    const lock = model.lock(id);
    if (!lock) return;
    this.element.replaceChildren();
    const [list, add] = this.list();
    this.element.append(make("h2", "big", lock.name), list);
    add("kind", lock.kind);
    add("waits", `${grouped(lock.waits)}, ${duration(lock.wait_s * 1e9)} together, the longest ${duration(lock.longest_s * 1e9)}`);
    add("held", lock.held_s ? `${duration(lock.held_s * 1e9)} while others waited` : "");
    for (const edge of lock.edges.slice(0, 10)) {
      add("who for whom", edge.waiter ? this.unitLink(edge.waiter) : "?", " waited for ", edge.owner ? this.unitLink(edge.owner) : "somebody", `: ${count(edge.waits, "time")}, ${duration(edge.wait_s * 1e9)}`);
    }
    if (model.data.releases[id]) this.stack("Where it was released after its longest hold", model.data.releases[id]);
  }
}
