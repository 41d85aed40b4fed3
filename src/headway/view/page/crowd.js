// Many lanes as one: how much of each kind there is in any span of time, from sums over equal spans of the run.

const SPANS = 4096;

class Crowd {
  constructor(lanes, wall) {
    this.lanes = lanes;
    this.most = mostAtOnce(lanes);
    this.width = wall / SPANS;
    // up to the beginning of each span, by kind
    this.sums = new Float64Array((SPANS + 1) * KINDS);
    for (const lane of lanes) this.add(lane);
    for (let at = KINDS; at < this.sums.length; at++) this.sums[at] += this.sums[at - KINDS];
  }

  add(lane) {
    const { start, end, kind } = lane.columns;
    const { sums, width } = this;
    for (let i = lane.first; i < lane.last; i++) {
      const k = kind[i] & KIND;
      let span = Math.min(Math.max(Math.floor(start[i] / width), 0), SPANS - 1), from = start[i];
      while (span < SPANS - 1 && end[i] > (span + 1) * width) {
        sums[(span + 1) * KINDS + k] += (span + 1) * width - from;
        from = ++span * width;
      }
      sums[(span + 1) * KINDS + k] += end[i] - from;
    }
  }

  // Adds what there is between two moments to `into`. Within a span it is as if it were spread evenly; where that would
  // show, the lanes themselves are asked, of which only few rows are in sight then.
  sum(t0, t1, into, rows) {
    if (t1 - t0 < 2 * this.width) {
      this.lanes.forEach((lane, i) => {
        if (lane.end > t0 && lane.start < t1) rows[i] = Math.min(lane.sum(t0, t1, into, rows[i]), lane.last - 1);
      });
      return;
    }
    this.upTo(t1, into, 1);
    this.upTo(t0, into, -1);
  }

  upTo(time, into, sign) {
    const at = Math.min(Math.max(time / this.width, 0), SPANS), span = Math.min(Math.floor(at), SPANS - 1);
    const share = at - span, first = span * KINDS, { sums } = this;
    for (let k = 0; k < KINDS; k++) into[k] += sign * (sums[first + k] * (1 - share) + sums[first + KINDS + k] * share);
  }
}

function mostAtOnce(lanes) {
  const moments = lanes.flatMap((lane) => [[lane.start, 1], [lane.end, -1]]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let now = 0, most = 1;
  for (const [, change] of moments) {
    now += change;
    most = Math.max(most, now);
  }
  return most;
}
