// What the model sees: the glyph, enlarged, and over it what each part of the ink is worth.

/**
 * @typedef {import("./reading.js").Glyph} Glyph
 * @typedef {import("./reading.js").Explanation} Explanation
 */

const SIDE = 28;
/** @type {readonly [number, number, number]} */
const FOR = [64, 132, 255];
/** @type {readonly [number, number, number]} */
const AGAINST = [255, 140, 40];
const WHITE = [255, 255, 255];

/** What each canvas shows, or will: the glyph of a drawing may be opened sooner than that of the one before.
 * @type {WeakMap<HTMLCanvasElement, Glyph | Explanation>} */
const latest = new WeakMap();

/**
 * Draws a glyph, white on black.
 *
 * @param {HTMLCanvasElement} canvas  28 by 28 pixels.
 * @param {Glyph} glyph
 */
export async function drawSight(canvas, glyph) {
  latest.set(canvas, glyph);
  const grey = await greyLevels(glyph);
  if (latest.get(canvas) !== glyph) return;
  paint(canvas, (place) => WHITE.map((level) => (level * grey[place]) / 255));
}

/**
 * Draws a glyph in the colours of an explanation: the stronger the colour, the more the ink is worth.
 *
 * @param {HTMLCanvasElement} canvas  28 by 28 pixels.
 * @param {Explanation} explanation
 */
export async function drawWhy(canvas, explanation) {
  const { glyph, importance } = explanation;
  latest.set(canvas, explanation);
  const grey = await greyLevels(glyph);
  if (latest.get(canvas) !== explanation) return;
  const worth = importance.flat();
  const most = Math.max(...worth.map(Math.abs), 1e-9);
  paint(canvas, (place) => {
    const share = Math.min(1, Math.abs(worth[place]) / most);
    const colour = worth[place] >= 0 ? FOR : AGAINST;
    return WHITE.map((level, channel) => ((level + (colour[channel] - level) * Math.sqrt(share)) * grey[place]) / 255);
  });
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {(place: number) => number[]} colourAt  Red, green and blue of a pixel, counted row by row.
 */
function paint(canvas, colourAt) {
  const pixels = new ImageData(SIDE, SIDE);
  for (let place = 0; place < SIDE * SIDE; place += 1) pixels.data.set([...colourAt(place), 255], 4 * place);
  context(canvas).putImageData(pixels, 0, 0);
}

/**
 * @param {Glyph} glyph
 * @returns {Promise<ArrayLike<number>>}
 */
async function greyLevels(glyph) {
  if (typeof glyph !== "string") return glyph;
  const image = new Image();
  image.src = glyph;
  try {
    await image.decode();
  } catch {
    // It only adorns the answer.
    return new Uint8Array(SIDE * SIDE);
  }
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const drawn = context(canvas);
  drawn.drawImage(image, 0, 0, SIDE, SIDE);
  return drawn.getImageData(0, 0, SIDE, SIDE).data.filter((_, index) => index % 4 === 0);
}

/** @param {HTMLCanvasElement} canvas */
function context(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
}
