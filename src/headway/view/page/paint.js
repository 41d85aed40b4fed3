// Paints the timeline: an axis, the findings, the lanes that are in sight, who wakes whom, and the GIL's way.

const GUTTER = 236; // for names
const AXIS = 26;
const MARKS = 16; // the row of findings
const TOP = AXIS + MARKS;
const ARROWS = 160; // at most
const PASSES = 500; // hand-overs of a GIL that are drawn as its way

class Painter {
  constructor(canvas, model) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.model = model;
    this.sums = new Float64Array(KINDS);
    this.resize();
  }

  resize() {
    this.density = Math.min(window.devicePixelRatio || 1, 2);
    const box = this.canvas.getBoundingClientRect();
    this.width = Math.max(320, Math.floor(box.width));
    this.height = Math.max(120, Math.floor(box.height));
    this.canvas.width = this.width * this.density;
    this.canvas.height = this.height * this.density;
    this.raster = new Raster((this.width - GUTTER) * this.density, (this.height - TOP) * this.density);
    this.restyle();
  }

  restyle() {
    const style = getComputedStyle(document.documentElement);
    this.colours = Object.fromEntries(
      ["paper", "band", "ink", "soft", "rule", "bad", "warn", "turn", "baton", "choice"].map((name) => [name, style.getPropertyValue("--" + name).trim()]));
    this.looks = new Looks(document.documentElement.dataset.theme === "dark", this.density, this.colours.paper);
    this.font = style.getPropertyValue("--font").trim();
  }

  x(time) {
    return GUTTER + ((time - this.model.t0) / (this.model.t1 - this.model.t0)) * (this.width - GUTTER);
  }

  time(x) {
    return this.model.t0 + ((x - GUTTER) / (this.width - GUTTER)) * (this.model.t1 - this.model.t0);
  }

  paint() {
    const { context, model, colours, density } = this;
    this.arrows = [];
    this.texts = [];
    context.setTransform(density, 0, 0, density, 0, 0);
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, this.width, this.height);
    this.visible = model.shown.filter((node) => node.y + node.height > model.scroll && node.y < model.scroll + this.height - TOP);
    this.backgrounds();
    this.grid();
    this.lanes();
    this.passes();
    this.choice();
    this.drawArrows();
    this.axis();
    this.marks();
    this.names();
  }

  top(node) {
    return TOP + node.y - this.model.scroll;
  }

  clip() {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(GUTTER, TOP, this.width - GUTTER, this.height - TOP);
    context.clip();
  }

  backgrounds() {
    const { context, colours, model } = this;
    this.clip();
    for (const node of this.visible) {
      if (node.type === "process" || node === model.node) {
        context.fillStyle = node === model.node ? colours.choice : colours.band;
        context.fillRect(GUTTER, this.top(node), this.width - GUTTER, node.height);
      }
    }
    context.restore();
  }

  steps() {
    const { t0, t1 } = this.model;
    const rough = ((t1 - t0) / (this.width - GUTTER)) * 110;
    const size = Math.pow(10, Math.floor(Math.log10(rough)));
    return [1, 2, 5, 10].map((n) => n * size).find((step) => step >= rough);
  }

  *ticks(step) {
    const { t0, t1 } = this.model;
    for (let n = Math.ceil(t0 / step); n * step <= t1; n++) yield n * step;
  }

  grid() {
    const { context, colours } = this;
    context.fillStyle = colours.rule;
    context.globalAlpha = 0.55;
    for (const time of this.ticks(this.steps())) context.fillRect(Math.round(this.x(time)), TOP, 1, this.height - TOP);
    context.globalAlpha = 1;
  }

  axis() {
    const { context, colours } = this;
    const step = this.steps();
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, this.width, AXIS);
    context.fillStyle = colours.soft;
    context.font = "11px " + this.font;
    context.textBaseline = "middle";
    context.textAlign = "left";
    for (const time of this.ticks(step)) {
      const x = Math.round(this.x(time));
      context.fillRect(x, AXIS - 6, 1, 6);
      const text = moment(time, step);
      if (x + 4 + context.measureText(text).width < this.width) context.fillText(text, x + 4, AXIS / 2 + 1);
    }
    context.fillStyle = colours.ink;
    const { t0, t1 } = this.model;
    context.fillText(duration(t1 - t0) + " of " + duration(this.model.wall), 10, AXIS / 2 + 1);
    context.fillStyle = colours.rule;
    context.fillRect(0, TOP - 1, this.width, 1);
    if (!this.model.isWhole) {
      // where in the whole run this is
      const wide = this.width - GUTTER, left = Math.max(t0, 0) / this.model.wall, right = Math.min(t1, this.model.wall) / this.model.wall;
      context.fillRect(GUTTER, 0, wide, 4);
      context.fillStyle = colours.turn;
      context.fillRect(GUTTER + wide * left, 0, Math.max(3, wide * (right - left)), 4);
    }
  }

  // Findings: a bar over the time that they are about, and a mark that can be clicked.
  marks() {
    const { context, colours, model } = this;
    context.fillStyle = colours.paper;
    context.fillRect(0, AXIS, this.width, MARKS - 1);
    context.fillStyle = colours.soft;
    context.font = "11px " + this.font;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillText(model.findings.length ? count(model.findings.length, "finding") : "no finding", 10, AXIS + MARKS / 2 - 1);
    this.flags = [];
    context.save();
    context.beginPath();
    context.rect(GUTTER, AXIS, this.width - GUTTER, MARKS);
    context.clip();
    let taken = GUTTER - 20;
    for (const finding of model.findings) {
      const colour = finding.severity === "error" ? colours.bad : finding.severity === "warning" ? colours.warn : colours.soft;
      const x0 = this.x(finding.start_s * 1e9), x1 = Math.max(this.x(finding.end_s * 1e9), x0 + 2);
      if (x1 < GUTTER || x0 > this.width) continue;
      context.fillStyle = colour;
      context.globalAlpha = finding === model.finding ? 0.5 : 0.22;
      context.fillRect(x0, AXIS + 1, x1 - x0, MARKS - 4);
      context.globalAlpha = 1;
      const at = Math.max(x0, GUTTER + 1, taken + 20);
      taken = at;
      context.beginPath();
      context.moveTo(at, AXIS + 1);
      context.lineTo(at + 11, AXIS + 6.5);
      context.lineTo(at, AXIS + 12);
      context.fill();
      this.flags.push({ finding, x0: at - 2, x1: at + 13 });
      const text = finding.kind;
      context.font = "10.5px " + this.font;
      const width = context.measureText(text).width;
      if (at + 16 + width < Math.min(x1, this.width) || at + 16 + width < this.width - 4) {
        context.fillStyle = colours.ink;
        context.fillText(text, at + 14, AXIS + 7);
        taken = at + 14 + width;
      }
    }
    context.restore();
  }

  // --- lanes

  lanes() {
    const { context, raster, density, model } = this;
    raster.clear();
    for (const node of this.visible) {
      const gap = node.height > 16 ? 3 : 2;
      const y0 = Math.round((node.y - model.scroll + gap) * density), y1 = Math.round((node.y - model.scroll + node.height - 1) * density);
      if (node.members !== null) this.crowd(node, y0, y1);
      else if (node.lane !== null) this.lane(node, y0, y1);
    }
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    this.offscreen ??= document.createElement("canvas");
    if (this.offscreen.width !== raster.width || this.offscreen.height !== raster.height) {
      this.offscreen.width = raster.width;
      this.offscreen.height = raster.height;
    }
    this.offscreen.getContext("2d").putImageData(raster.image, 0, 0);
    context.drawImage(this.offscreen, GUTTER * density, TOP * density);
    context.restore();
    this.clip();
    context.font = "10.5px " + this.font;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.lineWidth = 3;
    context.lineJoin = "round";
    for (const [text, x, y, room, kind] of this.texts) {
      const cut = fitted(context, text, room - 8);
      if (!cut) continue;
      // A rim in the colour of what is behind it, so that patterns do not disturb reading.
      const low = kind !== null && this.looks.height[kind] < 1;
      context.strokeStyle = kind === null ? "transparent" : low ? this.colours.paper : this.looks.css[kind];
      context.strokeText(cut, x + 4, y);
      context.fillStyle = low ? this.colours.ink : kind === LOCK ? "#fff" : "#000";
      context.fillText(cut, x + 4, y);
    }
    context.restore();
  }

  // How much of each state there is among many lanes.
  crowd(node, y0, y1) {
    const { model, raster, density, sums } = this;
    if (!node.members.length) return;
    const crowd = (node.crowd ??= new Crowd(node.members, model.wall));
    const wide = 2 * density, scale = (model.t1 - model.t0) / raster.width;
    const rows = node.members.map((lane) => lane.first);
    const whole = wide * scale * crowd.most;
    for (let x = 0; x < raster.width; x += wide) {
      const a = model.t0 + x * scale;
      sums.fill(0);
      crowd.sum(a, a + wide * scale, sums, rows);
      raster.column(x, x + wide, y0, y1, sums, whole, this.looks);
    }
  }

  lane(node, y0, y1) {
    const { model, raster, looks, sums } = this;
    const lane = node.lane;
    const { start, end, kind, by } = lane.columns;
    const { t0, t1 } = model;
    const scale = raster.width / (t1 - t0);
    const isGil = node.type === "gil";
    const shift = Math.round(-t0 * scale) % 64;
    const middle = TOP + (y0 + y1) / 2 / this.density;
    let i = lane.at(t0), x = 0;
    while (x < raster.width) {
      const a = t0 + x / scale, b = a + 1 / scale;
      while (i < lane.last && end[i] <= a) i++;
      if (i >= lane.last || start[i] >= t1) break;
      const left = (start[i] - t0) * scale, right = (end[i] - t0) * scale;
      if (left >= x + 1) {
        x = Math.floor(left); // nothing was there, as where nobody held the GIL
        continue;
      }
      const x0 = Math.max(x, Math.round(left)), x1 = Math.min(Math.round(right), raster.width);
      if (right - left < 2 || x1 <= x0) {
        const row = i;
        sums.fill(0);
        i = lane.sumFrom(i, a, b, sums);
        if (isGil) {
          const share = Math.min(1, sums[HELD] * scale);
          raster.flat(x, x + 1, y1 - Math.max(1, Math.round((y1 - y0) * share)), y1, looks.holderPixels[model.hue(by[row])]);
        } else {
          raster.column(x, x + 1, y0, y1, sums, 1 / scale, looks);
        }
        x++;
        continue;
      }
      const k = kind[i] & KIND;
      if (isGil) raster.flat(x0, x1, y0, y1, looks.holderPixels[model.hue(by[i])]);
      else raster.bar(x0, x1, y0, y1, k, looks, shift);
      if (x1 - x0 > 6 && left > 0) this.edge(x0, y0, y1, k);
      const wide = (x1 - x0) / this.density;
      if (wide > 40 && node.height > 12) this.texts.push([model.label(i), GUTTER + x0 / this.density, middle, wide, isGil ? null : k]);
      if (!isGil && wide > 24 && lane.columns.waker[i] && right <= raster.width) this.arrows.push([node, i, wide]);
      x = x1;
    }
  }

  // A thin line between two intervals, so that two of one state can be told apart.
  edge(x, y0, y1, kind) {
    const top = y1 - Math.max(2, Math.round((y1 - y0) * this.looks.height[kind]));
    this.raster.flat(x, x + 1, top, y1, this.edgeColour ??= pixel(channels(this.colours.paper)));
  }
}

// The text, shortened to fit; empty if not even a few letters would.
function fitted(context, text, room) {
  if (room < 14 || !text) return "";
  if (context.measureText(text).width <= room) return text;
  let lo = 0, hi = text.length;
  while (lo < hi) {
    const middle = (lo + hi + 1) >> 1;
    if (context.measureText(text.slice(0, middle) + "…").width <= room) lo = middle;
    else hi = middle - 1;
  }
  return lo < 3 ? "" : text.slice(0, lo) + "…";
}
