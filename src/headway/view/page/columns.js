// The columns of all lanes: unpacks what columns.py packs.

async function unpack(column, rows) {
  const text = atob(column.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  if (planes.length !== rows * column.bytes) throw new Error("a column of the page is damaged");
  if (column.bytes === 1) return planes;
  const out = column.bytes === 4 ? new Uint32Array(rows) : new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let value = planes[i] | (planes[rows + i] << 8) | (planes[2 * rows + i] << 16) | (planes[3 * rows + i] << 24);
    if (column.bytes === 8) {
      // two halves; the upper one has the sign. Exact up to 2^53 ns, which are 104 days.
      const high = planes[4 * rows + i] | (planes[5 * rows + i] << 8) | (planes[6 * rows + i] << 16) | (planes[7 * rows + i] << 24);
      value = high * 4294967296 + (value >>> 0);
    }
    out[i] = value;
  }
  return out;
}

async function readColumns(data) {
  const rows = data.lanes.reduce((sum, lane) => sum + lane.rows, 0);
  const names = Object.keys(data.columns);
  const found = await Promise.all(names.map((name) => unpack(data.columns[name], rows)));
  const columns = Object.fromEntries(names.map((name, i) => [name, found[i]]));
  const start = columns.gap, end = columns.length;
  let before = 0;
  for (let i = 0; i < rows; i++) {
    start[i] += before;
    before = end[i] += start[i];
  }
  return { rows, start, end, kind: columns.kind, stack: columns.stack, on: columns.on, by: columns.by, waker: columns.waker };
}
