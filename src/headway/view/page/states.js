// The states of units: what they are called, and how they look, in colour and in pattern.
//
// Colours are those of Okabe and Ito, which people with any kind of colour vision can tell apart; besides, the height
// of a bar and its pattern say the same: what runs is full and plain, what is ready has stripes, a lock is chequered,
// and all other waits are low.

const UNKNOWN = 0, START = 1, PYTHON = 2, NATIVE = 3, GIL = 4, CPU = 5, LOCK = 6, CONDITION = 7, EVENT = 8, QUEUE = 9,
  JOIN = 10, FUTURE = 11, SLEEP = 12, IO = 13, PROCESS = 14, OTHER = 15, RUNNING = 16, LOOP = 17, QUEUED = 18, HELD = 19;

const PLAIN = 0, RISING = 1, FALLING = 2, CHEQUERED = 3, DOTTED = 4, DASHED = 5, LINED = 6;

// kind: [state, reason, words, colour in light, colour in dark, pattern, height]
const LOOKS = {
  [PYTHON]: ["running", "python", "runs Python", "#009e73", "#1fb88c", PLAIN, 1],
  [NATIVE]: ["running", "native", "runs native code", "#56b4e9", "#56b4e9", LINED, 1],
  [RUNNING]: ["running", "unknown", "runs", "#3fae7c", "#4fc08f", PLAIN, 1],
  [GIL]: ["ready", "gil", "wants the GIL", "#d55e00", "#f07f2a", RISING, 1],
  [CPU]: ["ready", "cpu", "wants a core", "#b4578c", "#d889b4", FALLING, 1],
  [LOOP]: ["ready", "loop", "wants its loop", "#e69f00", "#e8ab2a", RISING, 1],
  [QUEUED]: ["ready", "queue", "in the queue", "#9a8cd6", "#a99ce2", FALLING, 1],
  [LOCK]: ["waiting", "lock", "waits for a lock", "#8a1c1c", "#e5484d", CHEQUERED, 1],
  [CONDITION]: ["waiting", "condition", "waits for a condition", "#7d8a97", "#8794a1", DOTTED, 0.5],
  [EVENT]: ["waiting", "event", "waits for an event", "#7d8a97", "#8794a1", DASHED, 0.5],
  [QUEUE]: ["waiting", "queue", "waits for an item", "#7d8a97", "#8794a1", RISING, 0.5],
  [JOIN]: ["waiting", "join", "waits in join", "#a8b2bb", "#5f6b76", LINED, 0.5],
  [FUTURE]: ["waiting", "future", "waits for a future", "#7d8a97", "#8794a1", FALLING, 0.5],
  [SLEEP]: ["waiting", "sleep", "sleeps", "#c9d1d8", "#46505a", PLAIN, 0.34],
  [IO]: ["waiting", "io", "waits for I/O", "#2f6fb3", "#4f8fd0", DASHED, 0.5],
  [PROCESS]: ["waiting", "process", "waits for a process", "#a8b2bb", "#5f6b76", DOTTED, 0.5],
  [OTHER]: ["waiting", "other", "waits", "#c9d1d8", "#46505a", DOTTED, 0.34],
  [START]: ["start", "", "starts", "#e2c44d", "#c9ad3c", DOTTED, 1],
  [UNKNOWN]: [null, "unknown", "not known", "#b8b8b8", "#606060", FALLING, 0.2],
  [HELD]: [null, "", "held", "#009e73", "#1fb88c", PLAIN, 1],
};

// Bottom up, where several kinds share a column: what runs, what wants to, what is held up; the rest above.
const STACKED = [PYTHON, RUNNING, NATIVE, GIL, CPU, LOOP, QUEUED, LOCK, START, HELD];
// The order of tables and of the legend.
const ORDER = [PYTHON, NATIVE, RUNNING, GIL, CPU, LOOP, QUEUED, LOCK, CONDITION, EVENT, QUEUE, JOIN, FUTURE, SLEEP, IO,
  PROCESS, OTHER, START, UNKNOWN];

const HOLDERS = {
  light: ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#6b5bb5", "#8c6d31"],
  dark: ["#4f9fd6", "#e6ab2a", "#2fbf93", "#d98fb8", "#7cc4ef", "#ef8136", "#a394e0", "#b8995c"],
};

const IO_WORDS = ["", "to read", "to write", "until ready", "for a connection", "to connect", "until written", "to open", "for a lock", "for a name"];

function stateOf(kind) {
  return LOOKS[kind][0];
}

function wordsOf(kind) {
  return LOOKS[kind][2];
}

// A tile of a pattern, `size` a power of two; 1 where it has the full colour.
function tile(pattern, size) {
  const on = new Uint8Array(size * size);
  const unit = size / 8;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const u = Math.floor(x / unit), v = Math.floor(y / unit);
      on[y * size + x] =
        pattern === PLAIN ? 1
        : pattern === RISING ? Number((u + v) % 8 < 5)
        : pattern === FALLING ? Number((u - v + 8) % 8 < 5)
        : pattern === CHEQUERED ? Number(((u >> 1) + (v >> 1)) % 2 === 0)
        : pattern === DOTTED ? Number(u % 4 < 2 && v % 4 < 2)
        : pattern === DASHED ? Number(u < 5)
        : Number(v % 4 < 3);
    }
  }
  return on;
}

function channels(colour) {
  const number = parseInt(colour.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

// As ImageData has it in memory, on a little-endian machine.
function pixel([r, g, b]) {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

function mixed(one, two, share) {
  return one.map((value, i) => Math.round(value * share + two[i] * (1 - share)));
}

// All colours and patterns of a theme, for a screen of a density.
class Looks {
  constructor(dark, density, paper) {
    this.dark = dark;
    this.size = density >= 1.5 ? 16 : 8;
    const ground = channels(paper);
    this.flat = new Uint32Array(KINDS);
    this.tiles = [];
    this.css = [];
    this.height = [];
    for (let kind = 0; kind < KINDS; kind++) {
      const look = LOOKS[kind];
      const colour = look[dark ? 4 : 3];
      const full = pixel(channels(colour)), pale = pixel(mixed(channels(colour), ground, look[5] === PLAIN ? 1 : look[5] === LINED ? 0.72 : 0.38));
      this.css[kind] = colour;
      this.flat[kind] = full;
      this.height[kind] = look[6];
      this.tiles[kind] = look[5] === PLAIN ? null : Uint32Array.from(tile(look[5], this.size), (on) => (on ? full : pale));
    }
    this.calm = pixel(mixed(channels(dark ? "#46505a" : "#c9d1d8"), ground, 0.55));
    this.holders = HOLDERS[dark ? "dark" : "light"];
    this.holderPixels = this.holders.map((colour) => pixel(channels(colour)));
  }
}
