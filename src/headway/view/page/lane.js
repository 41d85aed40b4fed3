// A lane: the rows of one unit, or of one GIL, with an index that sums any span of time by kind.
//
// The index holds the sums up to every BLOCK-th row. So what a span comes to costs the rows at its two ends and one
// difference, however many rows lie between: that is all there is of levels of detail, and it is exact on each.

const BLOCK = 64;
const KINDS = 20;
const KIND = 31; // the lower bits of the column; above them is how it is known

class Lane {
  constructor(columns, unit, gil, first, rows) {
    this.unit = unit;
    this.gil = gil;
    this.first = first;
    this.last = first + rows; // one behind
    this.columns = columns;
    this.start = columns.start[first];
    this.end = columns.end[this.last - 1];
    const { start, end, kind } = columns;
    const blocks = Math.floor(rows / BLOCK) + 1;
    this.sums = new Float64Array(blocks * KINDS);
    const sum = new Float64Array(KINDS);
    for (let i = 0; i < rows; i++) {
      if (i % BLOCK === 0) this.sums.set(sum, (i / BLOCK) * KINDS);
      sum[kind[first + i] & KIND] += end[first + i] - start[first + i];
    }
    if (rows % BLOCK === 0) this.sums.set(sum, (rows / BLOCK) * KINDS);
  }

  // The first row that ends behind a moment; `last` if there is none.
  at(time, from = this.first) {
    const { end } = this.columns;
    let lo = from, hi = this.last;
    // near by in most cases: double the step first
    let step = 1;
    while (lo + step < hi && end[lo + step] <= time) {
      lo += step;
      step *= 2;
    }
    hi = Math.min(hi, lo + step);
    while (lo < hi) {
      const middle = (lo + hi) >> 1;
      if (end[middle] <= time) lo = middle + 1;
      else hi = middle;
    }
    return lo;
  }

  // Adds the ns by kind in [t0, t1) to `into`. `from`: a row that is not behind t0. Returns the first row that ends behind t1.
  sum(t0, t1, into, from = this.first) {
    const { start, end, kind } = this.columns;
    let i = this.at(t0, from);
    const stop = this.at(t1, i);
    if (i < stop && start[i] < t0) {
      into[kind[i] & KIND] += end[i] - t0;
      i++;
    }
    if (stop - i > 3 * BLOCK) {
      const lo = Math.ceil((i - this.first) / BLOCK), hi = Math.floor((stop - this.first) / BLOCK);
      for (; i < this.first + lo * BLOCK; i++) into[kind[i] & KIND] += end[i] - start[i];
      for (let k = 0; k < KINDS; k++) into[k] += this.sums[hi * KINDS + k] - this.sums[lo * KINDS + k];
      i = this.first + hi * BLOCK;
    }
    for (; i < stop; i++) into[kind[i] & KIND] += end[i] - start[i];
    if (stop < this.last && start[stop] < t1) into[kind[stop] & KIND] += t1 - Math.max(start[stop], t0);
    return stop;
  }

  // The same for a short span that begins in a row: goes from row to row, and over whole blocks at once.
  sumFrom(row, t0, t1, into) {
    const { start, end, kind } = this.columns;
    let i = row;
    while (i < this.last && end[i] <= t1) {
      if ((i - this.first) % BLOCK === 0 && i + BLOCK <= this.last && end[i + BLOCK - 1] <= t1 && start[i] >= t0) {
        const at = ((i - this.first) / BLOCK) * KINDS;
        for (let k = 0; k < KINDS; k++) into[k] += this.sums[at + KINDS + k] - this.sums[at + k];
        i += BLOCK;
      } else {
        into[kind[i] & KIND] += end[i] - Math.max(start[i], t0);
        i++;
      }
    }
    if (i < this.last && start[i] < t1) into[kind[i] & KIND] += t1 - Math.max(start[i], t0);
    return i;
  }

  // Number of the row at a moment; -1 if there is none, as where nobody holds a GIL.
  rowAt(time) {
    const row = this.at(time);
    return row < this.last && this.columns.start[row] <= time ? row : -1;
  }
}
