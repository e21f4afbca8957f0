// Calls a function of the page's modules in Node, as call.mjs does, with typed arrays in what it is given and gives:
// {"bytes": base64, "type": "uint8" | "float32" | …} stands for one wherever it is.

const [path, name] = process.argv.slice(2);
const module = await import(path);
const TYPES = {
  uint8: Uint8Array,
  uint8clamped: Uint8ClampedArray,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};
/** @type {string[]} */
const chunks = [];
process.stdin.setEncoding("utf8");
for await (const chunk of process.stdin) chunks.push(chunk);

const calls = JSON.parse(chunks.join(""), (_, value) => {
  if (typeof value?.bytes !== "string") return value;
  const { buffer, byteOffset, byteLength } = Buffer.from(value.bytes, "base64");
  return new TYPES[value.type](buffer.slice(byteOffset, byteOffset + byteLength));
});
const results = calls.map((/** @type {unknown[]} */ args) => module[name](...args));
const text = JSON.stringify(results, (_, value) => {
  if (!ArrayBuffer.isView(value)) return value;
  const [type] = Object.entries(TYPES).find(([, each]) => value.constructor === each);
  return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"), type };
});
process.stdout.write(text);
