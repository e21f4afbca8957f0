// Glyphs to predictions, on ONNX Runtime in the browser: a port of penread/recognizer.py.

import { alone, logSoftmax } from "./alone.js";
import { select } from "./charset.js";
import { covered, importance, logOdds } from "./explain.js";
import { GLYPH_PX } from "./glyph.js";
import { drawGlyph, InputError } from "./ink.js";

/**
 * @typedef {import("../strokes.js").Stroke} Stroke
 * @typedef {import("../reading.js").Candidate} Candidate
 * @typedef {import("../reading.js").CharacterAnswer} CharacterAnswer
 * @typedef {import("../reading.js").Explanation} Explanation
 *
 * @typedef {"empty" | "speck" | "solid" | "several" | "unknown"} Reason
 *
 * @typedef {object} ModelInfo  As much of model.json as is used here.
 * @property {string} name
 * @property {string} version
 * @property {string} chars  The class table, one character a class.
 * @property {number} temperature  Logits are divided by it before the softmax.
 * @property {{ unclear?: number }} rejection  Ink is rejected where the probability that it is not one character is
 *   above this.
 * @property {string} sha256  Sum of model.onnx, hex digits.
 *
 * @typedef {object} Verdict  What was read, as an answer has it.
 * @property {string | null} char
 * @property {number} confidence
 * @property {Candidate[]} candidates
 * @property {null | "blank" | "unclear"} rejected
 * @property {Reason | null} reason
 */

// The time for each is the same, however few: between batches whoever waits may give up.
const BATCH = 16;
// A glyph's darkest pixel is 255; one whose darkest is under half of that shows no ink.
const MIN_INK = 128;
const SPECK_PX = 7;
const SOLID_PX = 11;
const GLYPH_BYTES = GLYPH_PX * GLYPH_PX;

/** The kinds of ink: one character, several, something else. */
export const KINDS = 3;

/** A model can't be used: it is damaged, or of another kind. */
export class BundleError extends Error {}

/** Reads characters with one model. */
export class Recognizer {
  /**
   * Checks a model and makes it ready.
   *
   * @param {object} files
   * @param {any} files.ort  The module of onnxruntime-web.
   * @param {unknown} files.modelJson  What model.json says.
   * @param {Uint8Array<ArrayBuffer>} files.modelBytes  The content of model.onnx.
   * @returns {Promise<Recognizer>}
   * @throws {BundleError}
   */
  static async load({ ort, modelJson, modelBytes }) {
    const info = checkedInfo(modelJson);
    // Browsers sum only on pages that came safely; elsewhere a damaged file mostly fails below.
    if (globalThis.crypto?.subtle !== undefined && (await sha256(modelBytes)) !== info.sha256) {
      throw new BundleError("model.onnx is not the file that model.json describes: its SHA-256 differs.");
    }
    let session;
    try {
      session = await ort.InferenceSession.create(modelBytes, {
        executionProviders: ["wasm"],
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
      });
    } catch (error) {
      throw new BundleError(`ONNX Runtime can't load the model ${info.name}: ${error}`);
    }
    const recognizer = new Recognizer(ort, session, info);
    // The first glyph tells whether the model is of the right kind, and takes the longest.
    try {
      const { logits } = await recognizer.#run(new Uint8Array(GLYPH_BYTES), 1);
      if (logits.length !== info.chars.length) throw new Error(`it gives ${logits.length} logits`);
    } catch (error) {
      throw new BundleError(`The model ${info.name} doesn't read glyphs into ${info.chars.length} classes: ${error}`);
    }
    return recognizer;
  }

  #ort;
  #session;
  #input;
  #givesKinds;

  /**
   * @param {any} ort
   * @param {any} session
   * @param {ModelInfo} info
   */
  constructor(ort, session, info) {
    this.#ort = ort;
    this.#session = session;
    this.#input = session.inputNames[0];
    this.#givesKinds = session.outputNames.includes("kinds");
    this.info = info;
  }

