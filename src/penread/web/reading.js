// What is read, wherever it is read: the shapes of answers, what can go wrong, and the checks that
// an answer must pass before it is shown.

/**
 * @typedef {import("./strokes.js").Stroke} Stroke
 *
 * @typedef {object} Candidate
 * @property {string} char
 * @property {number} confidence  From 0 to 1.
 *
 * @typedef {"empty" | "speck" | "solid" | "several" | "unknown"} Reason
 *
 * @typedef {object} Prediction  One character, or why it is none.
 * @property {string | null} char  Null where it was rejected.
 * @property {number} confidence
 * @property {Candidate[]} candidates  Best first.
 * @property {null | "blank" | "unclear"} rejected
 * @property {Reason | null} reason  Why it was rejected, where the page has words for it.
 *
 * @typedef {{ left: number, top: number, right: number, bottom: number }} Box
 * @typedef {Prediction & { box: Box }} Character
 * @typedef {{ text: string, box: Box, characters: Character[] }} TextLine
 * @typedef {{ name: string, version: string }} Model
 * @typedef {Uint8Array | string} Glyph  28×28 grey levels row by row, or a PNG as data URL.
 *
 * @typedef {Prediction & { kind: "character", model: Model | null, glyph: Glyph | null }} CharacterAnswer
 * @typedef {object} TextAnswer
 * @property {"text"} kind
 * @property {string} text
 * @property {TextLine[]} lines
 * @property {number} width  Of the page, in the unit of the boxes.
 * @property {number} height
 * @property {Model | null} model
 * @typedef {CharacterAnswer | TextAnswer} Answer
 *
 * @typedef {object} Explanation  What each pixel's ink is worth to a character.
 * @property {string} char
 * @property {number[][]} importance  28 rows of 28, positive where the ink speaks for it.
 * @property {Glyph} glyph
 *
 * @typedef {{ charset: string | null, signal: AbortSignal }} HowToRead
 *
 * @typedef {object} Reader  Reads drawings and pictures, on the server or on the device.
 * @property {(strokes: Stroke[], how: HowToRead) => Promise<Answer>} recognize
 * @property {(picture: Blob, how: HowToRead) => Promise<Answer>} recognizePicture
 * @property {(source: Stroke[] | Blob, how: HowToRead & { char: string }) => Promise<Explanation>} explain
 *
 * @typedef {import("./camera.js").CameraFailure | import("./pictures.js").PictureFailure |
 *   "offline" | "timeout" | "overloaded" | "refused" | "failed" | "malformed" | "tooDetailed" |
 *   "charset" | "device" | "picture" | "key"} Failure
 */

/** How many candidates an answer shows. */
export const TOP_K = 5;

/** @type {readonly Reason[]} */
const REASONS = ["empty", "speck", "solid", "several", "unknown"];

/** Why there is no answer. */
export class PredictionError extends Error {
  /**
   * @param {Failure} failure
   * @param {number | null} [status]  The HTTP status, where a server answered with an error.
   */
  constructor(failure, status = null) {
    super(failure);
    this.failure = failure;
    this.status = status;
  }
}

/**
 * Checks that something is the answer to one character. The model's name and the picture only adorn
 * it, so an answer without them still counts.
 *
 * @param {any} answer
 * @returns {CharacterAnswer}
 * @throws {PredictionError}
 */
export function asCharacter(answer) {
  const { model, glyph } = answer ?? {};
  return { kind: "character", ...asPrediction(answer), model: asModel(model), glyph: asGlyph(glyph) };
}

/**
 * Checks that something is a text with its characters.
 *
 * @param {any} answer
 * @returns {TextAnswer}
 * @throws {PredictionError}
 */
export function asText(answer) {
  const isSound = isText(answer?.text) && Array.isArray(answer.lines) && answer.width >= 0 && answer.height >= 0;
  if (!isSound) throw new PredictionError("malformed");
  return {
    kind: "text",
    text: answer.text,
    lines: answer.lines.map((/** @type {any} */ line) => {
      if (!isText(line?.text) || !isBox(line.box) || !Array.isArray(line.characters)) {
        throw new PredictionError("malformed");
      }
      const characters = line.characters.map((/** @type {any} */ each) => {
        if (!isBox(each?.box)) throw new PredictionError("malformed");
        return { ...asPrediction(each), box: each.box };
      });
      return { text: line.text, box: line.box, characters };
    }),
    width: answer.width,
    height: answer.height,
    model: asModel(answer.model),
  };
}

