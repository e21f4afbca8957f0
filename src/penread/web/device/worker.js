// Reads in a thread of its own, so that the pen never waits. It fetches ONNX Runtime and the model when it is first
// asked, and the model of English when it first reads words. device.js is the page's side of it.

import { charactersOf, TOP_K } from "../reading.js";
import { isText, mayBeText } from "../several.js";
import { CharsetError } from "./charset.js";
import { blankGlyph } from "./glyph.js";
import { InputError } from "./ink.js";
import { fromInkMap } from "./inkmap.js";
import { readLanguage } from "./language.js";
import { character } from "./paper.js";
import { decode, PictureError } from "./picture.js";
import { nextTurn, Recognizer } from "./recognizer.js";
import { PAGE_PX, readPage, readText } from "./words.js";

/**
 * @typedef {import("../reading.js").Answer} Answer
 * @typedef {import("../reading.js").Explanation} Explanation
 * @typedef {import("../reading.js").Failure} Failure
 * @typedef {import("../strokes.js").Stroke} Stroke
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./paper.js").Picture} Picture
 *
 * @typedef {{ id: number, type: "load" }} LoadRequest
 * @typedef {{ id: number, type: "recognize", strokes: Stroke[], charset: string | null }} RecognizeRequest
 * @typedef {{ id: number, type: "recognizePicture", picture: Blob, charset: string | null }} PictureRequest
 * @typedef {{ id: number, type: "explain", source: Stroke[] | Blob, charset: string | null, char: string | null }
 * } ExplainRequest
 * @typedef {LoadRequest | RecognizeRequest | PictureRequest | ExplainRequest} Request
 * @typedef {{ id: number, type: "cancel" }} Cancellation  Of the request that has the id, which then gets no reply.
 *
 * @typedef {object} Progress  While files come; it has no id, since it concerns whoever waits.
 * @property {"progress"} type
 * @property {number} loaded  Bytes, uncompressed.
 * @property {number | null} total  Null where the server doesn't tell.
 *
 * @typedef {{ type: "alive" }} SignOfLife  While something takes long.
 * @typedef {{ id: number, type: "answer", answer: Answer | Explanation | null }} Success
 * @typedef {{ id: number, type: "failure", failure: Failure, status: number | null, message: string }} Refusal
 * @typedef {Progress | SignOfLife | Success | Refusal} Reply
 */

/** The folder of the page's files. */
const STATIC = new URL("../", import.meta.url);
const RUNTIME = "onnxruntime/ort.wasm.min.mjs";
const RUNTIME_WASM = "onnxruntime/ort-wasm-simd-threaded.wasm";
const MODEL = "model/model.onnx";
const MODEL_INFO = "model/model.json";
const ENGLISH = "model/english.npz";

// Detail beyond this many pixels on the longer side is far finer than the grid that a character is drawn on.
const WORKING_PX = 1024;
/** A page full of words takes long on a slow machine: it says so often that it is at it. */
const ALIVE_MS = 3_000;

/** A file didn't come. */
class FetchError extends Error {
  /**
   * @param {string} message
   * @param {number | null} status  The HTTP status; null where there was no answer, or not all of it.
   */
  constructor(message, status = null) {
    super(message);
    this.status = status;
  }
}

/** @type {Promise<Recognizer> | null} */
let recognizer = null;
/** @type {Promise<Language> | null} */
let english = null;
/** What is asked and not answered yet, oldest first; the first is being read.
 * @type {{ request: Request, cancellation: AbortController }[]} */
const jobs = [];

self.addEventListener("message", (/** @type {MessageEvent<Request | Cancellation>} */ { data }) => {
  if (data.type === "cancel") {
    jobs.find(({ request }) => request.id === data.id)?.cancellation.abort();
    return;
  }
  jobs.push({ request: data, cancellation: new AbortController() });
  if (jobs.length === 1) work();
});

/** Answers requests one after the other: the runtime does one thing at a time. */
async function work() {
  for (; jobs.length > 0; jobs.shift()) {
    const [{ request, cancellation }] = jobs;
    const { signal } = cancellation;
    try {
      const answer = await respond(request, signal);
      if (!signal.aborted) reply({ id: request.id, type: "answer", answer });
    } catch (error) {
      if (signal.aborted && error === signal.reason) continue;
      // Other failures are told even when nobody waits any more: whoever asks next would meet them, too.
      const status = error instanceof FetchError ? error.status : null;
      reply({ id: request.id, type: "failure", failure: nameFailure(error), status, message: String(error) });
    }
  }
}

/**
 * @param {unknown} error
 * @returns {Failure}
 */
function nameFailure(error) {
  if (error instanceof InputError) return "refused";
  if (error instanceof CharsetError) return "charset";
  if (error instanceof PictureError) return "picture";
  return error instanceof FetchError && error.status === null ? "offline" : "device";
}

/** @param {Reply} message */
function reply(message) {
  self.postMessage(message);
}

/**
 * @param {Request} request
 * @param {AbortSignal} signal
 * @returns {Promise<Answer | Explanation | null>}
 */
async function respond(request, signal) {
  recognizer ??= loadRecognizer();
  const ready = await recognizer;
  signal.throwIfAborted();
  if (request.type === "load") return null;
  if (request.type === "explain") return explain(ready, request, signal);
  return request.type === "recognize" ? recognize(ready, request, signal) : recognizePicture(ready, request, signal);
}

