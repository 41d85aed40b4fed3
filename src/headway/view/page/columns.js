// The columns of all lanes: unpacks what columns.py packs.

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

async function unpack(column, rows, Type) {
  const out = new Type(rows), { bytes, data } = column;
  if (bytes === 0) return out;
  const stream = new Blob([fromBase64(data)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  if (planes.length !== rows * bytes) throw new Error("a column of the page is damaged");
  out.set(planes.subarray(0, rows));
  // Floating point numbers are exact up to 2^53 ns, which are 104 days.
  for (let plane = 1, scale = 256; plane < bytes; plane++, scale *= 256) {
    for (let i = 0, at = plane * rows; i < rows; i++, at++) if (planes[at]) out[i] += planes[at] * scale;
  }
  return out;
}

const TYPES = { gap: Float64Array, length: Float64Array, kind: Uint8Array, stack: Uint32Array, on: Uint32Array, by: Uint32Array, waker: Uint32Array };

async function readColumns(data) {
  const rows = data.lanes.reduce((sum, lane) => sum + lane.rows, 0);
  const names = Object.keys(TYPES);
  const found = await Promise.all(names.map((name) => unpack(data.columns[name], rows, TYPES[name])));
  const { gap: start, length: end, ...columns } = Object.fromEntries(names.map((name, i) => [name, found[i]]));
  let i = 0;
  for (const lane of data.lanes) {
    let before = lane.start;
    for (const last = i + lane.rows; i < last; i++) {
      start[i] += before;
      before = end[i] += start[i];
    }
  }
  return { rows, start, end, ...columns };
}
