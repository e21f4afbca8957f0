// What a character is beside its neighbours: cuts words into characters and reads them together. A port of
// penread.context, function by function, which says more of why; docs/models.md says where the numbers come from.
// Arrays of several dimensions are flat, the last dimension beside itself; "[a, b]" tells the dimensions.

import { alone, logSoftmax } from "./alone.js";
import {
  argmax,
  argsort,
  clip,
  greatest,
  linspace,
  logSumExp,
  median,
  quantiles,
  searchLeft,
  sum,
  unique,
} from "./arrays.js";
import { allowedChars, select, standsFor } from "./charset.js";
import { logCaseOfL } from "./glyph.js";
import { SYMBOLS } from "./language.js";
import { bestOf, KINDS } from "./recognizer.js";

/**
 * @typedef {import("../reading.js").Candidate} Candidate
 * @typedef {import("./arrays.js").Numbers} Numbers
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./lines.js").Span} Span
 * @typedef {import("./lines.js").Word} Word
 *
 * @typedef {object} Read  A character of a word as it was read.
 * @property {Span} span
 * @property {number} row  The span's row in what `decode` was given.
 * @property {Candidate[]} candidates  What it may be, likeliest first, one at least.
 *
 * @typedef {object} Path  A cut of a word into characters.
 * @property {number[]} rows  The row of each character's span.
 * @property {number} score  What the shape of the spans says to it, nats.
 *
 * @typedef {object} CutWord
 * @property {number} line
 * @property {Path[]} paths  Its likely cuts, best first by their scores.
 *
 * @typedef {object} Boxes  Of all spans.
 * @property {Float64Array} height
 * @property {Float64Array} bottom  Lower edges, y downwards, the line's slope taken away.
 *
 * @typedef {object} Place  A character of a path.
 * @property {number} row  Its span's.
 * @property {number} logHeight
 * @property {Float64Array} weights  Its likelihood for each group and type of characters, [groups, types].
 * @property {Float64Array} size  The likelihood of its height for each scale and group, [grid, groups].
 *
 * @typedef {object} Scales  What sizes and places say to one path, were it of each kind.
 * @property {Float64Array} correction  Log-evidence of the sizes, less what `evidence` says to the likeliest scale, by
 *   kind.
 * @property {Float64Array} evidence  Log-likelihoods of the boxes, [kinds, places, groups].
 *
 * @typedef {object} Kinds  What a path is as each kind.
 * @property {Float64Array} evidence  Log-evidence, by kind.
 * @property {Float64Array} posterior  What each place is under each kind, [kinds, places, characters].
 */

