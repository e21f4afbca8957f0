// The page's words in its two languages, and how each writes and speaks numbers and characters.
// No other module holds text that a reader sees or hears.

/**
 * @typedef {"en" | "ru"} Language
 * @typedef {string | Record<string, string>} Message  Plural forms, by Intl.PluralRules category,
 *   where the text depends on a count.
 *
 * @typedef {object} I18n
 * @property {Language} language
 * @property {(key: string, values?: Record<string, string | number>) => string} text  The message,
 *   with each {name} in it replaced; `values.count` chooses the plural form.
 * @property {(share: number) => string} percent  A share as it is read on the page: "93%".
 * @property {(share: number) => string} spokenPercent  The same for a screen reader: "93 percent".
 * @property {(char: string) => string} spokenChar  A character for a screen reader.
 */

/** @type {Record<Language, Record<string, Message>>} */
export const MESSAGES = {
  en: {
    title: "penread: reads handwritten characters",
    tagline: "Reads handwritten letters and digits.",
    drawHeading: "Draw image",
    predict: "Predict",
    clear: "Clear",
    answerHeading: "Answer",
    candidatesHeading: "Candidates",
    perhapsHeading: "Perhaps",
    glyphCaption: "What the model sees",
    glyphAlt: "Your drawing as the model sees it, 28 by 28 pixels",
    privacy: "Drawings are sent to this server only and not stored.",
    apiLink: "API",
    model: "Model: {name} {version}",

    canvasEmpty: "Draw image: empty",
    canvasStrokes: { one: "Draw image: {count} stroke", other: "Draw image: {count} strokes" },

    emptyHeadline: "Nothing read yet",
    emptyRemark: "Draw one letter or digit, then press Predict.",
    busyHeadline: "Reading…",
    staleRemark: "The drawing has changed. Press Predict to read it again.",
    blankHeadline: "Nothing is drawn yet",
    blankRemark: "Draw one letter or digit, then press Predict.",
    unclearHeadline: "Not clear enough",
    unclearRemark: "Draw it again, larger and plainer.",
    speckHeadline: "Only a speck",
    speckRemark: "There is too little ink to be a character. Draw one letter or digit.",
    solidHeadline: "Filled in",
    solidRemark: "There is more ink than strokes would leave. Press Clear and draw the lines only.",
    severalHeadline: "More than one character",
    severalRemark: "Press Clear and draw one letter or digit alone.",
    unknownHeadline: "No letter or digit I know",
    unknownRemark: "Press Clear and draw a Latin letter or a digit, plainly.",
    certain: "Almost certain",
    likely: "Quite likely",
    possible: "Possible",
    guess: "Only a guess",

    offlineHeadline: "Can’t reach the server",
    offlineRemark: "Check your connection, then press Predict again.",
    timeoutHeadline: "The server takes too long",
    timeoutRemark: "Wait a moment, then press Predict again.",
    overloadedHeadline: "The server is busy",
    overloadedRemark: "Wait a few seconds, then press Predict again.",
    refusedHeadline: "The server can’t read this drawing",
    refusedRemark: "Press Clear and draw it again, more simply.",
    failedHeadline: "The server failed",
    failedRemark: "Wait a moment, then press Predict again.",
    malformedHeadline: "The server’s answer is unreadable",
    malformedRemark: "Press Predict again.",
    tooDetailedHeadline: "Too much is drawn",
    tooDetailedRemark: "Press Clear and draw one character, more simply.",
    errorCode: "Error {status}.",

    cleared: "Cleared. The drawing area is empty.",
    spokenAnswer: "{char}, {percent}.",
    spokenOthers: "Other candidates: {list}.",
    spokenPerhaps: "Perhaps: {list}.",
    spokenCandidate: "{char}, {percent}",
    smallLetter: "small {char}",
    aboveNinetyNine: "more than 99 percent",
    belowOne: "less than 1 percent",
  },

  ru: {
    title: "penread: распознавание рукописных символов",
    tagline: "Читает рукописную латиницу и цифры.",
    drawHeading: "Нарисуйте символ",
    predict: "Распознать",
    clear: "Очистить",
    answerHeading: "Ответ",
    candidatesHeading: "Варианты",
    perhapsHeading: "Возможно, это",
    glyphCaption: "Что видит модель",
    glyphAlt: "Ваш рисунок глазами модели, 28 на 28 пикселей",
    privacy: "Рисунки отправляются только на этот сервер и не сохраняются.",
    apiLink: "API",
    model: "Модель: {name} {version}",

    canvasEmpty: "Нарисуйте символ: поле пустое",
    canvasStrokes: {
      one: "Нарисуйте символ: {count} штрих",
      few: "Нарисуйте символ: {count} штриха",
      many: "Нарисуйте символ: {count} штрихов",
      other: "Нарисуйте символ: {count} штриха",
    },

    emptyHeadline: "Ответа пока нет",
    emptyRemark: "Нарисуйте букву или цифру и нажмите «Распознать».",
    busyHeadline: "Читаю…",
    staleRemark: "Рисунок изменился. Нажмите «Распознать» ещё раз.",
    blankHeadline: "Пока ничего не нарисовано",
    blankRemark: "Нарисуйте букву или цифру и нажмите «Распознать».",
    unclearHeadline: "Не удалось разобрать",
    unclearRemark: "Нарисуйте ещё раз, крупнее и чётче.",
    speckHeadline: "Всего лишь точка",
    speckRemark: "Для символа этого мало. Нарисуйте букву или цифру.",
    solidHeadline: "Сплошное пятно",
    solidRemark: "Штрихов не различить. Нажмите «Очистить» и рисуйте только линии.",
    severalHeadline: "Здесь не один символ",
    severalRemark: "Нажмите «Очистить» и нарисуйте одну букву или цифру.",
    unknownHeadline: "Незнакомый символ",
    unknownRemark: "Нажмите «Очистить» и нарисуйте латинскую букву или цифру.",
    certain: "Почти наверняка",
    likely: "Скорее всего",
    possible: "Возможно",
    guess: "Только догадка",

    offlineHeadline: "Нет связи с сервером",
    offlineRemark: "Проверьте подключение и снова нажмите «Распознать».",
    timeoutHeadline: "Сервер долго не отвечает",
    timeoutRemark: "Подождите немного и снова нажмите «Распознать».",
    overloadedHeadline: "Сервер занят",
    overloadedRemark: "Подождите несколько секунд и снова нажмите «Распознать».",
    refusedHeadline: "Сервер не может прочитать рисунок",
    refusedRemark: "Нажмите «Очистить» и нарисуйте проще.",
    failedHeadline: "Ошибка на сервере",
    failedRemark: "Подождите немного и снова нажмите «Распознать».",
    malformedHeadline: "Непонятный ответ сервера",
    malformedRemark: "Нажмите «Распознать» ещё раз.",
    tooDetailedHeadline: "Рисунок слишком сложный",
    tooDetailedRemark: "Нажмите «Очистить» и нарисуйте один символ проще.",
    errorCode: "Ошибка {status}.",

    cleared: "Очищено. Поле для рисования пустое.",
    spokenAnswer: "{char}, {percent}.",
    spokenOthers: "Другие варианты: {list}.",
    spokenPerhaps: "Возможно, это: {list}.",
    spokenCandidate: "{char}, {percent}",
    smallLetter: "строчная {char}",
    aboveNinetyNine: "более 99 процентов",
    belowOne: "менее 1 процента",
  },
};

