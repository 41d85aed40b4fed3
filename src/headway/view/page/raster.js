// Draws bars into pixels. Whatever the number of intervals, a lane costs its width and its height.

class Raster {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  clear() {
    this.pixels.fill(0);
  }

  flat(x0, x1, y0, y1, colour) {
    const { width, height, pixels } = this;
    x0 = Math.max(0, x0);
    x1 = Math.min(width, x1);
    y0 = Math.max(0, y0);
    y1 = Math.min(height, y1);
    if (x1 === x0 + 1) {
      for (let at = y0 * width + x0; y0 < y1; y0++, at += width) pixels[at] = colour;
    } else if (x1 > x0) {
      for (let y = y0; y < y1; y++) pixels.fill(colour, y * width + x0, y * width + x1);
    }
  }

  // `shift` moves the pattern along with what it fills.
  tiled(x0, x1, y0, y1, tile, size, shift) {
    const { width, height, pixels } = this;
    x0 = Math.max(0, x0);
    x1 = Math.min(width, x1);
    y0 = Math.max(0, y0);
    y1 = Math.min(height, y1);
    const mask = size - 1;
    for (let y = y0; y < y1; y++) {
      const row = (y & mask) * size;
      for (let x = x0, at = y * width + x0; x < x1; x++, at++) pixels[at] = tile[row + ((x - shift) & mask)];
    }
  }

  // A bar of a kind in a lane that lies from y0 to y1.
  bar(x0, x1, y0, y1, kind, looks, shift) {
    const top = y1 - Math.max(2, Math.round((y1 - y0) * looks.height[kind]));
    if (looks.tiles[kind] === null || x1 - x0 < 3) this.flat(x0, x1, top, y1, looks.flat[kind]);
    else this.tiled(x0, x1, top, y1, looks.tiles[kind], looks.size, shift);
  }

  // One column in which several kinds share `whole` ns: their shares as heights.
  column(x0, x1, y0, y1, sums, whole, looks) {
    const height = y1 - y0;
    let bottom = y1, loud = 0;
    for (let n = 0; n < STACKED.length; n++) {
      const kind = STACKED[n];
      if (sums[kind] <= 0) continue;
      loud += sums[kind];
      const top = y1 - Math.round((height * Math.min(loud, whole)) / whole);
      if (top < bottom) this.flat(x0, x1, top, bottom, looks.flat[kind]);
      bottom = top;
    }
    let rest = 0;
    for (let kind = 0; kind < KINDS; kind++) rest += sums[kind];
    rest -= loud;
    if (rest > 0) {
      const share = Math.min(1, rest / whole);
      this.flat(x0, x1, bottom - Math.max(1, Math.round(height * 0.34 * share)), bottom, looks.calm);
    }
  }
}