const ALPHABET = [..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"];
const [DIGITS, UPPER, LOWER] = [0, 1, 2];
const TYPES = [DIGITS, UPPER, LOWER];
/** Where the characters of each type begin in the alphabet, and how many they are. */
const TYPE_START = [0, 10, 36];
const TYPE_SIZE = [10, 26, 26];
const TYPE_OF = TYPES.flatMap((type) => new Array(TYPE_SIZE[type]).fill(type));

// --- What the network says ---

// Its confidence is calibrated on EMNIST's writers; others are less like them. So likelihoods are flattened, and one
// glyph in so many is anything.
const FLATTEN = 1.15;
const ANYTHING = 0.005;

// --- Cutting ---

// The cuts of a word that are read in full: at most so many, none worse than the best by more nats.
const MAX_CUTS = 5;
const CUT_MARGIN = 6.0;
/** A span that is no character is not worse than this, in nats: the head that says so may be wrong. */
const MIN_LOG_KIND = -6.0;

// --- Kinds of words ---

/**
 * Words that follow the character model: how many are of the kind, the type of the first letter and of the others.
 *
 * @type {readonly { prior: number, first: number, rest: number }[]}
 */
export const SPELLED = [
  { prior: 0.24, first: LOWER, rest: LOWER },
  { prior: 0.13, first: UPPER, rest: UPPER },
  { prior: 0.12, first: UPPER, rest: LOWER },
];
/**
 * Kinds of characters that know nothing of each other but their types: how many words are of the kind, how often a run
 * has each type, and how often the next character goes on with the run.
 *
 * @type {readonly { prior: number, types: readonly number[], same: number }[]}
 */
export const CODES = [
  { prior: 0.17, types: [1, 0, 0], same: 1 }, // a number
  { prior: 0.13, types: [0.5, 0.5, 0], same: 0.8 }, // B200198346
  { prior: 0.08, types: [0.5, 0.5, 0], same: 0.15 }, // A7K2
  { prior: 0.09, types: [10 / 36, 26 / 36, 0], same: 0 }, // any digits and capitals
  { prior: 0.02, types: [0.5, 0, 0.5], same: 0.8 }, // 10kg
  { prior: 0.02, types: [1 / 3, 1 / 3, 1 / 3], same: 0.5 }, // anything
];
const KIND_PRIOR = [...SPELLED, ...CODES].map(({ prior }) => prior);
const KIND_COUNT = KIND_PRIOR.length;
// What a character costs on average, nats: a cut into more characters than the best gets that much back for each, so
// that cuts of few and of many compare.
const SPELLED_COST = 2.2;
export const COST = [
  ...SPELLED.map(() => SPELLED_COST),
  ...CODES.map(({ types }) =>
    sum(types.map((share, type) => (share > 0 ? share * Math.log(TYPE_SIZE[type] / share) : 0))),
  ),
];
// Words of a line are often of one kind: the prior weighs as much as so many words of the line.
const PRIOR_WORDS = 5.0;
const PRIOR_STEPS = 2;
/** A number or code ends after a character with this probability; the character model knows where words end. */
const END = 0.15;
/** Letters a word considers at each place; the rest is out of the question. */
const LETTERS = 6;
/** One letter in so many follows no model: names, other languages. */
const FOREIGN = 0.1;
/** One word in so many is taken from the vocabulary, the others are spelled by the character model. */
const COMMON = 0.1;
/** Words of the vocabulary that are weighed for each word read. */
const MAX_WORDS = 16;

// --- Sizes ---

/**
 * Extents of groups of characters on the line, the height of a capital 1: top (null for the height of small letters),
 * bottom, and the standard deviation of the log of the height.
 *
 * @type {readonly { chars: string, top: number | null, bottom: number, spread: number }[]}
 */
export const GROUPS = [
  { chars: "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZbdhkl", top: 1.0, bottom: 0.0, spread: 0.18 },
  { chars: "acemnorsuvwxz", top: null, bottom: 0.0, spread: 0.2 },
  { chars: "gpqy", top: null, bottom: -0.38, spread: 0.2 },
  { chars: "it", top: 0.85, bottom: 0.0, spread: 0.2 },
  { chars: "j", top: 0.85, bottom: -0.38, spread: 0.22 },
  { chars: "f", top: 1.0, bottom: -0.1, spread: 0.2 },
];
const GROUP_OF = ALPHABET.map((char) => GROUPS.findIndex(({ chars }) => chars.includes(char)));
/** The height of small letters, and how many write so: some hardly tell them from capitals. */
const X_HEIGHTS = [
  [0.5, 0.35],
  [0.65, 0.45],
  [0.85, 0.2],
];
const LOG_HEIGHTS = X_HEIGHTS.map(([xHeight]) => GROUPS.map(({ top, bottom }) => Math.log((top ?? xHeight) - bottom)));
// One character in so many has any height.
const ODD_SIZE = 0.05;
const ODD_RANGE = 3.0;
// Grid of the log of the scale, the height of a capital.
const SCALE_STEP = 0.1;
const SCALE_MARGINS = [-0.2, 0.8];
// Lines of a page have like scales: the standard deviation of the log, and how many lines have a scale of their own.
const PAGE_SPREAD = 0.2;
const ODD_LINE = 0.2;
// Place: spread of the bottoms of written characters around the place they should have, and of boxes that were set on
// a line (or hung from it, or centred on it), both in heights of a capital.
const PLACE_SPREAD = 0.1;
const SET_SPREAD = 0.02;
const LOOSE_SPREAD = 0.3;
// Written lines by the spread of their baseline, and their share. An exact one is a composed line's: that its
// descenders are below it must show.
const WRITTEN = [
  [PLACE_SPREAD, 0.99],
  [SET_SPREAD, 0.01],
];
/** Baselines that are tried, at most. */
const BASELINES = 12;

/**
 * Cuts the words of a drawing into characters and reads them.
 *
 * @param {readonly Line[]} lines  The lines with their lattices.
 * @param {Float64Array} logits  What the network says to each span's glyph, divided by its temperature, [spans,
 *   classes]: all spans of the first word of the first line, in their order, then those of the next.
 * @param {Float64Array} logKinds  Log-probabilities that a span's ink is one character, several, or something else,
 *   [spans, 3].
 * @param {string} chars  The class table of the model.
 * @param {object} [options]
 * @param {string | null} [options.charset]  The characters allowed, see charset.js.
 * @param {Language | null} [options.language]  What is known of words. Without, neighbours tell nothing: only the cut
 *   of a word is decided by all of its ink, and each character is what its glyph alone says.
 * @param {number} [options.topK]  The most candidates to give for each character.
 * @returns {Read[][][]}  For each line, for each word, its characters in reading order.
 * @throws {import("./charset.js").CharsetError}
 */
export function decode(lines, logits, logKinds, chars, { charset = null, language = null, topK = 5 } = {}) {
  const spans = lines.flatMap(({ words }) => words.flatMap((word) => word.spans));
  if (spans.length === 0) return lines.map(() => []);
  return language === null
    ? withoutContext(lines, spans, logits, logKinds, chars, charset, topK)
    : withContext(lines, spans, logits, logKinds, chars, charset, topK, language);
}

/**
 * @param {readonly Line[]} lines
 * @param {readonly Span[]} spans
 * @param {Float64Array} logits
 * @param {Float64Array} logKinds
 * @param {string} chars
 * @param {string | null} charset
 * @param {number} topK
 * @param {Language} language
 * @returns {Read[][][]}
 */
function withContext(lines, spans, logits, logKinds, chars, charset, topK, language) {
  const ink = likelihoods(logits, chars);
  const allowed = allowedChars(chars, charset);
  const forbidden = ALPHABET.flatMap((char, column) => (allowed.has(char) ? [] : [column]));
  const best = new Float64Array(spans.length);
  spans.forEach(({ glyph }, at) => {
    const row = ink.subarray(at * ALPHABET.length, (at + 1) * ALPHABET.length);
    if (chars.includes("L") && !chars.includes("l")) {
      logCaseOfL(glyph).forEach((log, which) => (row[ALPHABET.indexOf("Ll"[which])] += log));
    }
    for (const column of forbidden) row[column] = -Infinity;
    best[at] = greatest(row);
  });
  const words = cutWords(lines, best, logKinds);
  const scales = findScales(words, boxesOf(lines), ink, lines.length);
  const model = letterModel(language);
  const kinds = words.map(({ paths }, word) =>
    paths.map(({ rows }, path) => {
      const { evidence, correction } = scales[word][path];
      const read = readKinds(sized(rows, ink, evidence), rows.length, model, language);
      return { ...read, evidence: read.evidence.map((log, kind) => log + correction[kind]) };
    }),
  );
  return answers(lines.length, spans, words, kinds, topK);
}

/**
 * Reads each character by itself, on the best cut.
 *
 * @param {readonly Line[]} lines
 * @param {readonly Span[]} spans
 * @param {Float64Array} logits
 * @param {Float64Array} logKinds
 * @param {string} chars
 * @param {string | null} charset
 * @param {number} topK
 * @returns {Read[][][]}
 */
function withoutContext(lines, spans, logits, logKinds, chars, charset, topK) {
  const { logProbs, answers: allowed } = alone(logits, glyphsOf(spans), chars, charset);
  // For the cut all classes compete: what is no digit is no good span of digits.
  const ofAll = logSoftmax(logits, chars.length);
  const { classes } = select(chars, charset);
  const best = spans.map((_, row) => greatest(classes.map((label) => ofAll[row * chars.length + label])));
  /** @type {Read[][][]} */
  const read = lines.map(() => []);
  for (const { line, paths } of cutWords(lines, best, logKinds)) {
    read[line].push(
      paths[0].rows.map((row) => {
        const ofRow = logProbs.subarray(row * allowed.length, (row + 1) * allowed.length);
        return { span: spans[row], row, candidates: bestOf(ofRow, allowed, topK).filter(isPossible) };
      }),
    );
  }
  return read;
}

/**
 * Gives the glyphs of spans, one after the other.
 *
 * @param {readonly Span[]} spans
 * @returns {Uint8Array}
 */
export function glyphsOf(spans) {
  const glyphs = new Uint8Array(spans.length * (spans[0]?.glyph.length ?? 0));
  spans.forEach(({ glyph }, at) => glyphs.set(glyph, at * glyph.length));
  return glyphs;
}

/**
 * @param {Candidate} candidate
 * @param {number} place
 */
function isPossible({ confidence }, place) {
  return confidence > 0 || place === 0;
}

// --- What the network says ---

/**
 * Gives log p(glyph | character) up to a constant a glyph, [spans, characters]; minus infinity for what has no class.
 *
 * The network learnt from as many glyphs of each class, so its posterior is the likelihood; a class that stands for two
 * characters says the same of both.
 *
 * @param {Float64Array} logits
 * @param {string} chars
 * @returns {Float64Array}
 */
function likelihoods(logits, chars) {
  const logProbs = logSoftmax(
    logits.map((logit) => logit / FLATTEN),
    chars.length,
  );
  const count = logits.length / chars.length;
  const ink = new Float64Array(count * ALPHABET.length).fill(-Infinity);
  standsFor(chars).forEach((both, label) => {
    for (const char of both) {
      const column = ALPHABET.indexOf(char);
      if (column < 0) continue;
      for (let row = 0; row < count; row += 1) {
        const prob = (1 - ANYTHING) * Math.exp(logProbs[row * chars.length + label]) + ANYTHING / chars.length;
        ink[row * ALPHABET.length + column] = Math.log(prob);
      }
    }
  });
  return ink;
}

// --- Cutting ---

/**
 * Finds the likely cuts of all words.
 *
 * @param {readonly Line[]} lines
 * @param {Numbers} logConfidence  Of each span.
 * @param {Float64Array} logKinds
 * @returns {CutWord[]}
 */
function cutWords(lines, logConfidence, logKinds) {
  let row = 0;
  return lines.flatMap(({ words }, line) =>
    words.map((word) => {
      const first = row;
      row += word.spans.length;
      const scores = word.spans.map(
        (_, at) => Math.max(logKinds[(first + at) * KINDS], MIN_LOG_KIND) + logConfidence[first + at],
      );
      const paths = bestCuts(word, scores).map(({ rows, score }) => ({ rows: rows.map((at) => first + at), score }));
      return { line, paths };
    }),
  );
}

/**
 * Finds the best paths through a word, best first.
 *
 * Each span's score counts as often as it has pieces. Every path has all pieces, so paths of few spans and of many have
 * as many factors, and none wins for having fewer.
 *
 * @param {Word} word
 * @param {number[]} scores
 * @returns {Path[]}
 */
function bestCuts({ pieces, spans }, scores) {
  /** @type {Path[][]} */
  const best = [[{ rows: [], score: 0 }]];
  for (let end = 1; end <= pieces; end += 1) {
    const extended = spans.flatMap(({ first, last, logPrior }, at) => {
      if (last !== end) return [];
      const gain = scores[at] * (last - first) + logPrior;
      return best[first].map(({ rows, score }) => ({ rows: [...rows, at], score: score + gain }));
    });
    best.push(extended.sort((one, other) => other.score - one.score).slice(0, MAX_CUTS));
  }
  const whole = best[pieces];
  return whole.filter(({ score }) => score >= whole[0].score - CUT_MARGIN);
}

// --- Sizes ---

/**
 * @param {readonly Line[]} lines
 * @returns {Boxes}
 */
function boxesOf(lines) {
  const edges = lines.flatMap(({ words, slope }) =>
    words.flatMap(({ spans }) =>
      spans.map(({ box }) => [box.bottom - box.top, box.bottom - (slope * (box.left + box.right)) / 2]),
    ),
  );
  return {
    height: Float64Array.from(edges, ([height]) => height),
    bottom: Float64Array.from(edges, ([, bottom]) => bottom),
  };
}

/**
 * Adds what the sizes and places say to what the network says: log-likelihoods, [kinds, places, characters].
 *
 * @param {readonly number[]} rows  Of a path.
 * @param {Float64Array} ink
 * @param {Float64Array} evidence  [kinds, places, groups].
 * @returns {Float64Array}
 */
function sized(rows, ink, evidence) {
  const both = new Float64Array(KIND_COUNT * rows.length * ALPHABET.length);
  let at = 0;
  for (let kind = 0; kind < KIND_COUNT; kind += 1) {
    rows.forEach((row, place) => {
      const ofGroup = (kind * rows.length + place) * GROUPS.length;
      for (let char = 0; char < ALPHABET.length; char += 1) {
        both[at++] = ink[row * ALPHABET.length + char] + evidence[ofGroup + GROUP_OF[char]];
      }
    });
  }
  return both;
}

/**
 * The likelihood of a height.
 *
 * @param {number} logHeight
 * @param {number} logExpected  Of the group.
 * @param {number} group
 */
function likelihoodOfSize(logHeight, logExpected, group) {
  const { spread } = GROUPS[group];
  const off = (logHeight - logExpected) / spread;
  return ((1 - ODD_SIZE) * Math.exp(-0.5 * off * off)) / (spread * Math.sqrt(2 * Math.PI)) + ODD_SIZE / ODD_RANGE;
}

/**
 * Density of a place that is off by so many heights of a capital; a few are anywhere.
 *
 * @param {number} off
 * @param {number} spread
 */
function near(off, spread) {
  const normal = Math.exp(-0.5 * (off / spread) ** 2) / (spread * Math.sqrt(2 * Math.PI));
  return (1 - ODD_SIZE) * normal + ODD_SIZE;
}

/**
 * Estimates the scale of each path, under each kind, from its own characters and the rest of the page.
 *
 * @param {readonly CutWord[]} words
 * @param {Boxes} boxes
 * @param {Float64Array} ink
 * @param {number} lineCount
 * @returns {Scales[][]}  For each word, for each path.
 */
function findScales(words, boxes, ink, lineCount) {
  const rows = words.flatMap(({ paths }) => paths.flatMap((path) => path.rows));
  const logHeights = rows.map((row) => Math.log(Math.max(boxes.height[row], 1e-9)));
  const lowest = median(logHeights) - 2.5;
  const floored = logHeights.map((log) => Math.max(log, lowest));
  const [low, high] = quantiles(floored, [0.02, 0.98]).map((log, at) => log + SCALE_MARGINS[at]);
  const scaleCount = Math.ceil((high + SCALE_STEP - low) / SCALE_STEP);
  // For each scale, each height of small letters.
  const grid = Float64Array.from(
    { length: scaleCount * X_HEIGHTS.length },
    (_, at) => low + Math.floor(at / X_HEIGHTS.length) * SCALE_STEP,
  );
  const logExpected = new Float64Array(grid.length * GROUPS.length).map(
    (_, at) =>
      grid[Math.floor(at / GROUPS.length)] +
      LOG_HEIGHTS[Math.floor(at / GROUPS.length) % X_HEIGHTS.length][at % GROUPS.length],
  );
  // A span is in many paths, and says the same in all.
  /** @type {Map<number, Place>} */
  const placeOf = new Map();
  rows.forEach((row, at) => {
    if (placeOf.has(row)) return;
    const logHeight = floored[at];
    const size = logExpected.map((expected, of) => likelihoodOfSize(logHeight, expected, of % GROUPS.length));
    placeOf.set(row, { row, logHeight, weights: groupWeights(ink, row), size });
  });
  const placesOf = words.map(({ paths }) =>
    paths.map((path) => path.rows.map((row) => /** @type {Place} */ (placeOf.get(row)))),
  );
  const byType = new Map(Array.from(placeOf, ([row, place]) => [row, likelihoodsOfTypes(place, grid.length)]));
  const byKind = words.map(({ paths }) => paths.map((path) => aloneByKind(path.rows, byType, grid.length)));

  const byWord = byKind.map(([best]) =>
    grid.map((_, at) => {
      const ofKinds = best.subarray(at * KIND_COUNT, (at + 1) * KIND_COUNT);
      return logSumExp(ofKinds.map((log, kind) => log + Math.log(KIND_PRIOR[kind])));
    }),
  );
  const byLine = Array.from({ length: lineCount }, () => new Float64Array(grid.length));
  words.forEach(({ line }, word) => byWord[word].forEach((log, scale) => (byLine[line][scale] += log)));
  const prior = pagePrior(byLine, grid);
  const posterior = byLine.map((ofLine, line) => ofLine.map((log, scale) => log + prior[line][scale]));
  const baselines = findBaselines(words, placesOf, boxes, posterior, grid);
  return words.map(({ line, paths }, word) => {
    const others = posterior[line].map((log, scale) => log - byWord[word][scale]);
    const total = logSumExp(others);
    return paths.map((_, path) => {
      const correction = new Float64Array(KIND_COUNT);
      const places = placesOf[word][path];
      const evidence = new Float64Array(KIND_COUNT * places.length * GROUPS.length);
      for (let kind = 0; kind < KIND_COUNT; kind += 1) {
        const own = grid.map((_scale, at) => byKind[word][path][at * KIND_COUNT + kind]);
        const joint = own.map((log, at) => others[at] - total + log);
        // The likeliest hand is put in; what is lost by that is given back.
        const at = argmax(joint);
        correction[kind] = logSumExp(joint) - own[at];
        const { baseline, sure } = baselines[line];
        places.forEach(({ row, logHeight }, place) => {
          const above = (baseline - boxes.bottom[row]) / Math.exp(grid[at]);
          GROUPS.forEach(({ bottom }, group) => {
            const ofSize = likelihoodOfSize(logHeight, logExpected[at * GROUPS.length + group], group);
            evidence[(kind * places.length + place) * GROUPS.length + group] =
              Math.log(ofSize) + sure * Math.log(near(above - bottom, PLACE_SPREAD));
          });
        });
      }
      return { correction, evidence };
    });
  });
}

/**
 * Gives how likely a span is for each group and type of characters, [groups, types].
 *
 * @param {Float64Array} ink
 * @param {number} row
 * @returns {Float64Array}
 */
function groupWeights(ink, row) {
  const weights = new Float64Array(GROUPS.length * TYPES.length);
  ALPHABET.forEach((_, char) => {
    const type = TYPE_OF[char];
    weights[GROUP_OF[char] * TYPES.length + type] += Math.exp(ink[row * ALPHABET.length + char]) / TYPE_SIZE[type];
  });
  return weights;
}

/**
 * Gives the likelihood of a place for each scale and type of characters, [grid, types].
 *
 * @param {Place} place
 * @param {number} gridLength
 * @returns {Float64Array}
 */
function likelihoodsOfTypes({ weights, size }, gridLength) {
  const byType = new Float64Array(gridLength * TYPES.length);
  for (let scale = 0; scale < gridLength; scale += 1) {
    for (let group = 0; group < GROUPS.length; group += 1) {
      for (const type of TYPES) {
        byType[scale * TYPES.length + type] +=
          size[scale * GROUPS.length + group] * weights[group * TYPES.length + type];
      }
    }
  }
  return byType;
}

/**
 * Multiplies the places of a path, for each kind, as if its characters knew nothing of each other.
 *
 * @param {readonly number[]} rows
 * @param {Map<number, Float64Array>} byType  Likelihood of each row for each scale and type, [grid, types].
 * @param {number} gridLength
 * @returns {Float64Array}  Log-likelihoods, [grid, kinds].
 */
function aloneByKind(rows, byType, gridLength) {
  const byKind = new Float64Array(gridLength * KIND_COUNT);
  rows.forEach((row, place) => {
    const ofRow = /** @type {Float64Array} */ (byType.get(row));
    for (let scale = 0; scale < gridLength; scale += 1) {
      const ofTypes = scale * TYPES.length;
      SPELLED.forEach(({ first, rest }, kind) => {
        byKind[scale * KIND_COUNT + kind] += Math.log(ofRow[ofTypes + (place === 0 ? first : rest)] + 1e-30);
      });
      CODES.forEach(({ types }, code) => {
        const mixed = TYPES.reduce((total, type) => total + ofRow[ofTypes + type] * types[type], 0);
        byKind[scale * KIND_COUNT + SPELLED.length + code] += Math.log(mixed + 1e-30);
      });
    }
  });
  return byKind;
}

/**
 * Gives each line's prior of the scale from the other lines, log.
 *
 * @param {readonly Float64Array[]} byLine  Log-likelihood of each scale, for each line.
 * @param {Float64Array} grid
 * @returns {Float64Array[]}
 */
function pagePrior(byLine, grid) {
  const total = sum(grid.map((_, at) => X_HEIGHTS[at % X_HEIGHTS.length][1]));
  const share = grid.map((_, at) => X_HEIGHTS[at % X_HEIGHTS.length][1] / total);
  /** How like a line's scale is to the page's: for each of the page, each of the line. */
  const like = Array.from(grid, (page, at) => {
    const ofPage = grid.map((scale, other) => {
      const isSame = at % X_HEIGHTS.length === other % X_HEIGHTS.length;
      return Math.exp(-0.5 * ((page - scale) / PAGE_SPREAD) ** 2) * ((isSame ? 1 : 0) + 0.3);
    });
    const whole = sum(ofPage);
    return ofPage.map((weight, other) => ((1 - ODD_LINE) * weight) / whole + ODD_LINE * share[other]);
  });
  // Each line's evidence for the page's scale.
  const ofPage = byLine.map((logs) => {
    const top = greatest(logs);
    const normal = logs.map((log) => Math.exp(log - top));
    return Float64Array.from(like, (row) => Math.log(sum(row.map((weight, at) => weight * normal[at]))));
  });
  const all = grid.map((_, at) => sum(ofPage.map((logs) => logs[at])));
  return ofPage.map((own) => {
    const others = all.map((log, at) => log - own[at] + Math.log(share[at]));
    const whole = logSumExp(others);
    const page = others.map((log) => Math.exp(log - whole));
    return grid.map((_, at) => Math.log(sum(page.map((weight, other) => weight * like[other][at]))));
  });
}

/**
 * Finds the baseline of each line, and how sure it is that being above it means something. By the best cut; what is
 * found goes for all.
 *
 * @param {readonly CutWord[]} words
 * @param {readonly Place[][][]} placesOf  For each word, for each path.
 * @param {Boxes} boxes
 * @param {readonly Float64Array[]} byLine  Log-probability of each scale, for each line.
 * @param {Float64Array} grid
 * @returns {{ baseline: number, sure: number }[]}
 */
function findBaselines(words, placesOf, boxes, byLine, grid) {
  return byLine.map((ofLine, line) => {
    const best = words.flatMap((word, at) => (word.line === line ? placesOf[at][0] : []));
    const at = argmax(ofLine);
    const groups = best.map(({ weights, size }) => {
      const likely = GROUPS.map(
        (_, group) =>
          size[at * GROUPS.length + group] *
          sum(weights.subarray(group * TYPES.length, (group + 1) * TYPES.length)),
      );
      const total = sum(likely);
      return likely.map((weight) => weight / total);
    });
    const [bottom, height] = [best.map(({ row }) => boxes.bottom[row]), best.map(({ row }) => boxes.height[row])];
    return findBaseline(bottom, height, groups, Math.exp(grid[at]));
  });
}

/**
 * Finds the baseline of a line, and how sure it is that characters were written on it.
 *
 * Written lines have descenders below the baseline. Boxes that were set on a line, hung from it or centred on it have
 * their edges or middles at one height exactly; then place says nothing.
 *
 * @param {number[]} bottom  Bottom edge of each character, y downwards.
 * @param {number[]} height  Height of each.
 * @param {number[][]} groups  How likely each is of each group.
 * @param {number} scale  Height of a capital.
 * @returns {{ baseline: number, sure: number }}
 */
function findBaseline(bottom, height, groups, scale) {
  const guesses =
    bottom.length <= BASELINES ? unique(bottom) : quantiles(bottom, Array.from(linspace(0.05, 0.95, BASELINES)));
  const written = Array.from(guesses, (guess) =>
    logSumExp(
      WRITTEN.map(([spread, share]) => {
        const logs = bottom.map((edge, char) => {
          const likely = GROUPS.map((group, at) => {
            const off = (guess - edge) / scale - group.bottom;
            return near(off, group.bottom < 0 ? PLACE_SPREAD : spread) * groups[char][at];
          });
          return Math.log(sum(likely));
        });
        return sum(logs) + Math.log(share);
      }),
    ),
  );
  const edges = [0, 1, 0.5].map((part) => bottom.map((edge, char) => edge - part * height[char]));
  const laid = edges.flatMap((ofChars) => {
    const middle = median(ofChars);
    return [SET_SPREAD, LOOSE_SPREAD].map((spread) =>
      sum(ofChars.map((edge) => Math.log(near((edge - middle) / scale, spread)))),
    );
  });
  const odds = greatest(written) - (logSumExp(laid) - Math.log(laid.length));
  return { baseline: guesses[argmax(written)], sure: 1 / (1 + Math.exp(-clip(odds, -50, 50))) };
}

// --- Kinds of words ---

/**
 * Reads a path as each kind.
 *
 * @param {Float64Array} likely  Log-likelihoods, [kinds, places, characters].
 * @param {number} length
 * @param {Float32Array} model  See `letterModel`.
 * @param {Language} language
 * @returns {Kinds}
 */
function readKinds(likely, length, model, language) {
  const evidence = new Float64Array(KIND_COUNT);
  const posterior = new Float64Array(likely.length);
  /** @type {(kind: number, at: number) => number} */
  const startOf = (kind, at) => {
    const { first, rest } = SPELLED[kind];
    return (kind * length + at) * ALPHABET.length + TYPE_START[at === 0 ? first : rest];
  };
  const letters = SPELLED.map((_, kind) => {
    const ofKind = new Float64Array(length * 26);
    for (let at = 0; at < length; at += 1) {
      ofKind.set(likely.subarray(startOf(kind, at), startOf(kind, at) + 26), at * 26);
    }
    return ofKind;
  });
  const spelling = likelySpellings(likelyLetters(letters, length), model);
  letters.forEach((ofKind, kind) => {
    const read = mixed(spelled(ofKind, spelling), common(ofKind, length, language));
    evidence[kind] = read.evidence;
    for (let at = 0; at < length; at += 1) {
      posterior.set(read.posterior.subarray(at * 26, (at + 1) * 26), startOf(kind, at));
    }
  });
  CODES.forEach((code, at) => {
    const [start, end] = [SPELLED.length + at, SPELLED.length + at + 1].map((kind) => kind * length * ALPHABET.length);
    const read = coded(likely.subarray(start, end), length, code);
    evidence[SPELLED.length + at] = read.evidence;
    posterior.set(read.posterior, start);
  });
  return { evidence, posterior };
}

/**
 * Reads a code: runs of a type of characters, any character within a type.
 *
 * @param {Float64Array} likely  Log-likelihoods, [places, characters].
 * @param {number} length
 * @param {{ types: readonly number[], same: number }} code
 * @returns {{ evidence: number, posterior: Float64Array }}  Log-evidence, and what each place is, [places, characters].
 */
function coded(likely, length, { types, same }) {
  const after = TYPES.map((from) => TYPES.map((to) => (from === to ? same : 0) + (1 - same) * types[to]));
  const ofChar = likely.map((log, at) => log - Math.log(TYPE_SIZE[TYPE_OF[at % ALPHABET.length]]));
  let evidence = Math.log(END) + (length - 1) * Math.log(1 - END);
  const ofType = Array.from({ length }, (_, at) => {
    const row = ofChar.subarray(at * ALPHABET.length, (at + 1) * ALPHABET.length);
    const top = Math.max(greatest(row), -1e4);
    evidence += top;
    row.forEach((log, char) => (row[char] = Math.exp(log - top)));
    return TYPES.map((type) => sum(row.subarray(TYPE_START[type], TYPE_START[type] + TYPE_SIZE[type])));
  });
  // Forward and backward over the types, each place's numbers made to add up to 1.
  /** @type {number[][]} */
  const forward = [];
  ofType.forEach((each, at) => {
    const state = TYPES.map((to) => {
      const before = at > 0 ? sum(TYPES.map((from) => forward[at - 1][from] * after[from][to])) : types[to];
      return each[to] * before;
    });
    const total = Math.max(sum(state), 1e-30);
    evidence += Math.log(total);
    forward.push(state.map((value) => value / total));
  });
  const posterior = ofChar;
  let back = TYPES.map(() => 1);
  for (let at = length - 1; at >= 0; at -= 1) {
    const each = ofType[at];
    const share = TYPES.map((type) => (forward[at][type] * back[type]) / Math.max(each[type], 1e-30));
    const total = Math.max(sum(share.map((value, type) => value * each[type])), 1e-30);
    for (let char = 0; char < ALPHABET.length; char += 1) {
      posterior[at * ALPHABET.length + char] *= share[TYPE_OF[char]] / total;
    }
    const next = TYPES.map((from) => sum(TYPES.map((to) => after[from][to] * back[to] * each[to])));
    const most = Math.max(greatest(next), 1e-30);
    back = next.map((value) => value / most);
  }
  return { evidence, posterior };
}

/** @type {WeakMap<Language, Float32Array>} */
const letterModels = new WeakMap();

/**
 * Gives the character model with foreign words let in, probabilities; made once for a language.
 *
 * @param {Language} language
 * @returns {Float32Array}
 */
function letterModel(language) {
  const known = letterModels.get(language);
  if (known !== undefined) return known;
  const model = new Float32Array(language.letters.length);
  for (let first = 0; first < model.length; first += SYMBOLS) {
    const end = Math.exp(language.letters[first]);
    model[first] = end;
    for (let at = first + 1; at < first + SYMBOLS; at += 1) {
      model[at] = (1 - FOREIGN) * Math.exp(language.letters[at]) + (FOREIGN * (1 - end)) / 26;
    }
  }
  letterModels.set(language, model);
  return model;
}

/**
 * Weighs what the character model and the vocabulary say.
 *
 * @param {{ evidence: number, posterior: Float64Array }} bySpelling
 * @param {{ evidence: number, posterior: Float64Array } | null} byWord
 * @returns {{ evidence: number, posterior: Float64Array }}
 */
function mixed(bySpelling, byWord) {
  if (byWord === null) return bySpelling;
  const byLetter = bySpelling.evidence + Math.log(1 - COMMON);
  const evidence = logSumExp([byLetter, byWord.evidence + Math.log(COMMON)]);
  const share = evidence === -Infinity ? 0 : Math.exp(byLetter - evidence);
  const posterior = bySpelling.posterior.map((prob, at) => share * prob + (1 - share) * byWord.posterior[at]);
  return { evidence, posterior };
}

/**
 * Reads a word as one of the vocabulary; as `spelled`, but null where it has none so long.
 *
 * @param {Float64Array} letters  Log-likelihoods of a to z, [places, 26].
 * @param {number} length
 * @param {Language} language
 * @returns {{ evidence: number, posterior: Float64Array } | null}
 */
function common(letters, length, language) {
  const vocabulary = language.words.get(length);
  if (vocabulary === undefined) return null;
  const ink = letters.map((log) => Math.max(log, -1e4));
  const scores = Float64Array.from(vocabulary.logProbs);
  for (let word = 0, next = 0; word < scores.length; word += 1) {
    for (let at = 0; at < length; at += 1) scores[word] += ink[at * 26 + vocabulary.letters[next++]];
  }
  const best = largest(scores, MAX_WORDS);
  const evidence = logSumExp(best.map((word) => scores[word]));
  const posterior = new Float64Array(length * 26);
  for (const word of best) {
    const share = Math.exp(scores[word] - evidence);
    for (let at = 0; at < length; at += 1) posterior[at * 26 + vocabulary.letters[word * length + at]] += share;
  }
  return { evidence, posterior };
}

/**
 * Gives the places of the largest values, largest first.
 *
 * @param {Float64Array} values
 * @param {number} count  The most to give.
 * @returns {number[]}
 */
function largest(values, count) {
  /** @type {number[]} */
  const found = [];
  values.forEach((value, at) => {
    if (found.length === count && value <= values[found[count - 1]]) return;
    if (found.length === count) found.pop();
    let place = found.length;
    while (place > 0 && values[found[place - 1]] < value) place -= 1;
    found.splice(place, 0, at);
  });
  return found;
}

/**
 * Gives the letters that each place of a word considers, whatever its case, a as 0.
 *
 * @param {readonly Float64Array[]} letters  Log-likelihoods of a to z, [places, 26], for each kind of words.
 * @param {number} length
 * @returns {number[][]}
 */
function likelyLetters(letters, length) {
  return Array.from({ length }, (_, at) => {
    const ofPlace = letters.map((each) => each.subarray(at * 26, (at + 1) * 26));
    const seen = ofPlace[0].map((_log, letter) => greatest(ofPlace.map((each) => each[letter])));
    return argsort(seen.map((log) => -log)).slice(0, LETTERS);
  });
}

/**
 * @typedef {object} Spelling  What the character model says to the likely letters of a word.
 * @property {number[][]} keep  The likely letters of each place.
 * @property {Float64Array[]} steps  For each place the probabilities of its letters, [letters of the three places
 *   before, letters].
 * @property {Float64Array} ending  How probable the end is after the last three places, [letters of them].
 */

/**
 * @param {number[][]} keep  The likely letters of each place.
 * @param {Float32Array} model  See `letterModel`.
 * @returns {Spelling}
 */
function likelySpellings(keep, model) {
  // Before a word there are edges.
  const edges = new Array(LETTERS).fill(0);
  const symbols = [edges, edges, edges, ...keep.map((likely) => likely.map((letter) => letter + 1))];
  /** @type {(at: number, last: readonly number[]) => Float64Array} */
  const follow = (at, last) => {
    const probs = new Float64Array(LETTERS ** 3 * last.length);
    let next = 0;
    for (const a of symbols[at]) {
      for (const b of symbols[at + 1]) {
        for (const c of symbols[at + 2]) {
          const context = ((a * SYMBOLS + b) * SYMBOLS + c) * SYMBOLS;
          for (const d of last) probs[next++] = model[context + d];
        }
      }
    }
    return probs;
  };
  return { keep, steps: keep.map((_, at) => follow(at, symbols[at + 3])), ending: follow(keep.length, [0]) };
}

/**
 * Reads a word by the character model, exactly, over the likely letters of each place.
 *
 * @param {Float64Array} letters  Log-likelihoods of a to z, [places, 26].
 * @param {Spelling} spelling
 * @returns {{ evidence: number, posterior: Float64Array }}  Log-evidence, and what each place is, [places, 26].
 */
function spelled(letters, { keep, steps, ending }) {
  const [one, two, three] = [LETTERS, LETTERS ** 2, LETTERS ** 3];
  let evidence = 0;
  const ink = keep.map((likely, at) => {
    const logs = likely.map((letter) => letters[at * 26 + letter]);
    const top = greatest(logs);
    if (Number.isFinite(top)) evidence += top;
    return logs.map((log) => Math.exp(Number.isFinite(top) ? log - top : log));
  });

  // A state is the likelihood of the last three letters, [letters, letters, letters].
  let state = new Float64Array(three);
  state[0] = 1;
  const forward = steps.map((step, at) => {
    const next = new Float64Array(three);
    for (let before = 0; before < three; before += 1) {
      if (state[before] === 0) continue;
      const [from, to] = [before * one, (before % two) * one];
      for (let d = 0; d < one; d += 1) next[to + d] += state[before] * step[from + d] * ink[at][d];
    }
    evidence += Math.log(rescale(next));
    state = next;
    return next;
  });
  evidence += Math.log(sum(state.map((value, at) => value * ending[at])));

  const posterior = new Float64Array(letters.length);
  let back = ending;
  for (let at = keep.length - 1; at >= 0; at -= 1) {
    const ofLetter = new Float64Array(one);
    for (let now = 0; now < three; now += 1) ofLetter[now % one] += forward[at][now] * back[now];
    const total = Math.max(sum(ofLetter), 1e-30);
    keep[at].forEach((letter, of) => (posterior[at * 26 + letter] = ofLetter[of] / total));
    const next = new Float64Array(three);
    for (let before = 0; before < three; before += 1) {
      const [from, to] = [before * one, (before % two) * one];
      for (let d = 0; d < one; d += 1) next[before] += steps[at][from + d] * back[to + d] * ink[at][d];
    }
    rescale(next);
    back = next;
  }
  return { evidence, posterior };
}

/**
 * Keeps the numbers of a long word from vanishing: makes them add up to 1.
 *
 * @param {Float64Array} state  Changed.
 * @returns {number}  What they added up to.
 */
function rescale(state) {
  const total = Math.max(sum(state), 1e-30);
  for (let at = 0; at < state.length; at += 1) state[at] /= total;
  return total;
}

// --- The answer ---

/**
 * Gives each word's log-prior of the kinds: words of a line are often of one kind.
 *
 * @param {readonly CutWord[]} words
 * @param {readonly Float64Array[][]} totals  Log-evidence of each kind, for each word and path.
 * @param {number} lineCount
 * @returns {number[][]}  For each word, by kind.
 */
function priors(words, totals, lineCount) {
  const own = totals.map((paths) => KIND_PRIOR.map((_, kind) => greatest(paths.map((total) => total[kind]))));
  let prior = words.map(() => KIND_PRIOR);
  for (let step = 0; step < PRIOR_STEPS; step += 1) {
    const byLine = Array.from({ length: lineCount }, () => new Float64Array(KIND_COUNT));
    const shares = own.map((logs, word) => {
      const joint = logs.map((log, kind) => log + Math.log(prior[word][kind]));
      const total = logSumExp(joint);
      const share = joint.map((log) => Math.exp(log - total));
      share.forEach((part, kind) => (byLine[words[word].line][kind] += part));
      return share;
    });
    prior = words.map(({ line }, word) => {
      const weights = KIND_PRIOR.map((each, kind) => each * PRIOR_WORDS + byLine[line][kind] - shares[word][kind]);
      const total = sum(weights);
      return weights.map((weight) => weight / total);
    });
  }
  return prior.map((ofWord) => ofWord.map(Math.log));
}

/**
 * Weighs cuts and kinds, and reads each word on its likeliest cut, all kinds together.
 *
 * @param {number} lineCount
 * @param {readonly Span[]} spans
 * @param {readonly CutWord[]} words
 * @param {readonly Kinds[][]} kinds  For each word, for each path.
 * @param {number} topK
 * @returns {Read[][][]}
 */
function answers(lineCount, spans, words, kinds, topK) {
  const totals = words.map(({ paths }, word) =>
    paths.map(({ rows, score }, path) => {
      const more = rows.length - paths[0].rows.length;
      return kinds[word][path].evidence.map((log, kind) => log + score + COST[kind] * more);
    }),
  );
  const prior = priors(words, totals, lineCount);
  /** @type {Read[][][]} */
  const read = Array.from({ length: lineCount }, () => []);
  words.forEach(({ line, paths }, word) => {
    const weighed = totals[word].map((total) => total.map((log, kind) => log + prior[word][kind]));
    const byPath = weighed.map(logSumExp);
    const chosen = argmax(byPath);
    const { rows } = paths[chosen];
    const { posterior } = kinds[word][chosen];
    const share = weighed[chosen].map((log) => Math.exp(log - byPath[chosen]));
    read[line].push(
      rows.map((row, place) => {
        const logProbs = Float64Array.from(ALPHABET, (_, char) => {
          const start = place * ALPHABET.length + char;
          const probs = share.map((part, kind) => part * posterior[start + kind * rows.length * ALPHABET.length]);
          return Math.log(sum(probs));
        });
        return { span: spans[row], row, candidates: bestOf(logProbs, ALPHABET, topK).filter(isPossible) };
      }),
    );
  });
  return read;
}
