// The report below the lanes: it follows the range of time that is in sight.

class Report {
  constructor(element, view) {
    this.element = element;
    this.view = view;
    this.tab = "range";
  }

  show(summary) {
    this.summary = summary;
    this.element.replaceChildren();
    const draw = { range: () => this.range(), findings: () => this.findings(), cycle: () => this.cycle(), process: () => this.process() }[this.tab];
    draw();
  }

  range() {
    const { summary, view } = this;
    const left = make("div", "column states");
    left.append(this.states("Threads", summary.sums, summary.threads));
    if (summary.others) left.append(this.states("Tasks, greenlets, jobs", summary.inner, summary.others));
    const middle = make("div", "column wide"), right = make("div", "column");
    middle.append(make("h2", "", "Longest waits"), this.waits());
    right.append(make("h2", "", "Locks waited for"), this.locks());
    if (view.model.findings.length) {
      const { t0, t1 } = view.model;
      const here = view.model.findings.filter((one) => one.end_s * 1e9 >= t0 && one.start_s * 1e9 <= t1);
      right.append(make("h2", "", "Findings"), ...(here.length ? here.map((one) => this.finding(one, false)) : [make("p", "soft", "none in this range")]));
    }
    this.element.append(left, middle, right);
  }

  states(title, sums, units) {
    const whole = sums.reduce((a, b) => a + b, 0);
    const table = make("table", "states");
    table.append(make("caption", "", `${title} (${grouped(units)}): ${duration(whole)} of life`));
    const body = table.createTBody();
    for (const kind of ORDER) {
      if (!(sums[kind] > 0)) continue;
      const row = body.insertRow();
      row.dataset.state = stateOf(kind) ?? "unknown";
      row.dataset.reason = LOOKS[kind][1];
      row.dataset.ns = String(Math.round(sums[kind]));
      row.insertCell().append(swatch(kind, this.view.painter.looks), make("span", "", stateOf(kind) === null ? "not known" : kind === START ? "start" : `${stateOf(kind)}: ${LOOKS[kind][1]}`));
      const bar = make("span", "bar");
      bar.style.width = Math.max(1, (62 * sums[kind]) / whole) + "px";
      bar.style.background = this.view.painter.looks.css[kind];
      row.insertCell().append(bar);
      row.insertCell().textContent = duration(sums[kind]);
      row.insertCell().textContent = percent(sums[kind], whole);
    }
    return table;
  }

  waits() {
    const { summary, view } = this;
    if (!summary.waits.length) return make("p", "soft", "no thread or task waited in this range");
    const table = make("table", "waits");
    const body = table.createTBody();
    for (const { node, row, ns } of summary.waits) {
      const line = body.insertRow();
      line.insertCell().append(link(node.name, () => view.go(node, row), "show this wait"));
      const kind = view.model.columns.kind[row] & KIND;
      const what = view.model.target(row);
      line.insertCell().append(swatch(kind, view.painter.looks), make("span", "", kind === LOCK && what ? what : LOOKS[kind][1] + (what ? ": " + what : "")));
      line.title = plain(`${node.name}: ${wordsOf(kind)} ${what}`);
      line.insertCell().textContent = duration(ns);
    }
    return table;
  }

  locks() {
    const { summary, view } = this;
    if (!summary.locks.size) return make("p", "soft", "none in this range");
    const table = make("table", "locks");
    const body = table.createTBody();
    for (const lock of [...summary.locks.values()].sort((a, b) => b.ns - a.ns).slice(0, 8)) {
      const line = body.insertRow();
      line.dataset.lock = String(lock.id);
      line.dataset.ns = String(Math.round(lock.ns));
      line.insertCell().append(link(view.model.lock(lock.id)?.name.replace("lock made at ", "") ?? "?", () => view.details.lock(lock.id), view.model.lock(lock.id)?.name));
      line.insertCell().textContent = count(lock.waits, "wait");
      line.insertCell().textContent = duration(lock.ns);
    }
    return table;
  }

  finding(one, open) {
    const box = make("div", "finding " + one.severity);
    box.append(link(one.kind, () => this.view.goToFinding(one), "show when and where"), make("span", "", " " + one.sentence));
    if (open) {
      const list = make("ul");
      for (const sentence of one.evidence) list.append(make("li", "", sentence));
      box.append(list, make("p", "soft", "hint: " + one.advice));
      if (one.where.length) box.append(make("p", "code", one.where.join("  ")));
      const units = make("p", "links");
      for (const id of one.units.slice(0, 12)) {
        const node = this.view.model.nodes.get(id);
        if (node) units.append(link(node.name, () => this.view.choose(node, -1)), " ");
      }
      box.append(units);
    }
    return box;
  }

  findings() {
    const { findings, report } = this.view.model;
    const column = make("div", "column wide"), notes = make("div", "column");
    if (!findings.length) column.append(make("p", "soft", "no finding: nothing that headway knows to be wrong"));
    for (const one of findings) column.append(this.finding(one, true));
    notes.append(make("h2", "", "Notes"));
    if (!report.notes.length) notes.append(make("p", "soft", "none"));
    for (const note of report.notes) notes.append(make("p", "", note));
    this.element.append(column, notes);
  }

  cycle() {
    const { view, summary } = this;
    const { node } = view.model;
    const { t0, t1 } = view.model;
    let cycle = summary.cycle, title = `All ${count(summary.threads, "thread")} in this range`;
    if (node && node.lane && node.type !== "gil") {
      cycle = new Cycle();
      if (node.lane.end > t0 && node.lane.start < t1) addCycle(cycle, node, t0, t1);
      title = `${node.type} ${node.name} in this range`;
    }
    this.element.append(lifeCycle(cycle, title, view.painter.looks));
  }

  process() {
    const { view } = this;
    const id = view.model.node?.unit?.process ?? view.model.report.units.find((unit) => unit.kind === "process")?.id;
    const node = view.model.nodes.get(id);
    if (node) this.element.append(processDiagram(node, view));
  }
}

// A little picture of how a kind looks.
function swatch(kind, looks) {
  const canvas = document.createElement("canvas");
  canvas.className = "swatch";
  canvas.width = 28;
  canvas.height = 24;
  const raster = new Raster(28, 24);
  raster.bar(0, 28, 0, 24, kind, { ...looks, size: looks.size }, 0);
  canvas.getContext("2d").putImageData(raster.image, 0, 0);
  return canvas;
}
