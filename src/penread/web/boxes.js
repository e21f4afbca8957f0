// Boxes around the characters of a text, with what was read above each: over a picture, so that one sees at once what
// was read where; over a drawing the same, but delicately.

/**
 * @typedef {import("./reading.js").Answer} Answer
 * @typedef {import("./reading.js").Box} Box
 * @typedef {import("./reading.js").Character} Character
 *
 * @typedef {"picture" | "drawing"} Ground
 *
 * @typedef {object} Page  What the boxes are laid over, in their unit.
 * @property {number} width
 * @property {number} height
 * @property {Ground} [over]  A picture, where it isn't said.
 * @property {number} [padding]  Between ink and box: the boxes of a drawing tell the middle of its strokes.
 *
 * @typedef {object} Boxes
 * @property {(answer: Answer, page: Page) => void} show  Shows nothing for an answer of one character: it has no box.
 * @property {(index: number | null) => void} select  Marks a character of the text, or none.
 * @property {() => void} clear
 *
 * @typedef {object} Place  A character and its label, in the unit of the boxes; the size is in CSS pixels.
 * @property {Character} character
 * @property {number} x  The middle of the label.
 * @property {number} y  What the label stands on, or hangs from.
 * @property {number} sizePx
 */

const SVG = "http://www.w3.org/2000/svg";

// A label's size: a part of its line's characters, within bounds, in CSS pixels. On a phone the smallest is just
// readable; a page so full that there is no room even for that shows the selected character's label larger.
const SHARE = 0.62;
const SMALLEST_PX = 11;
/** @type {Record<Ground, number>} */
const LARGEST_PX = { picture: 22, drawing: 15 };
const SELECTED_PX = 18;
/** Between a box and its label, as a part of the label's size; and the height of capitals and the width of a wide
 *  letter, as parts of it. */
const GAP = 0.22;
const CAPITAL = 0.73;
const WIDE = 0.8;
/** The halo of a label, as a part of its size. */
const HALO = 0.24;
/** Boxes lower than 1 / 0.04 = 25 CSS pixels have thinner lines. */
const THINNING = 0.04;
/** The line of the selected box is so many times as thick. */
const SELECTED_WIDTH = 2;
/** Half of a pen's width and a little more, as a part of the canvas's side. */
const PEN_PADDING = 0.026;

/** Pictures show paper, mostly light, whatever the theme of the page: ink blue with a white halo can be read on any. */
const COLOURS = {
  picture: { line: "#2440b0", rejected: "#a5261c", halo: "#ffffff", lineOpacity: 0.9, haloOpacity: 0.75, width: 1.5 },
  drawing: {
    line: "var(--muted, #566072)",
    rejected: "var(--alarm, #a5261c)",
    halo: "var(--paper, #fdfefe)",
    lineOpacity: 0.55,
    haloOpacity: 0,
    width: 1,
  },
};

/**
 * @param {SVGSVGElement} svg  Lies over the stage, as large as it.
 * @returns {Boxes}
 */
