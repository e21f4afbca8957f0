// What is known of words: how likely a letter is after the three before it, and which words are common. A port of
// penread.language; static/model/english.npz is its file.

import { NpzError, readNpz } from "./npz.js";

/**
 * @typedef {object} Vocabulary  Words of one length.
 * @property {Uint8Array} letters  Their letters, a as 0, word by word.
 * @property {Float32Array} logProbs  Log-probability of each among words of all lengths, nats.
 *
 * @typedef {object} Language
 * @property {Float32Array} letters  Log-probabilities in nats, SYMBOLS⁴ of them: of the last symbol after the first
 *   three. Symbol 0 is the edge of a word, 1 to 26 are a to z; before a word there are edges, and an edge ends it.
 * @property {Map<number, Vocabulary>} words  Common words, by length.
 */

/** Letters a model looks at: the letter and those before it. */
export const ORDER = 4;
/** Number of symbols. */
export const SYMBOLS = 27;
/** A file has `round(-log p / STEP)`, at most 255, p in nats. */
export const STEP = 0.05;

const A = "a".charCodeAt(0);

/**
 * Loads a file that `penread.training.language` made.
 *
 * @param {ArrayBuffer} buffer  Its content.
 * @returns {Promise<Language>}
 * @throws {NpzError}
 */
export async function readLanguage(buffer) {
  const { model, words, word_costs: costs } = await readNpz(buffer);
  if (model?.values.length !== SYMBOLS ** ORDER || words === undefined || costs === undefined) {
    throw new NpzError("no model of a language");
  }
  const spelled = new TextDecoder("latin1").decode(/** @type {Uint8Array} */ (words.values)).split("\n");
  if (spelled.length !== costs.values.length) throw new NpzError("no model of a language");
  /** @type {Map<number, number[]>} */
  const byLength = new Map();
  spelled.forEach((word, at) => {
    const same = byLength.get(word.length);
    if (same) same.push(at);
    else byLength.set(word.length, [at]);
  });
  return {
    letters: logs(/** @type {Uint8Array} */ (model.values)),
    words: new Map(
      [...byLength].map(([length, picked]) => [
        length,
        {
          letters: new TextEncoder().encode(picked.map((at) => spelled[at]).join("")).map((code) => code - A),
          logProbs: logs(Uint8Array.from(picked, (at) => costs.values[at])),
        },
      ]),
    ),
  };
}

/**
 * @param {Uint8Array} costs  In steps.
 * @returns {Float32Array}  Log-probabilities.
 */
function logs(costs) {
  const step = Math.fround(-STEP);
  const found = new Float32Array(costs.length);
  for (let at = 0; at < costs.length; at += 1) found[at] = costs[at] * step;
  return found;
}
