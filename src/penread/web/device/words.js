// Reads what was drawn, or written on a page, as text: lines, words, characters, as penread.Recognizer.read does.

import { greatest, least } from "./arrays.js";
import { select } from "./charset.js";
import { decode, glyphsOf } from "./context.js";
import { fromInkMap, fromStrokes } from "./lines.js";
import { page } from "./paper.js";
import { findDoubt, KINDS, nextTurn, toVerdict } from "./recognizer.js";

/**
 * @typedef {import("../reading.js").Character} Character
 * @typedef {import("../reading.js").TextAnswer} TextAnswer
 * @typedef {import("../strokes.js").Stroke} Stroke
 * @typedef {import("./context.js").Read} Read
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./lines.js").Box} Box
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./picture.js").Decoded} Decoded
 * @typedef {import("./recognizer.js").Recognizer} Recognizer
 *
 * @typedef {object} HowToRead
 * @property {string | null} [charset]  The characters allowed, see charset.js; null for all.
 * @property {number} [topK]  The most candidates to give for each character.
 * @property {boolean} [context]  Whether words are read as a whole, which takes a language.
 * @property {number | null} [unclearAbove]  When to reject, see `Recognizer.predict`. Null takes the model's own
 *   threshold; in a line, where most ink is characters, only what is far less likely to be one is rejected.
 * @property {AbortSignal | null} [signal]  Gives up, with its reason.
 */

/** A page is looked at in no more pixels than this on its longer side. */
export const PAGE_PX = 2600;
/** Stands in a text for a character that was rejected. */
export const REJECTED_CHAR = "\u{FFFD}";

/**
 * Beside other characters the odds of ink being one are this much higher than by itself: the head's examples have two
 * characters to three other things, pages more than a hundred.
 */
const ODDS_IN_LINE = 200;

/**
 * Reads all that was drawn.
 *
 * @param {readonly Stroke[]} strokes
 * @param {Recognizer} recognizer
 * @param {Language | null} language  What is known of words; without, each character is read by itself.
 * @param {HowToRead} [how]
 * @returns {Promise<TextAnswer>}  With boxes in the unit of the strokes.
 * @throws {import("./ink.js").InputError | import("./charset.js").CharsetError}
 */
export async function readText(strokes, recognizer, language, how = {}) {
  select(recognizer.info.chars, how.charset); // Refuses a charset that the model can't read, before anything is read.
  return readLines(fromStrokes(strokes), sizeOf(strokes), [1, 1], recognizer, language, how);
}

/**
 * Reads all that is written on a page.
 *
 * @param {Decoded} picture  A photograph or scan of it, shrunk to `PAGE_PX`.
 * @param {Recognizer} recognizer
 * @param {Language | null} language  As `readText` takes it.
 * @param {HowToRead} [how]
 * @returns {Promise<TextAnswer>}  With boxes in pixels of the upright picture.
 * @throws {import("./ink.js").InputError | import("./charset.js").CharsetError}
 */
export async function readPage(picture, recognizer, language, how = {}) {
  select(recognizer.info.chars, how.charset);
  const { shown, width, height } = picture;
  const ink = page(shown);
  await nextTurn();
  how.signal?.throwIfAborted();
  const found = ink === null ? [] : fromInkMap(ink);
  // Pictures have whole pixels: the shorter side is shrunk by a little more or less than the longer one.
  const scale = /** @type {const} */ ([width / shown.width, height / shown.height]);
  return readLines(found, { width, height }, scale, recognizer, language, how);
}

/**
 * Reads lines that were found.
 *
 * @param {Line[]} found
 * @param {{ width: number, height: number }} size  Of all, in the unit of the answer.
 * @param {readonly [x: number, y: number]} scale  What brings boxes into that unit.
 * @param {Recognizer} recognizer
 * @param {Language | null} language
 * @param {HowToRead} how
 * @returns {Promise<TextAnswer>}
 */
async function readLines(
  found,
  size,
  scale,
  recognizer,
  language,
  { charset = null, topK = 5, context = true, unclearAbove = null, signal = null },
) {
  const limit = recognizer.limit(unclearAbove);
  const spans = found.flatMap(({ words }) => words.flatMap((word) => word.spans));
  const { logits, kinds } = await recognizer.score(glyphsOf(spans), spans.length, signal);
  const { chars } = recognizer.info;
  const read = decode(found, logits, kinds, chars, { charset, language: context ? language : null, topK });
  const lines = found.map(({ box }, at) => {
    const isAlone = unclearAbove !== null || read[at].flat().length < 2;
    const inLine = isAlone ? limit : amongCharacters(limit);
    const words = read[at].map((word) => word.map((each) => toCharacter(each, kinds, inLine, scale)));
    const text = words.map((word) => word.map(({ char }) => char ?? REJECTED_CHAR).join("")).join(" ");
    return { text, box: scaled(box, scale), characters: words.flat() };
  });
  const text = lines.map((line) => line.text).join("\n");
  return { kind: "text", text, lines, ...size, model: recognizer.model() };
}

/**
 * @param {Read} read
 * @param {Float64Array} kinds  Of all spans.
 * @param {number} limit
 * @param {readonly [x: number, y: number]} scale
 * @returns {Character}
 */
function toCharacter({ span, row, candidates }, kinds, limit, scale) {
  const own = kinds.subarray(row * KINDS, (row + 1) * KINDS);
  const verdict = toVerdict(candidates, Math.exp(own[0]), findDoubt(span.glyph, own, limit));
  return { ...verdict, box: scaled(span.box, scale) };
}

/**
 * @param {Box} box
 * @param {readonly [x: number, y: number]} scale
 * @returns {Box}
 */
function scaled({ left, top, right, bottom }, [x, y]) {
  return { left: left * x, top: top * y, right: right * x, bottom: bottom * y };
}

/**
 * Shifts a threshold to where characters are by so much likelier beforehand.
 *
 * @param {number} limit  Infinity to reject nothing.
 */
function amongCharacters(limit) {
  return limit === Infinity ? 1 : 1 - (1 - limit) / (1 - limit + limit * ODDS_IN_LINE);
}

/**
 * Gives how large a drawing is, from the corner of its canvas or its own, whichever is farther.
 *
 * @param {readonly Stroke[]} strokes
 * @returns {{ width: number, height: number }}
 */
function sizeOf(strokes) {
  const [width, height] = [0, 1].map((axis) => {
    const places = [0, ...strokes.flatMap((stroke) => stroke.map((point) => point[axis]))];
    return greatest(places) - least(places);
  });
  return { width, height };
}
