// One character or several? A drawing is read as one character first; what is none may be a word.

import { charactersOf } from "./reading.js";

/**
 * @typedef {import("./reading.js").CharacterAnswer} CharacterAnswer
 * @typedef {import("./reading.js").TextAnswer} TextAnswer
 * @typedef {import("./strokes.js").Stroke} Stroke
 */

// A long word, squeezed into the square that one character has, looks like nothing the model knows. So what is nothing
// is read as text where it is wide, and shown as text where all of it is read well. Of words put together from drawn
// characters nearly all are shown then, a third more than by the model's own "several"; of scribbles only those that go
// up and down along a line, as writing does.
const WIDE = 1.6;
const CONVINCING = 0.6;

/**
 * Tells whether a drawing that was read as one character is to be read as text.
 *
 * @param {CharacterAnswer} alone  What it is as one character.
 * @param {readonly Stroke[]} strokes
 */
export function mayBeText({ reason }, strokes) {
  if (reason !== "unknown") return reason === "several";
  const points = strokes.flat();
  const [width, height] = [0, 1].map((axis) => {
    const along = points.map((point) => point[axis]);
    return along.reduce((a, b) => Math.max(a, b), -Infinity) - along.reduce((a, b) => Math.min(a, b), Infinity);
  });
  return width > WIDE * height;
}

/**
 * Tells whether what was read as text is the answer.
 *
 * @param {CharacterAnswer} alone
 * @param {TextAnswer} text
 */
export function isText({ reason }, text) {
  const characters = charactersOf(text);
  if (characters.length < 2) return false;
  if (reason === "several") return true;
  const logs = characters.map(({ char, confidence }) => (char === null ? -Infinity : Math.log(confidence)));
  return logs.reduce((sum, log) => sum + log, 0) / logs.length >= Math.log(CONVINCING);
}
