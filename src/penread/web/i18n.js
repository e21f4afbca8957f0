// The page's words in its two languages, and how each writes and speaks numbers and characters.
// No other module holds text that a reader sees or hears.

/**
 * @typedef {"en" | "ru"} Language
 * @typedef {string | Record<string, string>} Message  Plural forms, by Intl.PluralRules category,
 *   where the text depends on a count.
 *
 * @typedef {object} I18n
 * @property {Language} language  The one in use; it can be changed, and all that follows is in the new one.
 * @property {(key: string, values?: Record<string, string | number>) => string} text  The message,
 *   with each {name} in it replaced; `values.count` chooses the plural form.
 * @property {(share: number) => string} percent  A share as it is read on the page: "93%".
 * @property {(share: number) => string} spokenPercent  The same for a screen reader: "93 percent".
 * @property {(names: readonly string[]) => string} either  "0 or O".
 * @property {(char: string) => string} spokenChar  A character for a screen reader.
 */

/** @type {Record<Language, Record<string, Message>>} */
export const MESSAGES = {
  en: {
    title: "penread: reads handwritten characters",
    tagline: "Reads handwritten letters and digits.",
    language: "Language",
    drawHeading: "Draw image",
    invitation: "Write here",
    tools: "Drawing tools",
    pen: "Pen",
    eraser: "Eraser",
    penWidth: "Pen width",
    undo: "Undo",
    undoTitle: "Undo (Ctrl+Z)",
    redo: "Redo",
    redoTitle: "Redo (Ctrl+Y)",
    predict: "Predict",
    clear: "Clear",
    shoot: "Take the picture",
    cancel: "Cancel",
    answerHeading: "Answer",
    textLabel: "What was read",
    candidatesHeading: "Candidates",
    candidatesOf: "Candidates for “{char}”",
    perhapsHeading: "Perhaps",
    glyphCaption: "What the model sees",
    glyphAlt: "Your drawing as the model sees it, 28 by 28 pixels",
    why: "Why?",
    whyCaption: "Blue: for {char}, orange: against",
    whyAlt: "The drawing as the model sees it: which parts speak for {char}, and which against it",
    charset: "Characters allowed",
    charsetAll: "All characters",
    charsetDigits: "Digits",
    charsetLetters: "Letters",
    charsetUpper: "Capital letters",
    charsetLower: "Small letters",
    charsetOwn: "My own…",
    ownCharset: "The characters allowed, such as ABC123",
    read: "Read",
    onServer: "on the server",
    onDevice: "on this device",
    took: "in {time} ms",
    copy: "Copy",
    copied: "Copied",
    notCopied: "The browser does not let this page copy.",
    choose: "Choose a picture",
    camera: "Camera",
    cameraOn: "The camera is on. Aim at the writing.",
    cameraView: "What the camera sees",
    dropHint: "or drop or paste one",
    examplesHeading: "Examples to try",
    worksOffline: "Works offline",
    privacyServer: "Drawings are sent to this server only and not stored.",
    privacyDevice: "Drawings stay on this device.",
    apiLink: "API",
    model: "Model: {name} {version}",

    canvasEmpty: "Draw image: empty",
    canvasStrokes: { one: "Draw image: {count} stroke", other: "Draw image: {count} strokes" },

    emptyHeadline: "Nothing read yet",
    emptyRemark: "Draw a letter, a digit or a word.",
    busyHeadline: "Reading…",
    loadingHeadline: "Fetching what reads here…",
    loadingRemark: "{part} of {whole} MB, this once",
    loadedRemark: "{part} MB so far, this once",
    blankHeadline: "Nothing is drawn yet",
    blankRemark: "Draw a letter, a digit or a word.",
    blankPictureHeadline: "No writing found",
    blankPictureRemark: "Take a picture in which the writing is larger and clearer.",
    unclearHeadline: "Not clear enough",
    unclearRemark: "Draw it again, larger and plainer.",
    emptyReasonHeadline: "Nothing is drawn yet",
    emptyReasonRemark: "Draw a letter, a digit or a word.",
    speckHeadline: "Only a speck",
    speckRemark: "There is too little ink to be a character. Go on drawing.",
    solidHeadline: "Filled in",
    solidRemark: "There is more ink than strokes would leave. Draw the lines only.",
    severalHeadline: "More than one character",
    severalRemark: "Yet no word that I can read. Leave some space between them.",
    unknownHeadline: "No letter or digit I know",
    unknownRemark: "Go on, or draw a Latin letter or a digit, plainly.",
    certain: "Almost certain",
    likely: "Quite likely",
    possible: "Possible",
    guess: "Only a guess",
    eitherRemark: "Alone they look the same. Choose the characters allowed, or write a word.",
    someDoubt: { one: "{count} character is in doubt", other: "{count} characters are in doubt" },
    charLabel: "{char}, {percent}",
    rejectedLabel: "unclear",

    offlineHeadline: "Can’t reach the server",
    offlineRemark: "Check your connection, then press Predict.",
    offlineOnDevice: "The server can’t be reached, so this was read on the device.",
    timeoutHeadline: "It takes too long",
    timeoutRemark: "Wait a moment, then press Predict.",
    overloadedHeadline: "The server is busy",
    overloadedRemark: "Wait a few seconds, then press Predict.",
    refusedHeadline: "This drawing can’t be read",
    refusedRemark: "Press Clear and draw it again, more simply.",
    pictureHeadline: "This picture can’t be read",
    pictureRemark: "Choose a PNG, JPEG, WebP or GIF file that opens elsewhere.",
    pictureAlt: "The picture that is read",
    pictureUnseen: "This browser can’t show such a file.",
    pictureNoneHeadline: "No picture there",
    pictureNoneRemark: "Drop a picture file, or copy a picture and paste it.",
    picturesSeveralHeadline: "One picture at a time",
    picturesSeveralRemark: "Choose just one of them.",
    pictureKindHeadline: "This is no picture",
    pictureKindRemark: "Choose a photo or a scan: PNG, JPEG, WebP, GIF, BMP or TIFF.",
    picturePdfHeadline: "PDF files aren’t read here",
    picturePdfRemark: "Take a screenshot of the page, and paste it.",
    pictureBrokenHeadline: "This picture can’t be opened",
    pictureBrokenRemark: "The file is damaged or incomplete. Choose another.",
    pictureLargeHeadline: "This picture is too large",
    pictureLargeRemark: "Make it smaller, or cut out the part with the writing.",
    cameraDeniedHeadline: "The camera is not allowed",
    cameraDeniedRemark: "Allow it for this page in the browser’s settings.",
    cameraMissingHeadline: "No camera found",
    cameraMissingRemark: "Connect one, or choose a picture instead.",
    cameraBusyHeadline: "The camera does not answer",
    cameraBusyRemark: "Another program may be using it. Close that, then try again.",
    exampleLetter: "Example: the letter {text}",
    exampleDigit: "Example: the digit {text}",
    exampleAlike: "Example: a letter O or a zero",
    exampleSmall: "Example: a small {text} in the corner",
    exampleWord: "Example: the word {text}",
    exampleNumber: "Example: the number {text}",
    exampleCode: "Example: {text}",
    exampleScribble: "Example: a scribble, no character",
    charsetHeadline: "Not all of these can be read",
    charsetRemark: "The characters allowed may be Latin letters and digits only.",
    failedHeadline: "The server failed",
    failedRemark: "Wait a moment, then press Predict.",
    malformedHeadline: "The answer is unreadable",
    malformedRemark: "Press Predict to ask again.",
    deviceHeadline: "Can’t read on this device",
    deviceRemark: "What reads here could not be fetched or started. Press Predict to try again.",
    tooDetailedHeadline: "Too much is drawn",
    tooDetailedRemark: "Press Clear and draw more simply.",
    errorCode: "Error {status}.",

    keyHeadline: "This server wants a key",
    keyRemark: "Press Predict to enter it.",
    keyHint: "Whoever runs it gives you one.",
    keyNotOnDevice: "Reading on this device needs none.",
    keyLabel: "Key",
    keyWrong: "The server does not know this key.",
    keepKey: "Keep it in this browser",
    useKey: "Use it",
    forgetKey: "Forget the key",

    cleared: "Cleared. The drawing area is empty.",
    undone: "Undone.",
    redone: "Redone.",
    spokenAnswer: "{char}, {percent}.",
    spokenEither: "{list}. {remark}",
    spokenText: "Read: {text}. {remark}",
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
    language: "Язык",
    drawHeading: "Нарисуйте",
    invitation: "Пишите здесь",
    tools: "Инструменты рисования",
    pen: "Перо",
    eraser: "Ластик",
    penWidth: "Толщина пера",
    undo: "Отменить",
    undoTitle: "Отменить (Ctrl+Z)",
    redo: "Вернуть",
    redoTitle: "Вернуть (Ctrl+Y)",
    predict: "Распознать",
    clear: "Очистить",
    shoot: "Сделать снимок",
    cancel: "Отмена",
    answerHeading: "Ответ",
    textLabel: "Что прочитано",
    candidatesHeading: "Варианты",
    candidatesOf: "Варианты для «{char}»",
    perhapsHeading: "Возможно, это",
    glyphCaption: "Что видит модель",
    glyphAlt: "Ваш рисунок глазами модели, 28 на 28 пикселей",
    why: "Почему?",
    whyCaption: "Синее за {char}, оранжевое против",
    whyAlt: "Рисунок глазами модели: какие части говорят за «{char}», а какие против",
    charset: "Какие символы возможны",
    charsetAll: "Все символы",
    charsetDigits: "Цифры",
    charsetLetters: "Буквы",
    charsetUpper: "Прописные буквы",
    charsetLower: "Строчные буквы",
    charsetOwn: "Свой набор…",
    ownCharset: "Какие символы возможны, например ABC123",
    read: "Читать",
    onServer: "на сервере",
    onDevice: "на устройстве",
    took: "за {time} мс",
    copy: "Копировать",
    copied: "Скопировано",
    notCopied: "Браузер не разрешает копировать с этой страницы.",
    choose: "Выбрать картинку",
    camera: "Камера",
    cameraOn: "Камера включена. Наведите её на надпись.",
    cameraView: "Что видит камера",
    dropHint: "или перетащите, или вставьте",
    examplesHeading: "Примеры",
    worksOffline: "Работает без сети",
    privacyServer: "Рисунки отправляются только на этот сервер и не сохраняются.",
    privacyDevice: "Рисунки не покидают это устройство.",
    apiLink: "API",
    model: "Модель: {name} {version}",

    canvasEmpty: "Поле для рисования: пусто",
    canvasStrokes: {
      one: "Поле для рисования: {count} штрих",
      few: "Поле для рисования: {count} штриха",
      many: "Поле для рисования: {count} штрихов",
      other: "Поле для рисования: {count} штриха",
    },

    emptyHeadline: "Ответа пока нет",
    emptyRemark: "Нарисуйте букву, цифру или слово.",
    busyHeadline: "Читаю…",
    loadingHeadline: "Загружаю распознаватель…",
    loadingRemark: "{part} из {whole} МБ, только в первый раз",
    loadedRemark: "Уже {part} МБ, только в первый раз",
    blankHeadline: "Пока ничего не нарисовано",
    blankRemark: "Нарисуйте букву, цифру или слово.",
    blankPictureHeadline: "Текст не найден",
    blankPictureRemark: "Снимите крупнее и чётче.",
    unclearHeadline: "Не удалось разобрать",
    unclearRemark: "Нарисуйте ещё раз, крупнее и чётче.",
    emptyReasonHeadline: "Пока ничего не нарисовано",
    emptyReasonRemark: "Нарисуйте букву, цифру или слово.",
    speckHeadline: "Всего лишь точка",
    speckRemark: "Для символа этого мало. Рисуйте дальше.",
    solidHeadline: "Сплошное пятно",
    solidRemark: "Штрихов не различить. Рисуйте только линии.",
    severalHeadline: "Здесь не один символ",
    severalRemark: "Но и слова не разобрать. Оставьте промежутки между символами.",
    unknownHeadline: "Незнакомый символ",
    unknownRemark: "Продолжайте или нарисуйте латинскую букву или цифру.",
    certain: "Почти наверняка",
    likely: "Скорее всего",
    possible: "Возможно",
    guess: "Только догадка",
    eitherRemark: "По отдельности они неразличимы. Укажите возможные символы или напишите слово.",
    someDoubt: {
      one: "{count} символ под сомнением",
      few: "{count} символа под сомнением",
      many: "{count} символов под сомнением",
      other: "{count} символа под сомнением",
    },
    charLabel: "{char}, {percent}",
    rejectedLabel: "неразборчиво",

    offlineHeadline: "Нет связи с сервером",
    offlineRemark: "Проверьте подключение и нажмите «Распознать».",
    offlineOnDevice: "Нет связи с сервером, прочитано на устройстве.",
    timeoutHeadline: "Ответа слишком долго нет",
    timeoutRemark: "Подождите немного и нажмите «Распознать».",
    overloadedHeadline: "Сервер занят",
    overloadedRemark: "Подождите несколько секунд и нажмите «Распознать».",
    refusedHeadline: "Этот рисунок не прочитать",
    refusedRemark: "Нажмите «Очистить» и нарисуйте проще.",
    pictureHeadline: "Эту картинку не прочитать",
    pictureRemark: "Выберите файл PNG, JPEG, WebP или GIF, который открывается в других программах.",
    pictureAlt: "Распознаваемая картинка",
    pictureUnseen: "Браузер не может показать такой файл.",
    pictureNoneHeadline: "Здесь нет картинки",
    pictureNoneRemark: "Перетащите файл с картинкой или скопируйте её и вставьте.",
    picturesSeveralHeadline: "По одной картинке",
    picturesSeveralRemark: "Выберите только одну из них.",
    pictureKindHeadline: "Это не картинка",
    pictureKindRemark: "Выберите фото или скан: PNG, JPEG, WebP, GIF, BMP или TIFF.",
    picturePdfHeadline: "Файлы PDF здесь не читаются",
    picturePdfRemark: "Сделайте снимок экрана и вставьте его сюда.",
    pictureBrokenHeadline: "Картинка не открывается",
    pictureBrokenRemark: "Файл повреждён или неполон. Выберите другой.",
    pictureLargeHeadline: "Слишком большая картинка",
    pictureLargeRemark: "Уменьшите её или вырежьте часть с текстом.",
    cameraDeniedHeadline: "Камера не разрешена",
    cameraDeniedRemark: "Разрешите её для этой страницы в настройках браузера.",
    cameraMissingHeadline: "Камера не найдена",
    cameraMissingRemark: "Подключите камеру или выберите картинку.",
    cameraBusyHeadline: "Камера не отвечает",
    cameraBusyRemark: "Возможно, её занимает другая программа. Закройте её и попробуйте снова.",
    exampleLetter: "Пример: буква {text}",
    exampleDigit: "Пример: цифра {text}",
    exampleAlike: "Пример: буква O или ноль",
    exampleSmall: "Пример: маленькая {text} в углу",
    exampleWord: "Пример: слово {text}",
    exampleNumber: "Пример: число {text}",
    exampleCode: "Пример: {text}",
    exampleScribble: "Пример: просто каракули",
    charsetHeadline: "Не все эти символы можно прочитать",
    charsetRemark: "Возможны только латинские буквы и цифры.",
    failedHeadline: "Ошибка на сервере",
    failedRemark: "Подождите немного и нажмите «Распознать».",
    malformedHeadline: "Непонятный ответ",
    malformedRemark: "Нажмите «Распознать» ещё раз.",
    deviceHeadline: "Не удалось прочитать на устройстве",
    deviceRemark: "Распознаватель не загрузился или не запустился. Нажмите «Распознать» ещё раз.",
    tooDetailedHeadline: "Рисунок слишком сложный",
    tooDetailedRemark: "Нажмите «Очистить» и нарисуйте проще.",
    errorCode: "Ошибка {status}.",

    keyHeadline: "Серверу нужен ключ",
    keyRemark: "Нажмите «Распознать» и введите его.",
    keyHint: "Его выдаёт тот, кто отвечает за сервер.",
    keyNotOnDevice: "Чтобы читать на устройстве, ключ не нужен.",
    keyLabel: "Ключ",
    keyWrong: "Сервер не знает такого ключа.",
    keepKey: "Запомнить в этом браузере",
    useKey: "Применить",
    forgetKey: "Забыть ключ",

    cleared: "Очищено. Поле для рисования пустое.",
    undone: "Отменено.",
    redone: "Возвращено.",
    spokenAnswer: "{char}, {percent}.",
    spokenEither: "{list}. {remark}",
    spokenText: "Прочитано: {text}. {remark}",
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
  let tools = createTools(language);

  /** @type {I18n["text"]} */
  function text(key, values = {}) {
    const message = MESSAGES[tools.language][key];
    const template = typeof message === "string" ? message : message[tools.plurals.select(Number(values.count))];
    return template.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  }

  return {
    get language() {
      return tools.language;
    },
    set language(chosen) {
      tools = createTools(chosen);
    },
    text,
    // Rounding must not claim certainty: 0.998 is above 99 percent, not 100.
    percent(share) {
      if (share < 1 && share >= 0.995) return `>${tools.written.format(0.99)}`;
      if (share > 0 && share < 0.005) return `<${tools.written.format(0.01)}`;
      return tools.written.format(share);
    },
    spokenPercent(share) {
      if (share < 1 && share >= 0.995) return text("aboveNinetyNine");
      if (share > 0 && share < 0.005) return text("belowOne");
      return tools.spoken.format(share * 100);
    },
    either: (names) => tools.choice.format(names),
    // "a" and "A" sound alike. Only the small letter is told apart: a class named "C" may stand for
    // both cases, so to say "capital" could be wrong.
    spokenChar(char) {
      return char === char.toUpperCase() ? char : text("smallLetter", { char });
    },
  };
}

/** @param {Language} language */
function createTools(language) {
  return {
    language,
    plurals: new Intl.PluralRules(language),
    choice: new Intl.ListFormat(language, { type: "disjunction" }),
    written: new Intl.NumberFormat(language, { style: "percent" }),
    spoken: new Intl.NumberFormat(language, {
      style: "unit",
      unit: "percent",
      unitDisplay: "long",
      maximumFractionDigits: 0,
    }),
  };
}

/**
 * Puts the language in place of what the page says now.
 *
 * @param {Document} page
 * @param {I18n} i18n
 */
export function translatePage(page, i18n) {
  page.documentElement.lang = i18n.language;
  for (const element of page.querySelectorAll("[data-i18n]")) {
    element.textContent = i18n.text(element.getAttribute("data-i18n") ?? "");
  }
  for (const [data, attribute] of [["data-i18n-label", "aria-label"], ["data-i18n-title", "title"]]) {
    for (const element of page.querySelectorAll(`[${data}]`)) {
      element.setAttribute(attribute, i18n.text(element.getAttribute(data) ?? ""));
    }
  }
}
