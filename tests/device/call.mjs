// Calls a function of the page's modules in Node: `node call.mjs MODULE FUNCTION`, with a list of lists of arguments as
// JSON on standard input. Prints the list of what came of each call: {"value"}, or {"error"} with the error's fields.

const [path, name] = process.argv.slice(2);
const module = await import(path);
let input = "";
for await (const chunk of process.stdin) input += chunk;

const results = JSON.parse(input).map((/** @type {unknown[]} */ args) => {
  try {
    const value = module[name](...args);
    return { value: ArrayBuffer.isView(value) ? Array.from(value) : value };
  } catch (error) {
    return { error: { ...error, kind: error.constructor.name, message: error.message } };
  }
});
process.stdout.write(JSON.stringify(results));