  /**
   * Scores glyphs. One call at a time.
   *
   * @param {Uint8Array} glyphs  One after the other, 784 bytes each.
   * @param {number} count  How many.
   * @param {AbortSignal | null} [signal]  Gives up, with its reason.
   * @returns {Promise<{ logits: Float64Array, kinds: Float64Array }>}  Logits divided by the temperature, a row of the
   *   classes for each glyph; and log-probabilities that it is one character, several, or something else, three for
   *   each. A model that can't tell takes everything for one character: 0, and minus infinity twice.
   */
  async score(glyphs, count, signal = null) {
    const classes = this.info.chars.length;
    const logits = new Float64Array(count * classes);
    const kinds = new Float64Array(count * KINDS);
    for (let first = 0; first < count; first += BATCH) {
      if (first > 0 && signal !== null) await nextTurn();
      signal?.throwIfAborted();
      const size = Math.min(BATCH, count - first);
      const run = await this.#run(glyphs.subarray(first * GLYPH_BYTES, (first + size) * GLYPH_BYTES), size);
      logits.set(run.logits, first * classes);
      kinds.set(run.kinds, first * KINDS);
    }
    return { logits: logits.map((logit) => logit / this.info.temperature), kinds: logSoftmax(kinds, KINDS) };
  }

  /**
   * @param {Uint8Array} glyphs
   * @param {number} count
   * @returns {Promise<{ logits: Float32Array, kinds: ArrayLike<number> }>}  As the network gives them.
   */
  async #run(glyphs, count) {
    const tensor = new this.#ort.Tensor("uint8", glyphs, [count, GLYPH_PX, GLYPH_PX]);
    const outputs = await this.#session.run({ [this.#input]: tensor });
    const surely = Array.from({ length: count }, () => [0, -Infinity, -Infinity]).flat();
    return {
      logits: outputs[this.#session.outputNames[0]].data,
      kinds: this.#givesKinds ? outputs.kinds.data : surely,
    };
  }

  /**
   * Reads one character.
   *
   * @param {readonly Stroke[] | Uint8Array} source  Strokes, or a glyph.
   * @param {object} [options]
   * @param {string | null} [options.charset]  The characters allowed, see charset.js; null for all.
   * @param {number} [options.topK]  The most candidates to give.
   * @param {number | null} [options.unclearAbove]  Ink is rejected as unclear where the probability that it is not one
   *   character is above this; null takes the model's own threshold, 1 rejects none.
   * @returns {Promise<CharacterAnswer>}
   * @throws {InputError | import("./charset.js").CharsetError}
   */
  async predict(source, { charset = null, topK = 5, unclearAbove = null } = {}) {
    select(this.info.chars, charset); // Refuses a charset that the model can't read, before anything is read.
    const limit = this.limit(unclearAbove);
    const glyph = source instanceof Uint8Array ? source : drawGlyph(source);
    const { logits, kinds } = await this.score(glyph, 1);
    const { logProbs, answers } = alone(logits, glyph, this.info.chars, charset);
    const verdict = toVerdict(bestOf(logProbs, answers, topK), Math.exp(kinds[0]), findDoubt(glyph, kinds, limit));
    return { kind: "character", ...verdict, glyph, model: this.model() };
  }

  /**
   * Tells which parts of the ink speak for a character, and which against it.
   *
   * @param {readonly Stroke[] | Uint8Array} source  Strokes, or a glyph.
   * @param {object} [options]
   * @param {string | null} [options.char]  The character to speak for; the likeliest, where it is null.
   * @param {string | null} [options.charset]  The characters allowed.
   * @param {AbortSignal | null} [options.signal]  Gives up, with its reason.
   * @returns {Promise<Explanation & { confidence: number }>}  With the character's probability among those allowed.
   * @throws {InputError | import("./charset.js").CharsetError}  There is no ink, or `char` is not in the charset.
   */
  async explain(source, { char = null, charset = null, signal = null } = {}) {
    select(this.info.chars, charset);
    const glyph = source instanceof Uint8Array ? source : drawGlyph(source);
    if (!glyph.some((level) => level >= MIN_INK)) throw new InputError("There is no ink to explain.");
    const { glyphs, windows } = covered(glyph);
    const { logits } = await this.score(glyphs, 1 + windows.length, signal);
    const { logProbs, answers } = alone(logits, glyphs, this.info.chars, charset);
    const first = logProbs.subarray(0, answers.length);
    const column = char === null ? first.indexOf(Math.max(...first)) : answers.indexOf(char);
    if (column < 0) {
      throw new InputError(`char is "${char}"; it must be one of the characters allowed: ${answers.join("")}.`);
    }
    const [whole, ...parts] = logOdds(logProbs, answers.length, column);
    return {
      char: answers[column],
      confidence: Math.exp(first[column]),
      importance: importance(glyph, windows, parts.map((odds) => whole - odds)),
      glyph,
    };
  }

  /** @returns {{ name: string, version: string }}  The model, as answers name it. */
  model() {
    return { name: this.info.name, version: this.info.version };
  }