/**
 * @param {any} answer
 * @returns {Explanation}
 * @throws {PredictionError}
 */
export function asExplanation(answer) {
  const { char, importance } = answer ?? {};
  const glyph = asGlyph(answer?.glyph);
  const isSound =
    isText(char) &&
    glyph !== null &&
    Array.isArray(importance) &&
    importance.length === 28 &&
    importance.every((row) => Array.isArray(row) && row.length === 28 && row.every(Number.isFinite));
  if (!isSound || glyph === null) throw new PredictionError("malformed");
  return { char, importance, glyph };
}

/**
 * The characters of a text, line after line.
 *
 * @param {TextAnswer} answer
 * @returns {Character[]}
 */
export function charactersOf(answer) {
  return answer.lines.flatMap((line) => line.characters);
}

/**
 * Finds the ink of one character of a text. Boxes overlap where letters lean or reach over each other: a stroke that
 * lies in several is of the smallest; of a stroke that lies whole in none, each box has what is inside of it.
 *
 * @param {readonly Stroke[]} strokes
 * @param {readonly Box[]} boxes  Of all characters.
 * @param {number} index  Of the character.
 * @returns {Stroke[]}
 */
export function strokesOf(strokes, boxes, index) {
  const isIn = boxes.map(({ left, top, right, bottom }) => {
    // Boxes are as exact as the numbers that they were sent in.
    const slack = 1e-3 * Math.max(right - left, bottom - top) + 1e-6;
    return (/** @type {import("./strokes.js").Point} */ [x, y]) =>
      x >= left - slack && x <= right + slack && y >= top - slack && y <= bottom + slack;
  });
  const area = boxes.map(({ left, top, right, bottom }) => (right - left) * (bottom - top));
  return strokes.flatMap((stroke) => {
    const whole = boxes.flatMap((_, place) => (stroke.every(isIn[place]) ? [place] : []));
    if (whole.length > 0) {
      const owner = whole.reduce((best, place) => (area[place] < area[best] ? place : best));
      return owner === index ? [stroke] : [];
    }
    /** @type {Stroke[]} */
    const runs = [];
    let isOn = false;
    for (const point of stroke) {
      if (!isIn[index](point)) {
        isOn = false;
        continue;
      }
      if (!isOn) runs.push([]);
      runs[runs.length - 1].push(point);
      isOn = true;
    }
    return runs;
  });
}

/**
 * @param {any} answer
 * @returns {Prediction}
 */
function asPrediction(answer) {
  const rejected = answer?.rejected ?? null;
  const isSound =
    Array.isArray(answer?.candidates) &&
    answer.candidates.every(isCandidate) &&
    (rejected === null ? isCandidate(answer) : rejected === "blank" || rejected === "unclear");
  if (!isSound) throw new PredictionError("malformed");
  return {
    char: rejected === null ? answer.char : null,
    confidence: rejected === null ? answer.confidence : 0,
    candidates: answer.candidates.slice(0, TOP_K),
    rejected,
    reason: rejected === "unclear" && REASONS.includes(answer.reason) ? answer.reason : null,
  };
}

/** @param {any} model */
function asModel(model) {
  return isText(model?.name) && isText(model?.version) ? { name: model.name, version: model.version } : null;
}

/** @param {any} glyph */
function asGlyph(glyph) {
  if (glyph instanceof Uint8Array && glyph.length === 28 * 28) return glyph;
  return isText(glyph) && glyph.startsWith("data:image/png;base64,") ? glyph : null;
}

/** @param {any} value */
function isCandidate(value) {
  return isText(value?.char) && value.confidence >= 0 && value.confidence <= 1;
}

/** @param {any} box */
function isBox(box) {
  return ["left", "top", "right", "bottom"].every((side) => Number.isFinite(box?.[side]));
}

/** @param {any} value */
function isText(value) {
  return typeof value === "string";
}
