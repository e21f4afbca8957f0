// Reads NumPy's files in Node: `node npz.mjs WEB FILE...`. Prints for each its arrays by name, {shape, values}, or
// {"error"}.

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [web, ...paths] = process.argv.slice(2);
const { readNpz } = await import(new URL("device/npz.js", pathToFileURL(`${web}/`)));
const results = [];
for (const path of paths) {
  try {
    const arrays = await readNpz(new Uint8Array(await readFile(path)).buffer);
    const plain = Object.entries(arrays).map(([name, { shape, values }]) => [name, { shape, values: [...values] }]);
    results.push(Object.fromEntries(plain));
  } catch (error) {
    results.push({ error: error.constructor.name });
  }
}
process.stdout.write(JSON.stringify(results));
