// What the painter draws over the lanes: names, what is selected, arrows from who woke to who was woken, the GIL's way.

Object.assign(Painter.prototype, {
  names() {
    const { context, colours, model } = this;
    context.save();
    context.beginPath();
    context.rect(0, TOP, GUTTER, this.height - TOP);
    context.clip();
    context.fillStyle = colours.paper;
    context.fillRect(0, TOP, GUTTER, this.height - TOP);
    context.textBaseline = "middle";
    for (const node of this.visible) {
      const y = this.top(node), middle = y + node.height / 2 + 0.5, left = 8 + Math.min(node.depth, 9) * 11;
      if (node === model.node || node.type === "process" || node === model.hovered) {
        context.fillStyle = node === model.node ? colours.choice : colours.band;
        context.fillRect(0, y, GUTTER, node.height);
      }
      context.fillStyle = colours.soft;
      if (node.children.length) triangle(context, left, middle, node.folded);
      const small = node.height < 16;
      const size = small ? 10 : 12;
      const aside = node.type === "process" ? "pid " + node.unit.pid : node.type === "thread" || node.type === "group" || node.type === "gil" ? "" : node.type;
      context.font = `${small ? 9.5 : 10.5}px ${this.font}`;
      const room = aside ? context.measureText(aside).width + 14 : 8;
      if (aside) {
        context.textAlign = "right";
        context.fillText(aside, GUTTER - 8, middle);
      }
      context.textAlign = "left";
      context.fillStyle = node.type === "gil" || node.type === "group" ? colours.soft : colours.ink;
      context.font = `${node.type === "process" ? "600 " : node.type === "gil" || node.type === "group" ? "italic " : ""}${size}px ${this.font}`;
      let name = left + 13;
      if (model.isHolder(node)) {
        // the colour that it has in the GIL's lane
        context.fillStyle = this.looks.holders[model.hue(node.unit.id)];
        context.fillRect(left + 13, middle - 4, 4, 8);
        context.fillStyle = colours.ink;
        name += 8;
      }
      context.fillText(fitted(context, node.name, GUTTER - name - room), name, middle);
    }
    context.restore();
    context.fillStyle = colours.rule;
    context.fillRect(GUTTER - 1, 0, 1, this.height);
  },

  // The selected interval, the marked range, and the line under the pointer.
  choice() {
    const { context, colours, model } = this;
    this.clip();
    if (model.marked) {
      const [a, b] = model.marked;
      const x0 = this.x(a), x1 = this.x(b);
      context.fillStyle = colours.choice;
      context.globalAlpha = 0.35;
      context.fillRect(x0, TOP, x1 - x0, this.height - TOP);
      context.globalAlpha = 1;
      context.fillStyle = colours.turn;
      for (const x of [x0, x1]) context.fillRect(Math.round(x), TOP, 1, this.height - TOP);
      context.font = "600 11px " + this.font;
      context.textBaseline = "top";
      context.textAlign = "center";
      context.fillText(duration(b - a), Math.min(Math.max((x0 + x1) / 2, GUTTER + 30), this.width - 30), TOP + 3);
    }
    const { node, row } = model;
    if (node && row >= 0 && this.visible.includes(node)) {
      const x0 = this.x(node.lane.columns.start[row]), x1 = Math.max(this.x(node.lane.columns.end[row]), x0 + 2);
      context.strokeStyle = colours.ink;
      context.lineWidth = 2;
      const a = Math.max(x0, GUTTER - 4), b = Math.min(x1, this.width + 4);
      context.strokeRect(a, this.top(node) + 1, b - a, node.height - 1);
    }
    if (model.pointer !== null) {
      context.fillStyle = colours.soft;
      context.globalAlpha = 0.5;
      context.fillRect(model.pointer, TOP, 1, this.height - TOP);
      context.globalAlpha = 1;
    }
    context.restore();
  },

  drawArrows() {
    const { model } = this;
    this.drawn = 0;
    const { node, row } = model;
    const chosen = node && node.lane && row >= 0 && node.type !== "gil" && node.lane.columns.waker[row] ? [[node, row, Infinity]] : [];
    let found = model.arrows ? this.arrows.sort((a, b) => b[2] - a[2]).slice(0, ARROWS) : [];
    found = [...found.filter((one) => one[0] !== node || one[1] !== row), ...chosen];
    this.clip();
    for (const [woken, at, wide] of found) this.arrow(woken, at, wide === Infinity);
    this.context.restore();
  },

  arrow(node, row, chosen) {
    const { context, colours, model } = this;
    const from = model.shownNode(node.lane.columns.waker[row]);
    if (!from || from === node) return;
    const x = this.x(node.lane.columns.end[row]);
    const y0 = this.top(from) + from.height / 2, y1 = this.top(node) + node.height / 2;
    if (x < GUTTER || x > this.width || Math.max(y0, y1) < TOP || Math.min(y0, y1) > this.height) return;
    const down = y1 > y0 ? 1 : -1, tip = y1 - down * (node.height / 2 - 2), bend = Math.min(26, 8 + Math.abs(y1 - y0) / 6);
    context.strokeStyle = context.fillStyle = chosen ? colours.turn : colours.ink;
    context.globalAlpha = chosen ? 1 : 0.45;
    context.lineWidth = chosen ? 2.2 : 1.1;
    context.beginPath();
    context.moveTo(x, y0);
    context.bezierCurveTo(x - bend, y0 + (tip - y0) * 0.3, x - bend, y0 + (tip - y0) * 0.7, x - 1, tip - down * 3);
    context.stroke();
    context.beginPath();
    context.arc(x, y0, chosen ? 3 : 2, 0, 7);
    context.fill();
    const size = chosen ? 6 : 4.5;
    context.beginPath();
    context.moveTo(x, tip);
    context.lineTo(x - size, tip - down * size * 1.3);
    context.lineTo(x + size * 0.5, tip - down * size * 1.5);
    context.fill();
    context.globalAlpha = 1;
    this.drawn++;
  },

  // The GIL as a baton: a line under who holds it, and from lane to lane where it is handed over.
  passes() {
    const { context, colours, model } = this;
    if (!model.baton) return;
    this.clip();
    for (const node of model.shown) {
      if (node.type !== "gil") continue;
      const lane = node.lane, { start, end, by } = lane.columns;
      const first = lane.at(model.t0), behind = lane.at(model.t1, first) + 1;
      if (behind - first > PASSES) continue;
      context.strokeStyle = colours.baton;
      context.lineJoin = "round";
      let before = null;
      for (let i = first; i < Math.min(behind, lane.last); i++) {
        const holder = model.shownNode(by[i]);
        if (!holder) {
          before = null;
          continue;
        }
        const y = this.top(holder) + holder.height - 1, x0 = this.x(start[i]), x1 = this.x(end[i]);
        context.lineWidth = 2.5;
        context.beginPath();
        context.moveTo(Math.max(x0, GUTTER), y);
        context.lineTo(Math.max(x1, x0 + 1), y);
        context.stroke();
        if (before && before !== holder) {
          // from the lane of who had it before, at the moment in which the next one takes it
          context.lineWidth = 1.2;
          context.beginPath();
          context.moveTo(x0, this.top(before) + before.height - 1);
          context.lineTo(x0, y);
          context.stroke();
        }
        before = holder;
      }
    }
    context.restore();
  },
});

function triangle(context, x, y, folded) {
  context.beginPath();
  if (folded) {
    context.moveTo(x + 1, y - 4);
    context.lineTo(x + 7, y);
    context.lineTo(x + 1, y + 4);
  } else {
    context.moveTo(x, y - 3);
    context.lineTo(x + 8, y - 3);
    context.lineTo(x + 4, y + 4);
  }
  context.fill();
}
