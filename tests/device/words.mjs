// Reads drawings as text in Node, as the page's worker does: `node words.mjs WEB BUNDLE`, the folders of the page and of
// the bundle, with {english, drawings}, the file of the model of English and a list of [strokes, options], as JSON on
// standard input. Prints the list of answers; what failed is {"error"}.

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [web, bundle] = process.argv.slice(2).map((path) => pathToFileURL(`${path}/`));
const { Recognizer } = await import(new URL("device/recognizer.js", web));
const { readLanguage } = await import(new URL("device/language.js", web));
const { readText } = await import(new URL("device/words.js", web));
const ort = await import(new URL("onnxruntime/ort.wasm.min.mjs", web));
Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: new URL("onnxruntime/", web).href });

let input = "";
for await (const chunk of process.stdin) input += chunk;
const { english, drawings } = JSON.parse(input);
const recognizer = await Recognizer.load({
  ort,
  modelJson: JSON.parse(await readFile(new URL("model.json", bundle), "utf8")),
  modelBytes: new Uint8Array(await readFile(new URL("model.onnx", bundle))),
});
const language = await readLanguage(new Uint8Array(await readFile(english)).buffer);
const answers = [];
for (const [strokes, options] of drawings) {
  try {
    answers.push(await readText(strokes, recognizer, language, options));
  } catch (error) {
    answers.push({ error: error.constructor.name });
  }
}
process.stdout.write(JSON.stringify(answers));