  /**
   * @param {number | null} [unclearAbove]  See `predict`.
   * @returns {number}  The probability of being no character above which ink is rejected; infinity to reject nothing.
   * @throws {InputError}
   */
  limit(unclearAbove = null) {
    const above = unclearAbove ?? this.info.rejection.unclear ?? 1;
    if (!(above >= 0 && above <= 1)) throw new InputError(`unclearAbove is ${above}; it is a probability, 0 to 1.`);
    return this.#givesKinds && above < 1 ? above : Infinity;
  }
}

/**
 * Lets events in, messages to a worker among them: the runtime's own promises never do.
 *
 * @returns {Promise<void>}
 */
export function nextTurn() {
  return new Promise((resolve) => setTimeout(resolve));
}

/**
 * Gives the likeliest characters of a row, best first.
 *
 * @param {Float64Array} logProbs
 * @param {readonly string[]} answers
 * @param {number} topK
 * @returns {Candidate[]}
 */
export function bestOf(logProbs, answers, topK) {
  return answers
    // Sums of many probabilities come out a rounding error above 1.
    .map((char, column) => ({ char, confidence: Math.min(Math.exp(logProbs[column]), 1) }))
    .sort((one, other) => other.confidence - one.confidence)
    .slice(0, topK);
}

/**
 * Puts an answer together.
 *
 * @param {Candidate[]} candidates  Best first.
 * @param {number} one  The probability that it is one character.
 * @param {Reason | null} doubt  Why it is rejected, if it is.
 * @returns {Verdict}
 */
export function toVerdict(candidates, one, doubt) {
  const [best] = candidates;
  if (doubt === null) return { ...best, candidates, rejected: null, reason: null };
  if (doubt === "empty") return { char: null, confidence: 0, candidates: [], rejected: "blank", reason: doubt };
  return { char: null, confidence: one * best.confidence, candidates, rejected: "unclear", reason: doubt };
}

/**
 * Tells why a glyph is not to be read as one character; null where it is.
 *
 * @param {Uint8Array} glyph
 * @param {ArrayLike<number>} kinds  The log-probabilities of its three kinds.
 * @param {number} limit  See `Recognizer.limit`.
 * @returns {Reason | null}
 */
export function findDoubt(glyph, kinds, limit) {
  let [left, top, right, bottom] = [GLYPH_PX, GLYPH_PX, -1, -1];
  for (let at = 0; at < glyph.length; at += 1) {
    if (glyph[at] < MIN_INK) continue;
    const [row, column] = [Math.floor(at / GLYPH_PX), at % GLYPH_PX];
    left = Math.min(left, column);
    right = Math.max(right, column);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
  }
  if (right < 0) return "empty";
  if (limit === Infinity) return null;
  if (Math.max(right - left, bottom - top) + 1 < SPECK_PX) return "speck";
  if (hasSquare(glyph, SOLID_PX)) return "solid";
  if (-Math.expm1(kinds[0]) > limit) return kinds[1] > kinds[2] ? "several" : "unknown";
  return null;
}

/**
 * Tells whether a square of so many pixels a side lies within the ink.
 *
 * @param {Uint8Array} glyph
 * @param {number} side
 * @returns {boolean}
 */
function hasSquare(glyph, side) {
  // The side of the largest square that ends at each pixel of the row.
  const largest = new Uint8Array(GLYPH_PX + 1);
  for (let row = 0; row < GLYPH_PX; row += 1) {
    let aboveLeft = 0;
    for (let column = 0; column < GLYPH_PX; column += 1) {
      const above = largest[column + 1];
      const isInked = glyph[row * GLYPH_PX + column] >= MIN_INK;
      largest[column + 1] = isInked ? 1 + Math.min(above, aboveLeft, largest[column]) : 0;
      if (largest[column + 1] >= side) return true;
      aboveLeft = above;
    }
  }
  return false;
}

/**
 * @param {any} modelJson
 * @returns {ModelInfo}
 */
function checkedInfo(modelJson) {
  const isSound =
    modelJson?.format === 1 &&
    [modelJson.name, modelJson.version, modelJson.chars, modelJson.sha256].every((text) => typeof text === "string") &&
    modelJson.temperature > 0 &&
    typeof modelJson.rejection === "object";
  if (!isSound) throw new BundleError("model.json is not one that this version can read.");
  return modelJson;
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<string>}  Hex digits.
 */
async function sha256(bytes) {
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
