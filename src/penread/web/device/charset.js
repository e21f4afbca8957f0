// Which characters a class stands for, and what a charset allows, as penread/charset.py has it.
//
// EMNIST merges letters whose two cases look alike: the model has one class for "C" and "c", named "C". A class stands
// for its own character and, where the model has no class of its own for it, for the other case.

const DIGITS = "0123456789";
const UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER = "abcdefghijklmnopqrstuvwxyz";

/**
 * The charsets that have a name; any other charset is taken literally, character by character.
 *
 * @type {ReadonlyMap<string, string>}
 */
export const NAMED_CHARSETS = new Map([
  ["digits", DIGITS],
  ["upper", UPPER],
  ["lower", LOWER],
  ["letters", UPPER + LOWER],
  ["alnum", DIGITS + UPPER + LOWER],
]);

/**
 * Characters that look the same when they stand alone; only a context could tell them apart.
 *
 * @type {readonly string[]}
 */
export const LOOK_ALIKES = ["0O", "1IL", "5S", "2Z", "9gq", "fF", "6b", "8B", "UV", "hn", "4Y"];

/**
 * @typedef {"empty" | "unknown" | "none"} CharsetProblem  It has no character; one for which the model has no class; or
 *   none of those that the model reads.
 */

/** A charset names no class of the model. */
export class CharsetError extends Error {
  /**
   * @param {CharsetProblem} code
   * @param {string} message
   * @param {readonly string[]} [chars]  The characters without a class.
   */
  constructor(code, message, chars = []) {
    super(message);
    this.code = code;
    this.chars = chars;
  }
}

/**
 * Gives the characters that a character looks like, itself among them; itself alone where there are none.
 *
 * @param {string} char
 * @returns {string}
 */
export function lookAlikesOf(char) {
  return LOOK_ALIKES.find((similar) => similar.includes(char)) ?? char;
}

/**
 * Tells what each class of a class table stands for.
 *
 * @param {string} chars  The class table, one character a class, in label order.
 * @returns {string[]}  For each class its own character, followed by the other case of it where no other class has
 *   that.
 */
export function standsFor(chars) {
  return Array.from(chars, (char) => {
    const other = char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase();
    return chars.includes(other) ? char : char + other;
  });
}

/**
 * Selects the classes that a charset allows, and the character each answers with.
 *
 * @param {string} chars  The class table of the model.
 * @param {string | null} [charset]  "digits", "upper", "lower", "letters", "alnum", or the allowed characters
 *   themselves, such as "ABC123". Null allows every class.
 * @returns {{ classes: number[], answers: string[] }}  The allowed class indices, ascending, and as many characters:
 *   class C answers "C", or "c" where the charset has only that.
 * @throws {CharsetError}
 */
export function select(chars, charset = null) {
  if (charset === null) return { classes: Array.from(chars, (_, index) => index), answers: Array.from(chars) };
  const allowed = new Set(NAMED_CHARSETS.get(charset) ?? charset);
  const both = standsFor(chars);
  if (!NAMED_CHARSETS.has(charset)) {
    const readable = new Set(both.join(""));
    const unknown = [...allowed].filter((char) => !readable.has(char)).sort();
    const names = [...NAMED_CHARSETS.keys()].map((name) => `"${name}"`).join(", ");
    const hint = `A charset is one of ${names}, or characters out of ${[...readable].sort().join("")}.`;
    if (allowed.size === 0) throw new CharsetError("empty", `The model can't read an empty charset. ${hint}`);
    if (unknown.length > 0) {
      throw new CharsetError("unknown", `The model has no class for ${unknown.join(" ")}. ${hint}`, unknown);
    }
  }
  /** @type {number[]} */
  const classes = [];
  /** @type {string[]} */
  const answers = [];
  both.forEach((cases, index) => {
    const answer = Array.from(cases).find((char) => allowed.has(char));
    if (answer === undefined) return;
    classes.push(index);
    answers.push(answer);
  });
  if (classes.length === 0) {
    throw new CharsetError("none", `No class of the model is in the charset "${charset}": it reads ${chars}.`);
  }
  return { classes, answers };
}

/**
 * Gives the characters that may be answered.
 *
 * @param {string} chars  The class table of the model.
 * @param {string | null} charset  See `select`.
 * @returns {Set<string>}
 * @throws {CharsetError}
 */
export function allowedChars(chars, charset) {
  select(chars, charset); // Refuses a charset that the model can't read.
  const wanted = charset === null ? null : new Set(NAMED_CHARSETS.get(charset) ?? charset);
  return new Set(Array.from(standsFor(chars).join("")).filter((char) => wanted === null || wanted.has(char)));
}
