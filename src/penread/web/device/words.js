// Reads what was drawn as text: lines, words, characters, as penread.Recognizer.read does with ink.

import { greatest, least } from "./arrays.js";
import { select } from "./charset.js";
import { decode, glyphsOf } from "./context.js";
import { fromStrokes } from "./lines.js";
import { findDoubt, KINDS, toVerdict } from "./recognizer.js";

/**
 * @typedef {import("../reading.js").Character} Character
 * @typedef {import("../reading.js").TextAnswer} TextAnswer
 * @typedef {import("../strokes.js").Stroke} Stroke
 * @typedef {import("./context.js").Read} Read
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./recognizer.js").Recognizer} Recognizer
 */

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
 * @param {object} [options]
 * @param {string | null} [options.charset]  The characters allowed, see charset.js; null for all.
 * @param {number} [options.topK]  The most candidates to give for each character.
 * @param {boolean} [options.context]  Whether words are read as a whole, which takes a language.
 * @param {number | null} [options.unclearAbove]  When to reject, see `Recognizer.predict`. Null takes the model's own
 *   threshold; in a line, where most ink is characters, only what is far less likely to be one is rejected.
 * @returns {Promise<TextAnswer>}  With boxes in the unit of the strokes.
 * @throws {import("./ink.js").InputError | import("./charset.js").CharsetError}
 */
export async function readText(
  strokes,
  recognizer,
  language,
  { charset = null, topK = 5, context = true, unclearAbove = null } = {},
) {
  const { chars } = recognizer.info;
  select(chars, charset); // Refuses a charset that the model can't read, before anything is read.
  const limit = recognizer.limit(unclearAbove);
  const found = fromStrokes(strokes);
  const spans = found.flatMap(({ words }) => words.flatMap((word) => word.spans));
  const { logits, kinds } = await recognizer.score(glyphsOf(spans), spans.length);
  const read = decode(found, logits, kinds, chars, { charset, language: context ? language : null, topK });
  const lines = found.map(({ box }, at) => {
    const isAlone = unclearAbove !== null || read[at].flat().length < 2;
    const inLine = isAlone ? limit : amongCharacters(limit);
    const words = read[at].map((word) => word.map((each) => toCharacter(each, kinds, inLine)));
    const text = words.map((word) => word.map(({ char }) => char ?? REJECTED_CHAR).join("")).join(" ");
    return { text, box, characters: words.flat() };
  });
  const text = lines.map((line) => line.text).join("\n");
  return { kind: "text", text, lines, ...sizeOf(strokes), model: recognizer.model() };
}

/**
 * @param {Read} read
 * @param {Float64Array} kinds  Of all spans.
 * @param {number} limit
 * @returns {Character}
 */
function toCharacter({ span, row, candidates }, kinds, limit) {
  const own = kinds.subarray(row * KINDS, (row + 1) * KINDS);
  return { ...toVerdict(candidates, Math.exp(own[0]), findDoubt(span.glyph, own, limit)), box: span.box };
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