export function createBoxes(svg) {
  /** @type {{ lines: Character[][], page: Page } | null} */
  let shown = null;
  /** @type {{ group: SVGElement, mark: (isSelected: boolean) => void }[]} */
  let marks = [];
  /** @type {number | null} */
  let selected = null;
  /** The room there was when they were laid out last. */
  let room = new DOMRect();

  function paint() {
    marks = [];
    svg.replaceChildren();
    room = svg.getBoundingClientRect();
    if (shown === null) return;
    const { lines, page } = shown;
    const scale = Math.min(room.width / page.width, room.height / page.height);
    // It has no room now; the observer calls again when it has.
    if (!(scale > 0 && Number.isFinite(scale))) return;
    const { over = "picture" } = page;
    svg.dataset.over = over;
    svg.setAttribute("viewBox", `0 0 ${page.width} ${page.height}`);
    // Contained and in the middle, as the picture is.
    svg.setAttribute("preserveAspectRatio", "xMidYMid meet");
    const isAbove = hasRoomAbove(lines, page.height);
    const places = lines.flatMap((line) => placeLabels(line, scale, isAbove, LARGEST_PX[over]));
    marks = places.map((place, index) => {
      const group = createElement("g", { class: place.character.char === null ? "box rejected" : "box" });
      group.dataset.index = String(index);
      const label = createLabel(place, over);
      const [halo, frame] = createFrames(place.character, scale, over);
      group.append(halo, frame, label);
      const width = Number(frame.getAttribute("stroke-width"));
      const mark = (/** @type {boolean} */ isSelected) => {
        const sizePx = isSelected ? Math.max(place.sizePx, SELECTED_PX) : place.sizePx;
        setSize(label, place, sizePx / scale, isAbove, page);
        frame.setAttribute("stroke-width", String(isSelected ? width * SELECTED_WIDTH : width));
        group.classList.toggle("selected", isSelected);
      };
      mark(false);
      return { group, mark };
    });
    svg.append(...marks.map(({ group }) => group));
    if (selected !== null) select(selected);
  }

  /** @param {number | null} index */
  function select(index) {
    if (selected !== null) marks[selected]?.mark(false);
    selected = index;
    if (index === null || marks[index] === undefined) return;
    marks[index].mark(true);
    // On top of its neighbours, over which it may reach.
    svg.append(marks[index].group);
  }

  new ResizeObserver(() => {
    const { width, height } = svg.getBoundingClientRect();
    if (width !== room.width || height !== room.height) paint();
  }).observe(svg);

  return {
    show(answer, page) {
      selected = null;
      shown = answer.kind === "text" ? { lines: answer.lines.map((line) => pad(line.characters, page)), page } : null;
      paint();
    },
    select,
    clear() {
      selected = null;
      shown = null;
      paint();
    },
  };
}

/**
 * @param {readonly Character[]} characters
 * @param {Page} page
 * @returns {Character[]}
 */
function pad(characters, { width, over, padding = over === "drawing" ? PEN_PADDING * width : 0 }) {
  return characters.map((character) => {
    const { left, top, right, bottom } = character.box;
    const box = { left: left - padding, top: top - padding, right: right + padding, bottom: bottom + padding };
    return { ...character, box };
  });
}

/**
 * The box of a character: two rectangles, a light one under a dark one, so that it shows on any ground.
 *
 * @param {Character} character
 * @param {number} scale  CSS pixels in one unit of the boxes.
 * @param {Ground} over
 */
function createFrames({ box, char }, scale, over) {
  const { line, rejected, halo, lineOpacity, haloOpacity } = COLOURS[over];
  // Thick lines around small characters would hide them.
  const share = clamp((box.bottom - box.top) * scale * THINNING, 0.5, 1);
  const [width, haloWidth] = [COLOURS[over].width * share, 2.5 * share];
  const frame = {
    x: box.left,
    y: box.top,
    width: Math.max(box.right - box.left, 0),
    height: Math.max(box.bottom - box.top, 0),
    rx: 2 / scale,
    fill: "none",
    "vector-effect": "non-scaling-stroke",
  };
  const under = { class: "box-halo", stroke: halo, "stroke-width": width + haloWidth, "stroke-opacity": haloOpacity };
  const upper = { class: "box-frame", stroke: line, "stroke-width": width, "stroke-opacity": lineOpacity };
  /** @type {Record<string, string>} */
  const dashes = char === null ? { stroke: rejected, "stroke-dasharray": "4 3" } : {};
  return [createElement("rect", { ...frame, ...under }), createElement("rect", { ...frame, ...upper, ...dashes })];
}

/**
 * @param {Place} place
 * @param {Ground} over
 */
function createLabel({ character: { char } }, over) {
  const { line, rejected, halo } = COLOURS[over];
  const label = createElement("text", {
    "text-anchor": "middle",
    "font-family": "var(--sans, sans-serif)",
    "font-weight": 600,
    fill: char === null ? rejected : line,
    stroke: halo,
    "stroke-linejoin": "round",
    // The halo lies behind the letter, not on it.
    "paint-order": "stroke",
  });
  label.textContent = char ?? "?";
  return label;
}

