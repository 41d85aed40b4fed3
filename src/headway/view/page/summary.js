// What a range of time comes to: states, transitions, the longest waits, locks.

const LONGEST = 12;
const STATES = ["start", "ready", "running", "waiting", "terminated"];
const STATE_NUMBER = Int8Array.from({ length: KINDS }, (_, kind) => STATES.indexOf(LOOKS[kind][0]));

class Summary {
  constructor() {
    this.sums = new Float64Array(KINDS); // of threads
    this.inner = new Float64Array(KINDS); // of tasks, greenlets and jobs
    this.cycle = new Cycle();
    this.waits = [];
    this.locks = new Map();
    this.threads = this.others = 0;
  }
}

// Time in each state, and how often it went from one to the other.
class Cycle {
  constructor() {
    this.ns = new Float64Array(5);
    this.moves = new Float64Array(25);
    this.begun = 0;
    this.exact = true;
  }

  move(from, to) {
    return this.moves[from * 5 + to];
  }
}

function addCycle(cycle, node, t0, t1) {
  const { lane, unit } = node;
  const { start, end, kind } = lane.columns;
  let before = -1;
  let i = lane.at(t0);
  if (i > lane.first) before = STATE_NUMBER[kind[i - 1] & KIND];
  else if (start[i] >= t0) cycle.begun++;
  for (; i < lane.last && start[i] < t1; i++) {
    const state = STATE_NUMBER[kind[i] & KIND];
    if (kind[i] >> 5) cycle.exact = false;
    if (state >= 0) {
      cycle.ns[state] += Math.min(end[i], t1) - Math.max(start[i], t0);
      if (before >= 0 && before !== state && start[i] >= t0) cycle.moves[before * 5 + state]++;
    }
    before = state;
  }
  if (i === lane.last && unit.end_s !== null && lane.end <= t1 && before >= 0) cycle.moves[before * 5 + 4]++;
}

function summarise(model, t0, t1) {
  const summary = new Summary();
  const { start, end, kind, on } = model.columns;
  let least = 0;
  for (const node of model.nodes.values()) {
    const { lane } = node;
    if (lane === null || !node.matches || lane.end <= t0 || lane.start >= t1) continue;
    const isThread = node.type === "thread";
    lane.sum(t0, t1, isThread ? summary.sums : summary.inner);
    if (isThread) {
      summary.threads++;
      addCycle(summary.cycle, node, t0, t1);
    } else {
      summary.others++;
      if (node.type === "job") continue; // its waits are its worker's
    }
    for (let i = lane.at(t0); i < lane.last && start[i] < t1; i++) {
      const k = kind[i] & KIND;
      if (k < LOCK || k > OTHER || kind[i] >> 5) continue;
      const ns = end[i] - start[i];
      if (on[i] && on[i] < UNIT && k <= FUTURE && isThread) {
        const lock = summary.locks.get(on[i]) ?? { id: on[i], waits: 0, ns: 0, longest: 0, node, row: i };
        lock.waits++;
        lock.ns += Math.min(end[i], t1) - Math.max(start[i], t0);
        if (ns > lock.longest) [lock.longest, lock.node, lock.row] = [ns, node, i];
        summary.locks.set(on[i], lock);
      }
      if (ns > least) {
        summary.waits.push({ node, row: i, ns });
        if (summary.waits.length >= 4 * LONGEST) least = shorten(summary.waits);
      }
    }
  }
  shorten(summary.waits);
  return summary;
}

// Keeps the longest; returns what the next must exceed.
function shorten(waits) {
  waits.sort((a, b) => b.ns - a.ns || a.row - b.row);
  waits.length = Math.min(waits.length, LONGEST);
  return waits.length === LONGEST ? waits[LONGEST - 1].ns : 0;
}
