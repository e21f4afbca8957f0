// Reads NumPy's .npz: a zip of arrays. As much of both formats as NumPy writes.

/**
 * @typedef {Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array
 * } Values
 *
 * @typedef {object} NamedArray
 * @property {number[]} shape
 * @property {Values} values  Row by row.
 */

/** NumPy's names of types of numbers, the lowest byte first, as this machine must have them. */
const TYPES = new Map(
  /** @type {[string, { new (buffer: ArrayBuffer): Values, BYTES_PER_ELEMENT: number }][]} */ ([
    ["|u1", Uint8Array],
    ["|i1", Int8Array],
    ["<u2", Uint16Array],
    ["<i2", Int16Array],
    ["<u4", Uint32Array],
    ["<i4", Int32Array],
    ["<f4", Float32Array],
    ["<f8", Float64Array],
  ]),
);

/** What begins the end of a zip, an entry of its directory, and an entry's content. */
const END = 0x06054b50;
const ENTRY = 0x02014b50;
const CONTENT = 0x04034b50;
/** Lengths of the three, without names and comments. */
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const CONTENT_BYTES = 30;
/** How an entry is compressed. */
const STORED = 0;
const DEFLATED = 8;

/** What is no .npz, or one of another kind than is read here. */
export class NpzError extends Error {}

/**
 * Reads all arrays of a file.
 *
 * @param {ArrayBuffer} buffer  The file's content.
 * @returns {Promise<Record<string, NamedArray>>}
 * @throws {NpzError}
 */
export async function readNpz(buffer) {
  /** @type {Record<string, NamedArray>} */
  const arrays = {};
  try {
    for (const { name, method, start, size, fullSize } of entries(new DataView(buffer))) {
      const bytes = new Uint8Array(buffer, start, size);
      if (method !== STORED && method !== DEFLATED) throw new NpzError(`${name} is compressed in another way`);
      const content = method === STORED ? bytes.slice() : await inflate(bytes);
      if (content.length !== fullSize) throw new NpzError(`${name} is incomplete`);
      arrays[name.replace(/\.npy$/, "")] = readNpy(content, name);
    }
  } catch (error) {
    // Whatever else goes wrong with damaged bytes: places outside of them, a stream without an end.
    throw error instanceof NpzError ? error : new NpzError(`no .npz: ${error}`);
  }
  return arrays;
}

/**
 * Reads the directory of a zip.
 *
 * @param {DataView} view
 * @returns {{ name: string, method: number, start: number, size: number, fullSize: number }[]}
 */
function entries(view) {
  let end = view.byteLength - END_BYTES;
  // A comment may follow.
  while (end >= 0 && view.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new NpzError("no zip");
  const found = [];
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    if (view.getUint32(at, true) !== ENTRY) throw new NpzError("a damaged zip");
    const nameBytes = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(new Uint8Array(view.buffer, at + ENTRY_BYTES, nameBytes));
    const content = view.getUint32(at + 42, true);
    if (view.getUint32(content, true) !== CONTENT) throw new NpzError("a damaged zip");
    // The name and what else is there may have other lengths here than in the directory.
    const start = content + CONTENT_BYTES + view.getUint16(content + 26, true) + view.getUint16(content + 28, true);
    found.push({
      name,
      method: view.getUint16(at + 10, true),
      start,
      size: view.getUint32(at + 20, true),
      fullSize: view.getUint32(at + 24, true),
    });
    at += ENTRY_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return found;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<Uint8Array>}
 */
async function inflate(bytes) {
  const deflated = new Blob([/** @type {BlobPart} */ (bytes)]).stream();
  const stream = deflated.pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Reads one array.
 *
 * @param {Uint8Array} bytes  The content of a .npy file; nothing else in its buffer.
 * @param {string} name
 * @returns {NamedArray}
 */
function readNpy(bytes, name) {
  const isOld = bytes[6] === 1;
  const view = new DataView(bytes.buffer);
  const headerBytes = isOld ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = (isOld ? 10 : 12) + headerBytes;
  const header = new TextDecoder("latin1").decode(bytes.subarray(0, start));
  const type = /'descr': '([^']+)'/.exec(header)?.[1] ?? "";
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  const Type = TYPES.get(type);
  // What browsers call latin1 has another character for the first byte.
  const isArray = bytes[0] === 0x93 && header.startsWith("NUMPY", 1);
  if (!isArray || shape === undefined) throw new NpzError(`${name} is no array`);
  if (Type === undefined || header.includes("'fortran_order': True")) {
    throw new NpzError(`${name} is an array of a kind that isn't read: ${type}`);
  }
  const sides = shape.split(",").filter((side) => side.trim() !== "").map(Number);
  const values = new Type(bytes.slice(start).buffer);
  const count = sides.reduce((product, side) => product * side, 1);
  if (values.length !== count) throw new NpzError(`${name} is incomplete`);
  return { shape: sides, values };
}