/**
 * Puts a label to its place, in some size; nothing of it is off the page.
 *
 * @param {SVGElement} label
 * @param {Place} place
 * @param {number} size  In the unit of the boxes.
 * @param {boolean} isAbove
 * @param {Page} page
 */
function setSize(label, { x, y }, size, isAbove, { width, height }) {
  const baseline = isAbove ? y - GAP * size : y + (GAP + CAPITAL) * size;
  label.setAttribute("font-size", String(size));
  label.setAttribute("stroke-width", String(HALO * size));
  label.setAttribute("x", String(clamp(x, (WIDE / 2) * size, width - (WIDE / 2) * size)));
  label.setAttribute("y", String(clamp(baseline, (CAPITAL + HALO / 2) * size, height - (HALO / 2) * size)));
}

/**
 * Tells on which side of its line the labels are to be: on the same for all lines, or those of two would meet.
 *
 * @param {readonly Character[][]} lines
 * @param {number} height
 */
function hasRoomAbove(lines, height) {
  const boxes = lines.flat().map(({ box }) => box);
  const above = Math.min(...boxes.map(({ top }) => top));
  const below = height - Math.max(...boxes.map(({ bottom }) => bottom));
  const wanted = SHARE * median(boxes.map(({ top, bottom }) => bottom - top));
  return above >= below || above >= wanted * (1 + GAP);
}

/**
 * Finds the places and sizes of a line's labels: side by side on a straight line that follows that of the writing, as
 * near as its tallest character lets it. Where the writing follows no straight line, each stands on its own box.
 *
 * @param {readonly Character[]} line
 * @param {number} scale  CSS pixels in one unit of the boxes.
 * @param {boolean} isAbove
 * @param {number} largestPx
 * @returns {Place[]}
 */
function placeLabels(line, scale, isAbove, largestPx) {
  if (line.length === 0) return [];
  const centers = line.map(({ box }) => (box.left + box.right) / 2);
  const heights = line.map(({ box }) => box.bottom - box.top);
  const slope = findSlope(centers.map((x, index) => [x, line[index].box.bottom]));
  const edges = line.map(({ box }, index) => (isAbove ? box.top : box.bottom) - slope * centers[index]);
  const rail = isAbove ? Math.min(...edges) : Math.max(...edges);
  const isStraight = edges.every((edge) => Math.abs(edge - rail) <= Math.max(...heights));

  const steps = centers.slice(1).map((x, index) => Math.abs(x - centers[index]));
  const roomPx = steps.length > 0 ? (median(steps) * scale) / WIDE : Infinity;
  const wantedPx = clamp(Math.min(SHARE * median(heights) * scale, roomPx), SMALLEST_PX, largestPx);
  return line.map((character, index) => {
    const x = centers[index];
    const own = isAbove ? character.box.top : character.box.bottom;
    return {
      character,
      x,
      y: isStraight ? rail + slope * x : own,
      // Never larger than the character itself.
      sizePx: Math.min(wantedPx, heights[index] * scale),
    };
  });
}

/**
 * Finds how much the line under the characters rises or falls: the median of the slopes between any two of them, which
 * a few characters that go below it don't change.
 *
 * @param {readonly [x: number, y: number][]} points
 */
function findSlope(points) {
  // Of two or three, one that goes below the line is many.
  if (points.length < 4) return 0;
  const slopes = points.flatMap(([x, y], index) =>
    points
      .slice(index + 1)
      .filter(([otherX]) => otherX !== x)
      .map(([otherX, otherY]) => (otherY - y) / (otherX - x)),
  );
  return median(slopes);
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElement}
 */
function createElement(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  return element;
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
function clamp(value, low, high) {
  return Math.max(Math.min(value, high), low);
}

/** @param {readonly number[]} values */
function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