/**
 * Picks the page's language: the first of the reader's that the page has.
 *
 * @param {readonly string[]} preferred  Language tags, such as navigator.languages.
 * @returns {Language}
 */
export function pickLanguage(preferred) {
  for (const tag of preferred) {
    const language = tag.toLowerCase().split("-")[0];
    if (language === "en" || language === "ru") return language;
  }
  return "en";
}

/**
 * @param {Language} language
 * @returns {I18n}
 */
export function createI18n(language) {
  const messages = MESSAGES[language];
  const plurals = new Intl.PluralRules(language);
  const written = new Intl.NumberFormat(language, { style: "percent" });
  const spoken = new Intl.NumberFormat(language, {
    style: "unit",
    unit: "percent",
    unitDisplay: "long",
    maximumFractionDigits: 0,
  });

  /** @type {I18n["text"]} */
  function text(key, values = {}) {
    const message = messages[key];
    const template = typeof message === "string" ? message : message[plurals.select(Number(values.count))];
    return template.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  }

  return {
    language,
    text,
    // Rounding must not claim certainty: 0.998 is above 99 percent, not 100.
    percent(share) {
      if (share < 1 && share >= 0.995) return `>${written.format(0.99)}`;
      if (share > 0 && share < 0.005) return `<${written.format(0.01)}`;
      return written.format(share);
    },
    spokenPercent(share) {
      if (share < 1 && share >= 0.995) return text("aboveNinetyNine");
      if (share > 0 && share < 0.005) return text("belowOne");
      return spoken.format(share * 100);
    },
    // "a" and "A" sound alike. Only the small letter is told apart: a class named "C" may stand for
    // both cases, so to say "capital" could be wrong.
    spokenChar(char) {
      return char === char.toUpperCase() ? char : text("smallLetter", { char });
    },
  };
}

/**
 * Puts the language in place of the page's static English.
 *
 * @param {Document} page
 * @param {I18n} i18n
 */
export function translatePage(page, i18n) {
  page.documentElement.lang = i18n.language;
  for (const element of page.querySelectorAll("[data-i18n]")) {
    element.textContent = i18n.text(element.getAttribute("data-i18n") ?? "");
  }
  for (const element of page.querySelectorAll("[data-i18n-alt]")) {
    element.setAttribute("alt", i18n.text(element.getAttribute("data-i18n-alt") ?? ""));
  }
}
