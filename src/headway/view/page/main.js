// Begins: reads the data, and fills the page.

function legend(view) {
  const element = document.getElementById("legend");
  const used = new Set();
  const sum = new Float64Array(KINDS);
  for (const node of view.model.nodes.values()) if (node.lane) node.lane.sum(-Infinity, Infinity, sum);
  for (const kind of ORDER) if (sum[kind] > 0) used.add(kind);
  element.replaceChildren(...[...used].map((kind) => {
    const item = make("span", "item");
    item.append(swatch(kind, view.painter.looks), make("span", "", LOOKS[kind][1] ? (stateOf(kind) === "ready" ? "wants " + { gil: "GIL", cpu: "core", loop: "loop", queue: "worker" }[LOOKS[kind][1]] : LOOKS[kind][1] === "unknown" && stateOf(kind) ? "running" : LOOKS[kind][1]) : "start"));
    item.title = plain(wordsOf(kind));
    return item;
  }));
}

function head(data) {
  const { report } = data;
  const verdict = document.getElementById("verdict");
  verdict.textContent = plain(report.verdict);
  verdict.className = report.findings[0]?.severity ?? "";
  verdict.title = plain(report.verdict);
  const parts = [data.outcome, duration(report.wall_s * 1e9), `${digits(report.cores_used)}${report.cores ? " of " + report.cores : ""} cores used`];
  if (report.python) parts.push("Python " + report.python + (report.gil === false ? " without the GIL" : ""));
  parts.push(count(report.units.length, "unit"));
  if (report.dropped_events) parts.push(`${count(report.dropped_events, "event")} dropped; whole from ${duration(report.timeline_from_s * 1e9)} on`);
  document.getElementById("run").textContent = [plain(report.command.join(" ")), ...parts].join("  \u00b7  ");
  document.title = plain("headway: " + report.command.join(" "));
}

function kindBoxes(view) {
  const { model } = view;
  const there = new Set([...model.root.all()].map((node) => node.type));
  const element = document.getElementById("kinds");
  for (const kind of ["gil", "thread", "task", "greenlet", "job"]) {
    if (!there.has(kind)) continue;
    const box = make("input");
    box.type = "checkbox";
    box.checked = true;
    box.dataset.kind = kind;
    box.addEventListener("change", () => {
      if (box.checked) model.kinds.add(kind);
      else model.kinds.delete(kind);
      view.relay();
    });
    const label = make("label");
    label.append(box, kind === "gil" ? "GIL" : kind + "s");
    element.append(label);
  }
}

async function begin() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
  head(data);
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old: it has no DecompressionStream (Chrome 80, Firefox 113, Safari 16.4)");
  const columns = await readColumns(data);
  for (const name of Object.keys(data.columns)) delete data.columns[name].data;
  const view = new View(new Model(data, columns));
  legend(view);
  kindBoxes(view);
  bindKeys(view);
  bindPointer(view, view.canvas);
  dark.addEventListener("change", () => {
    if ((document.documentElement.dataset.theme === "dark") !== dark.matches) view.toggleTheme();
  });
  const search = document.getElementById("search");
  search.addEventListener("input", () => {
    view.model.text = search.value;
    view.relay();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const found = view.model.shown.filter((node) => describe(node).includes(search.value.trim().toLowerCase()));
    const next = found[(found.indexOf(view.model.node) + 1) % found.length];
    if (next) view.choose(next, -1, true);
  });
  for (const button of document.querySelectorAll("[data-tab]")) button.addEventListener("click", () => view.setTab(button.dataset.tab));
  for (const button of document.querySelectorAll("[data-key]")) button.addEventListener("click", () => view.does(button.dataset.key));
  const keys = document.getElementById("keys");
  for (const [key, words] of HELP) keys.append(make("dt", "", key), make("dd", "", words));
  view.details.show();
  view.draw();
  // For who measures and tests it.
  window.headway = view;
  // The picture comes first, and then the report.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const shown = performance.now();
    view.summarise();
    document.body.dataset.shown = String(Math.round(shown));
    document.body.dataset.ready = String(Math.round(performance.now()));
  }));
}

begin().catch((error) => {
  document.getElementById("verdict").textContent = "the page cannot be shown: " + plain(error.message);
  document.body.dataset.failed = plain(error.message);
});
