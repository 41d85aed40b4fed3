// The tree of lanes: processes, in them their GILs and threads by who started whom, tasks, greenlets and jobs below
// who made them; many of one name are put together.

const TOGETHER = 9; // so many brothers and sisters of one name, or more, get one lane, which can be unfolded
const GROUPED = { task: "tasks", greenlet: "greenlets", job: "jobs", thread: "threads", process: "processes" };

class Node {
  constructor(type, name, unit) {
    this.type = type; // a kind of unit, "gil" or "group"
    this.name = plain(name);
    this.unit = unit; // of the report; null for a group
    this.lane = null;
    this.members = null; // of a process or a group: the lanes that it sums up
    this.children = [];
    this.parent = null;
    this.depth = 0;
    this.folded = false;
    this.matches = true;
    this.y = 0;
    this.height = 0;
  }

  add(child) {
    child.parent = this;
    this.children.push(child);
  }

  *all() {
    yield this;
    for (const child of this.children) yield* child.all();
  }
}

function stem(name) {
  return name.replace(/\d+/g, "#");
}

function buildTree(data, columns) {
  const units = data.report.units;
  const nodes = new Map();
  for (const unit of units) nodes.set(unit.id, new Node(unit.kind, unit.name, unit));
  let first = 0;
  const gils = new Map();
  for (const entry of data.lanes) {
    const lane = new Lane(columns, entry.unit, entry.gil, first, entry.rows);
    first += entry.rows;
    if (entry.gil === null) nodes.get(entry.unit).lane = lane;
    else gils.set(entry.unit, [...(gils.get(entry.unit) || []), lane]);
  }
  const root = new Node("root", "", null);
  for (const node of nodes.values()) {
    const unit = node.unit;
    if (unit.kind === "process") {
      for (const lane of gils.get(unit.id) || []) {
        const gil = new Node("gil", gils.get(unit.id).length > 1 ? "GIL " + (lane.gil + 1) : "GIL", unit);
        gil.lane = lane;
        node.add(gil);
      }
    } else if (node.lane === null && unit.kind !== "thread") {
      continue; // hubs, of which their thread tells
    }
    const seen = new Set([unit.id]);
    let above = nodes.get(unit.parent);
    // A damaged trace must not make a circle.
    for (let up = above; up; up = nodes.get(up.unit.parent)) {
      if (seen.has(up.unit.id)) {
        above = null;
        break;
      }
      seen.add(up.unit.id);
    }
    while (above && above.unit.kind !== "process" && above.lane === null && above.unit.kind !== "thread") above = nodes.get(above.unit.parent);
    (above || root).add(node);
  }
  sortChildren(root);
  putTogether(root);
  for (const node of root.all()) {
    node.depth = node.parent ? node.parent.depth + 1 : -1;
    if (node.type === "process") node.members = lanesOf(node, (one) => one.type === "thread" && one.unit.process === node.unit.id);
    if (node.type === "group") node.members = lanesOf(node, (one) => one.lane !== null && one.type !== "gil");
  }
  return { root, nodes };
}

function lanesOf(node, wanted) {
  return [...node.all()].filter((one) => one !== node && wanted(one) && one.lane !== null).map((one) => one.lane);
}

function sortChildren(node) {
  const rank = { gil: 0, thread: 1, greenlet: 2, task: 2, job: 3, process: 4 };
  node.children.sort((a, b) => rank[a.type] - rank[b.type] || (a.unit.start_s - b.unit.start_s) || a.unit.id - b.unit.id);
  for (const child of node.children) sortChildren(child);
}

function putTogether(node) {
  const named = new Map();
  for (const child of node.children) {
    const key = child.type + " " + stem(child.name);
    if (child.type !== "gil") named.set(key, [...(named.get(key) || []), child]);
  }
  for (const children of named.values()) {
    if (children.length < TOGETHER) continue;
    const { type } = children[0];
    const group = new Node("group", stem(children[0].name) + "  × " + grouped(children.length), null);
    group.of = GROUPED[type];
    group.kind = type;
    group.folded = type === "task" || type === "job" || type === "greenlet" || children.length > 60;
    const inside = new Set(children);
    const at = node.children.indexOf(children[0]);
    node.children = node.children.filter((child) => !inside.has(child));
    group.parent = node;
    node.children.splice(at, 0, group);
    for (const child of children) group.add(child);
  }
  for (const child of node.children) {
    if (child.type !== "group") putTogether(child);
    else for (const member of child.children) putTogether(member);
  }
}

// The rows of the picture, from top to bottom: nodes that are not folded away and match the filter.
function layOut(root, compact) {
  const shown = [];
  let y = 0;
  const visit = (node) => {
    for (const child of node.children) {
      if (!child.matches) continue;
      child.y = y;
      child.height = child.type === "process" ? 30 : child.type === "group" ? 24 : compact ? 13 : 19;
      y += child.height;
      shown.push(child);
      if (!child.folded) visit(child);
    }
  };
  visit(root);
  return { shown, height: y };
}

// Keeps what a text or the kinds ask for, with all that stands above it.
function filterTree(root, text, kinds) {
  const wanted = text.trim().toLowerCase();
  let found = 0;
  const visit = (node, inside) => {
    const own = wanted === "" || describe(node).includes(wanted);
    let below = false;
    for (const child of node.children) below = visit(child, inside || (own && wanted !== "")) || below;
    const type = node.type === "group" ? node.kind : node.type;
    const kept = (own || inside) && kinds.has(type);
    if (own && wanted !== "" && node.type !== "root" && kinds.has(type)) found++;
    node.matches = kept || below;
    return node.matches;
  };
  visit(root, false);
  root.matches = true;
  return found;
}

function describe(node) {
  const unit = node.unit;
  if (unit === null) return node.name.toLowerCase();
  const ids = node.type === "gil" ? "" : ` ${unit.pid} ${unit.tid || ""} ${unit.coroutine || unit.function || ""}`;
  return (node.name + " " + node.type + ids).toLowerCase();
}
