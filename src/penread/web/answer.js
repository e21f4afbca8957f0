// The answer: shows what was read, one character or a text, or in words why there is nothing to show,
// and says the same to screen readers. `data-state` tells the style sheet what to make of it.

import { lookAlikesOf } from "./device/charset.js";
import { charactersOf } from "./reading.js";
import { drawSight, drawWhy } from "./sight.js";

/**
 * @typedef {import("./announcer.js").Announce} Announce
 * @typedef {import("./i18n.js").I18n} I18n
 * @typedef {import("./reading.js").Answer} Answer
 * @typedef {import("./reading.js").Candidate} Candidate
 * @typedef {import("./reading.js").Character} Character
 * @typedef {import("./reading.js").CharacterAnswer} CharacterAnswer
 * @typedef {import("./reading.js").Explanation} Explanation
 * @typedef {import("./reading.js").Glyph} Glyph
 * @typedef {import("./reading.js").Prediction} Prediction
 * @typedef {import("./reading.js").PredictionError} PredictionError
 * @typedef {import("./reading.js").TextAnswer} TextAnswer
 *
 * @typedef {"empty" | "busy" | "ready" | "text" | "blank" | "unclear" | "error"} State
 *
 * @typedef {object} AnswerParts  The elements that make up the answer.
 * @property {HTMLElement} root
 * @property {HTMLElement} char
 * @property {HTMLElement} text
 * @property {HTMLElement} headline
 * @property {HTMLElement} remark
 * @property {HTMLElement} candidatesHeading
 * @property {HTMLElement} candidates
 * @property {HTMLCanvasElement} glyph
 * @property {HTMLElement} glyphCaption
 * @property {HTMLButtonElement} why
 * @property {HTMLElement} time
 * @property {HTMLButtonElement} copy
 *
 * @typedef {object} How  How an answer is shown.
 * @property {boolean} isLive  Whether it came while one draws, unasked.
 * @property {number} tookMs  How long it took.
 * @property {string} [note]  The key of a sentence to add.
 *
 * @typedef {object} AnswerView
 * @property {() => void} showEmpty
 * @property {(how: { isLive: boolean }) => void} showBusy
 * @property {(loaded: number, total: number | null) => void} showLoading  Bytes of what reads on the device.
 * @property {(isPicture: boolean) => void} showBlank
 * @property {(answer: Answer, how: How) => void} show
 * @property {(error: PredictionError) => void} showError
 * @property {(explanation: Explanation) => void} showWhy
 * @property {(glyph: Glyph | null) => void} showSight  What the model saw of the character of which more is told.
 * @property {() => void} showWhyBusy
 * @property {() => void} hideWhy
 * @property {(error: PredictionError) => void} showWhyFailed  The answer stays.
 * @property {() => void} refresh  Says the same in the language of now.
 */

/** A reader that answers within this needs no words about waiting, which would only flicker. */
const PATIENCE_MS = 300;
/** Where the second is a look-alike of the first and has this share, both are the answer. */
const EITHER_SHARE = 0.1;
/** A character of a text is in doubt below this. */
const DOUBT = 0.6;

/**
 * How sure an answer is, in words: the first whose share it reaches.
 * @type {[share: number, key: string][]}
 */
const CERTAINTY = [
  [0.9, "certain"],
  [DOUBT, "likely"],
  [0.3, "possible"],
  [0, "guess"],
];

/**
 * @param {AnswerParts} parts
 * @param {I18n} i18n
 * @param {Announce} announce
 * @param {(index: number) => void} onSelect  Called with the character of a text of which more is told.
 * @returns {AnswerView}
 */