/**
 * @param {Recognizer} ready
 * @param {ExplainRequest} request
 * @param {AbortSignal} signal
 * @returns {Promise<Explanation>}
 */
async function explain(ready, { source, ...how }, signal) {
  const ink = source instanceof Blob ? glyphOf((await decode(source, WORKING_PX)).shown) : source;
  return ready.explain(ink, { ...how, signal });
}

/**
 * Reads a drawing as one character; where it may be several, as words.
 *
 * @param {Recognizer} ready
 * @param {RecognizeRequest} request
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
async function recognize(ready, { strokes, charset }, signal) {
  const alone = await ready.predict(strokes, { charset, topK: TOP_K });
  const how = mayBeText(alone, ready.info.rejection.unclear ?? null);
  if (how === null) return alone;
  // Words take a while: has the drawing changed meanwhile?
  await nextTurn();
  signal.throwIfAborted();
  const text = await readText(strokes, ready, await findEnglish(), { charset, topK: TOP_K, ...how });
  return isText(alone, text) ? text : alone;
}

/**
 * Reads a picture as a page; where that has no two characters, as one character, which may be a large one.
 *
 * @param {Recognizer} ready
 * @param {PictureRequest} request
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
async function recognizePicture(ready, { picture, charset }, signal) {
  const alive = setInterval(() => reply({ type: "alive" }), ALIVE_MS);
  try {
    const page = await decode(picture, PAGE_PX);
    const text = await readPage(page, ready, await findEnglish(), { charset, topK: TOP_K, signal });
    if (charactersOf(text).length > 1) return text;
    await nextTurn();
    signal.throwIfAborted();
    const isSmall = Math.max(page.width, page.height) <= WORKING_PX;
    const { shown } = isSmall ? page : await decode(picture, WORKING_PX);
    return await ready.predict(glyphOf(shown), { charset, topK: TOP_K });
  } finally {
    clearInterval(alive);
  }
}

/**
 * Gives the glyph of a picture of one character.
 *
 * @param {Picture} picture
 * @returns {Uint8Array}
 */
function glyphOf(picture) {
  const ink = character(picture);
  return ink === null ? blankGlyph() : fromInkMap(ink);
}

/** @returns {Promise<Recognizer>} */
async function loadRecognizer() {
  const files = new Progresses();
  const runtime = import(new URL(RUNTIME, STATIC).href);
  // The files tell better than the module why nothing comes, so they are waited for first.
  runtime.catch(() => {});
  const [wasm, modelBytes, modelJson] = await Promise.all([
    download(RUNTIME_WASM, files),
    download(MODEL, files),
    download(MODEL_INFO),
  ]);
  const ort = await runtime;
  // One thread needs no page that is isolated from all others.
  Object.assign(ort.env.wasm, {
    numThreads: 1,
    wasmPaths: new URL("onnxruntime/", STATIC).href,
    wasmBinary: wasm.buffer,
  });
  return Recognizer.load({ ort, modelJson: JSON.parse(new TextDecoder().decode(modelJson)), modelBytes });
}

/**
 * Fetches the model of English, where it can be had; without, each letter of a word is read by itself.
 *
 * @returns {Promise<Language | null>}
 */
async function findEnglish() {
  english ??= loadEnglish();
  try {
    return await english;
  } catch (error) {
    console.warn(String(error));
    english = null;
    return null;
  }
}

/** @returns {Promise<Language>} */
async function loadEnglish() {
  return readLanguage((await download(ENGLISH)).buffer);
}

/** How far several files have come, all together. */
class Progresses {
  /** @type {{ loaded: number, total: number | null }[]} */
  #files = [];

  /** @returns {(loaded: number, total: number | null) => void}  Takes in how far one more file has come. */
  add() {
    const file = { loaded: 0, total: /** @type {number | null} */ (null) };
    this.#files.push(file);
    return (loaded, total) => {
      Object.assign(file, { loaded, total });
      const sum = this.#files.reduce((all, each) => all + each.loaded, 0);
      const whole = this.#files.reduce(
        (all, each) => (all === null || each.total === null ? null : all + each.total),
        /** @type {number | null} */ (0),
      );
      reply({ type: "progress", loaded: sum, total: whole });
    };
  }
}

/**
 * @param {string} path  From the folder of the page's files.
 * @param {Progresses | null} [files]  Where its progress is told.
 * @returns {Promise<Uint8Array<ArrayBuffer>>}  Alone in its buffer.
 * @throws {FetchError}
 */
async function download(path, files = null) {
  const tell = files?.add();
  try {
    const response = await fetch(new URL(path, STATIC));
    if (!response.ok) throw new FetchError(`${path}: HTTP status ${response.status}`, response.status);
    if (tell === undefined || response.body === null) return new Uint8Array(await response.arrayBuffer());
    // The length that is told is that of the body as it was sent, compressed or not.
    const length = response.headers.get("content-encoding") === null ? response.headers.get("content-length") : null;
    const total = length === null ? null : Number(length);
    /** @type {Uint8Array<ArrayBuffer>[]} */
    const chunks = [];
    let loaded = 0;
    tell(loaded, total);
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      loaded += value.length;
      tell(loaded, total);
    }
    return new Uint8Array(await new Blob(chunks).arrayBuffer());
  } catch (error) {
    throw error instanceof FetchError ? error : new FetchError(`${path}: ${error}`);
  }
}
