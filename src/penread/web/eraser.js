// The eraser: what is left of a drawing when a round eraser moves across it. Plain functions on points, without
// the page.

/**
 * @typedef {import("./strokes.js").Point} Point
 * @typedef {import("./strokes.js").InkStroke} InkStroke
 */

/** A rest shorter than this, in widths of its pen, is a crumb that nobody wants to keep. */
const CRUMB = 1;

/**
 * Takes away the ink that the eraser touches on its way from one place to another. Lines are cut so that their round
 * ends just touch its edge. A stroke that is cut becomes the strokes that are left of it, in its place; the others
 * stay the very same objects.
 *
 * @param {readonly InkStroke[]} drawing
 * @param {Point} from
 * @param {Point} to  The same as `from` where the eraser just came down.
 * @param {number} radius
 * @returns {readonly InkStroke[]} `drawing` itself where nothing was touched.
 */
export function erase(drawing, from, to, radius) {
  let isTouched = false;
  const left = drawing.flatMap((stroke) => {
    const rests = cut(stroke, from, to, radius);
    if (rests === null) return [stroke];
    isTouched = true;
    return rests;
  });
  return isTouched ? left : drawing;
}

/**
 * @param {InkStroke} stroke
 * @param {Point} from
 * @param {Point} to
 * @param {number} radius
 * @returns {InkStroke[] | null} What is left; null where the eraser didn't touch the stroke.
 */
function cut(stroke, from, to, radius) {
  const { points, width } = stroke;
  const swells = stroke.swells ?? points.map(() => 1);
  if (points.length === 1) {
    return findCovered(points[0], points[0], from, to, radius + (width * swells[0]) / 2) === null ? null : [];
  }

  const covered = points.slice(1).map((end, segment) => {
    const reach = radius + (width * Math.max(swells[segment], swells[segment + 1])) / 2;
    return findCovered(points[segment], end, from, to, reach);
  });
  if (covered.every((part) => part === null)) return null;

  /** @type {{ points: Point[], swells: number[] }[]} */
  const rests = [];
  let isOpen = false;

  /**
   * Goes on with the rest at hand, or starts one.
   *
   * @param {number} segment
   * @param {number} share  How far along the segment, 0 to 1.
   */
  function keep(segment, share) {
    if (!isOpen) rests.push({ points: [], swells: [] });
    isOpen = true;
    const rest = rests[rests.length - 1];
    rest.points.push(share === 1 ? points[segment + 1] : between(points[segment], points[segment + 1], share));
    rest.swells.push(swells[segment] + (swells[segment + 1] - swells[segment]) * share);
  }

  for (const [segment, part] of covered.entries()) {
    if (part === null) {
      if (!isOpen) keep(segment, 0);
      keep(segment, 1);
      continue;
    }
    const [start, end] = part;
    if (start > 0) {
      if (!isOpen) keep(segment, 0);
      keep(segment, start);
    }
    isOpen = false;
    if (end < 1) {
      keep(segment, end);
      keep(segment, 1);
    }
  }

  return rests
    .filter((rest) => lengthOf(rest.points) >= CRUMB * width)
    .map((rest) => ({ points: rest.points, width, swells: stroke.swells === null ? null : rest.swells }));
}

/**
 * Finds the part of a line that the eraser covers. All that it covers on its way is a capsule, two discs and the
 * rectangle between them; it bulges everywhere, so no line enters it twice.
 *
 * @param {Point} start
 * @param {Point} end
 * @param {Point} from
 * @param {Point} to
 * @param {number} reach
 * @returns {[start: number, end: number] | null} Shares of the line, 0 to 1.
 */
function findCovered(start, end, from, to, reach) {
  // Most of a drawing is far away.
  for (const axis of /** @type {const} */ ([0, 1])) {
    if (Math.max(start[axis], end[axis]) < Math.min(from[axis], to[axis]) - reach) return null;
    if (Math.min(start[axis], end[axis]) > Math.max(from[axis], to[axis]) + reach) return null;
  }
  const [dx, dy] = [end[0] - start[0], end[1] - start[1]];
  if (dx === 0 && dy === 0) {
    // A point is covered whole or not at all; any direction tells.
    const around = findCovered([start[0] - reach, start[1]], [start[0] + reach, start[1]], from, to, reach);
    return around !== null && around[0] <= 0.5 && around[1] >= 0.5 ? [0, 1] : null;
  }
  const parts = [findInDisc(start, dx, dy, from, reach), findInDisc(start, dx, dy, to, reach)];
  const way = Math.hypot(to[0] - from[0], to[1] - from[1]);
  if (way > 0) {
    const [ux, uy] = [(to[0] - from[0]) / way, (to[1] - from[1]) / way];
    const [x, y] = [start[0] - from[0], start[1] - from[1]];
    const along = findBetween(x * ux + y * uy, dx * ux + dy * uy, 0, way);
    const across = findBetween(y * ux - x * uy, dy * ux - dx * uy, -reach, reach);
    parts.push([Math.max(along[0], across[0]), Math.min(along[1], across[1])]);
  }
  const whole = parts.filter(([low, high]) => low < high);
  const low = Math.max(0, Math.min(...whole.map((part) => part[0])));
  const high = Math.min(1, Math.max(...whole.map((part) => part[1])));
  return low < high ? [low, high] : null;
}

/**
 * @param {Point} start
 * @param {number} dx
 * @param {number} dy
 * @param {Point} centre
 * @param {number} radius
 * @returns {[low: number, high: number]} Where start + t * (dx, dy) is in the disc; empty as low > high.
 */
function findInDisc(start, dx, dy, centre, radius) {
  const [x, y] = [start[0] - centre[0], start[1] - centre[1]];
  const squared = dx * dx + dy * dy;
  const nearest = -(x * dx + y * dy) / squared;
  const half = (radius * radius - (x + nearest * dx) ** 2 - (y + nearest * dy) ** 2) / squared;
  return half <= 0 ? [Infinity, -Infinity] : [nearest - Math.sqrt(half), nearest + Math.sqrt(half)];
}

/**
 * @param {number} start
 * @param {number} step
 * @param {number} least
 * @param {number} most
 * @returns {[low: number, high: number]} Where start + t * step lies between two values; empty as low > high.
 */
function findBetween(start, step, least, most) {
  if (step === 0) return start >= least && start <= most ? [-Infinity, Infinity] : [Infinity, -Infinity];
  const [one, other] = [(least - start) / step, (most - start) / step];
  return [Math.min(one, other), Math.max(one, other)];
}

/**
 * @param {Point} start
 * @param {Point} end
 * @param {number} share
 * @returns {Point}
 */
function between(start, end, share) {
  return [start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share];
}

/** @param {readonly Point[]} points */
function lengthOf(points) {
  let length = 0;
  for (let index = 1; index < points.length; index += 1) {
    length += Math.hypot(points[index][0] - points[index - 1][0], points[index][1] - points[index - 1][1]);
  }
  return length;
}