export function createAnswerView(parts, i18n, announce, onSelect) {
  const { text } = i18n;
  let waiting = 0;
  let explaining = 0;
  /** Shows again what is shown, in words only: nothing is spoken. */
  let again = () => {};
  /** @type {TextAnswer | null} */
  let read = null;
  let selected = 0;
  /** @type {Glyph | null} */
  let glyph = null;
  /** @type {Explanation | null} */
  let explained = null;

  /** @param {State} state */
  function setState(state) {
    clearTimeout(waiting);
    parts.root.dataset.state = state;
    if (state !== "busy") parts.root.setAttribute("aria-busy", "false");
  }

  /**
   * @param {string} headline
   * @param {string} remark
   * @param {boolean} [isNumber]
   */
  function setWords(headline, remark, isNumber = false) {
    parts.headline.textContent = headline;
    parts.headline.classList.toggle("number", isNumber);
    parts.remark.textContent = remark;
  }

  /**
   * @param {readonly Candidate[]} candidates
   * @param {string} heading
   */
  function setCandidates(candidates, heading) {
    parts.candidatesHeading.textContent = heading;
    parts.candidates.replaceChildren(...candidates.map((candidate) => createRow(candidate, i18n)));
    parts.candidates.hidden = candidates.length === 0;
  }

  /** @param {Glyph | null} shown */
  function setGlyph(shown) {
    glyph = shown;
    parts.glyph.hidden = shown === null;
    parts.why.disabled = shown === null;
    hideWhy();
  }

  function hideWhy() {
    clearTimeout(explaining);
    explained = null;
    parts.glyph.setAttribute("aria-label", text("glyphAlt"));
    parts.glyphCaption.textContent = text("glyphCaption");
    parts.why.setAttribute("aria-pressed", "false");
    if (glyph !== null) void drawSight(parts.glyph, glyph);
  }

  /**
   * @param {How | null} how
   * @param {boolean} [canCopy]
   */
  function setFacts(how, canCopy = false) {
    parts.time.textContent = how === null ? "" : text("took", { time: Math.max(1, Math.round(how.tookMs)) });
    parts.copy.disabled = !canCopy;
  }

  /** @param {TextAnswer | null} answer */
  function setText(answer) {
    read = answer;
    parts.text.hidden = answer === null;
    parts.char.hidden = answer !== null;
    parts.text.replaceChildren();
    if (answer === null) {
        return;
    }
    const longest = Math.max(...answer.lines.map((line) => line.text.length));
    parts.text.style.setProperty("--longest", String(Math.max(longest, 3)));
    parts.text.style.setProperty("--lines", String(answer.lines.length));
    let index = 0;
    for (const line of answer.lines) {
      const row = document.createElement("p");
      let place = 0;
      for (const each of line.text) {
        row.append(each === " " ? " " : createLetter(line.characters[place++], index++));
      }
      parts.text.append(row);
    }
  }

  /**
   * @param {Character} character
   * @param {number} index
   */
  function createLetter(character, index) {
    const letter = document.createElement("button");
    letter.type = "button";
    letter.textContent = character.char ?? "?";
    letter.classList.toggle("doubtful", isDoubtful(character));
    letter.setAttribute("aria-label", describe(character));
    letter.addEventListener("click", () => select(index));
    return letter;
  }

  /** @param {Character} character */
  function describe({ char, confidence }) {
    if (char === null) return text("rejectedLabel");
    return text("charLabel", { char: i18n.spokenChar(char), percent: i18n.spokenPercent(confidence) });
  }

  /** @param {number} index */
  function select(index) {
    if (read === null) return;
    selected = index;
    [...parts.text.querySelectorAll("button")].forEach((letter, place) => {
      letter.setAttribute("aria-pressed", String(place === index));
    });
    const { char, candidates } = charactersOf(read)[index];
    setCandidates(candidates, char === null ? text("perhapsHeading") : text("candidatesOf", { char }));
    onSelect(index);
  }

  /**
   * Shows words in place of an answer.
   *
   * @param {State} state
   * @param {string} headline
   * @param {string} remark
   */
  function showWords(state, headline, remark) {
    setState(state);
    setWords(headline, remark);
    parts.char.textContent = "";
    setText(null);
    setCandidates([], text("candidatesHeading"));
    setGlyph(null);
    setFacts(null);
  }

  function showEmpty() {
    again = showEmpty;
    showWords("empty", text("emptyHeadline"), text("emptyRemark"));
  }

  /** @param {boolean} isPicture */
  function showBlank(isPicture) {
    again = () =>
      showWords(
        "blank",
        text(isPicture ? "blankPictureHeadline" : "blankHeadline"),
        text(isPicture ? "blankPictureRemark" : "blankRemark"),
      );
    again();
    announce(`${parts.headline.textContent}. ${parts.remark.textContent}`);
  }

  /**
   * Adds what else there is to say of an answer, as a sentence of its own.
   *
   * @param {string} words
   * @param {How} how
   */
  function addNote(words, { note }) {
    if (note === undefined) return words;
    return words === "" ? text(note) : `${words.replace(/[^.!?]$/, "$&.")} ${text(note)}`;
  }

  /** @param {readonly Candidate[]} candidates */
  function speakList(candidates) {
    return candidates
      .map(({ char, confidence }) =>
        text("spokenCandidate", { char: i18n.spokenChar(char), percent: i18n.spokenPercent(confidence) }),
      )
      .join("; ");
  }

  /**
   * @param {CharacterAnswer} answer
   * @param {How} how
   * @returns {string} The sentence to speak.
   */
  function showCharacter(answer, how) {
    const { char, confidence, candidates, reason } = answer;
    setText(null);
    setGlyph(answer.glyph);
    setFacts(how, char !== null);
    if (char === null) {
      setState("unclear");
      setCandidates(candidates, text("perhapsHeading"));
      parts.char.textContent = "?";
      const key = reason === null ? "unclear" : reason === "empty" ? "emptyReason" : reason;
      setWords(text(`${key}Headline`), addNote(text(`${key}Remark`), how));
      const list = candidates.length > 0 ? ` ${text("spokenPerhaps", { list: speakList(candidates) })}` : "";
      return `${parts.headline.textContent}. ${parts.remark.textContent}${list}`;
    }
    setState("ready");
    setCandidates(candidates, text("candidatesHeading"));
    parts.char.textContent = char;
    const percent = i18n.spokenPercent(confidence);
    const others = candidates.filter((candidate) => candidate.char !== char);
    const list = others.length > 0 ? ` ${text("spokenOthers", { list: speakList(others) })}` : "";
    const alike = candidates.filter((each) => each.confidence >= EITHER_SHARE && looksLike(char, each.char));
    if (alike.length > 1 && looksLike(char, others[0].char)) {
      const remark = text("eitherRemark");
      // It looks like 1 and I where it is a bar: of the two shapes of its class that is the small letter.
      const names = alike.map((each) => (each.char === "L" ? "l" : each.char));
      parts.char.textContent = names[0];
      setWords(i18n.either(names), addNote(remark, how));
      return text("spokenEither", { list: speakList(alike), remark });
    }
    setWords(i18n.percent(confidence), addNote(text(nameCertainty(confidence)), how), true);
    return text("spokenAnswer", { char: i18n.spokenChar(char), percent }) + list + addNote("", how);
  }

  /**
   * @param {TextAnswer} answer
   * @param {How} how
   * @returns {string} The sentence to speak.
   */
  function showText(answer, how) {
    const characters = charactersOf(answer);
    const shares = characters.map(({ char, confidence }) => (char === null ? 0 : confidence));
    const doubts = characters.filter(isDoubtful).length;
    const isSame = read === answer;
    setState("text");
    parts.char.textContent = "";
    setText(answer);
    setGlyph(null);
    setFacts(how, true);
    const remark = doubts > 0 ? text("someDoubt", { count: doubts }) : "";
    setWords(text(nameCertainty(Math.min(...shares))), addNote(remark, how));
    // Of the least sure one there is most to tell.
    select(isSame ? selected : shares.indexOf(Math.min(...shares)));
    const headline = parts.headline.textContent ?? "";
    return addNote(text("spokenText", { text: answer.text.replaceAll("\uFFFD", "?"), remark: headline }), how);
  }

  return {
    showEmpty,
    showBlank,

    showBusy({ isLive }) {
      clearTimeout(waiting);
      parts.root.setAttribute("aria-busy", "true");
      waiting = setTimeout(() => {
        again = () => setWords(text("busyHeadline"), "");
        again();
        setState("busy");
        announce(text("busyHeadline"), { atRest: isLive });
      }, PATIENCE_MS);
    },

    showLoading(loaded, total) {
      const megabytes = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1, minimumFractionDigits: 1 });
      again = () =>
        setWords(
          text("loadingHeadline"),
          total === null
            ? text("loadedRemark", { part: megabytes.format(loaded / 1e6) })
            : text("loadingRemark", { part: megabytes.format(loaded / 1e6), whole: megabytes.format(total / 1e6) }),
        );
      if (parts.root.dataset.state !== "busy") announce(text("loadingHeadline"));
      setState("busy");
      again();
    },

    show(answer, how) {
      again = () => void (answer.kind === "text" ? showText(answer, how) : showCharacter(answer, how));
      const sentence = answer.kind === "text" ? showText(answer, how) : showCharacter(answer, how);
      announce(sentence, { atRest: how.isLive });
    },

    showError({ failure, status }) {
      again = () => {
        const code = status === null || status === 422 ? "" : ` ${text("errorCode", { status })}`;
        showWords("error", text(`${failure}Headline`), text(`${failure}Remark`) + code);
      };
      again();
      announce(`${parts.headline.textContent}. ${parts.remark.textContent}`);
    },

    showSight: setGlyph,
    hideWhy,

    showWhy(explanation) {
      showWhy(explanation);
      announce(parts.glyphCaption.textContent ?? "");
    },

    showWhyBusy() {
      clearTimeout(explaining);
      explaining = setTimeout(() => {
        parts.glyphCaption.textContent = text("busyHeadline");
        announce(text("busyHeadline"));
      }, PATIENCE_MS);
    },

    showWhyFailed({ failure }) {
      clearTimeout(explaining);
      parts.glyphCaption.textContent = text(`${failure}Headline`);
      announce(`${text(`${failure}Headline`)}. ${text(`${failure}Remark`)}`);
    },

    refresh() {
      const kept = explained;
      again();
      if (kept !== null) showWhy(kept);
    },
  };

  /** @param {Explanation} explanation */
  function showWhy(explanation) {
    clearTimeout(explaining);
    explained = explanation;
    const { char } = explanation;
    parts.why.setAttribute("aria-pressed", "true");
    parts.glyphCaption.textContent = text("whyCaption", { char });
    parts.glyph.setAttribute("aria-label", text("whyAlt", { char: i18n.spokenChar(char) }));
    void drawWhy(parts.glyph, explanation);
  }
}

/** @param {Character} character */
function isDoubtful({ char, confidence }) {
  return char === null || confidence < DOUBT;
}

/**
 * Tells whether two characters look the same where they stand alone, in either case.
 *
 * @param {string} one
 * @param {string} other
 */
function looksLike(one, other) {
  const groups = [one, one.toUpperCase()].map(lookAlikesOf).filter((group) => group.length > 1);
  return groups.some((group) => group.includes(other) || group.includes(other.toUpperCase()));
}

/** @param {number} confidence */
function nameCertainty(confidence) {
  return CERTAINTY.find(([share]) => confidence >= share)?.[1] ?? "guess";
}

/**
 * @param {Candidate} candidate
 * @param {I18n} i18n
 */
function createRow({ char, confidence }, i18n) {
  const row = document.createElement("li");
  row.dataset.char = char;
  row.style.setProperty("--share", String(confidence));

  const name = document.createElement("span");
  name.className = "name";
  name.textContent = char;
  // The bar repeats the number.
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  const share = document.createElement("span");
  share.className = "share";
  share.textContent = i18n.percent(confidence);

  row.append(name, " ", bar, " ", share);
  return row;
}
