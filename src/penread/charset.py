"""Which characters a class stands for: the class tables of EMNIST's splits, and charsets.

EMNIST merges letters whose two cases look alike: Balanced has one class for ``C`` and ``c``, named
``C``. A class *stands for* its own character and, where the split has no class of its own for it,
for the other case. That rule alone gives all of EMNIST's merges, so no table of them is kept.
"""

from __future__ import annotations

import string
from functools import lru_cache

from penread.errors import CharsetError

_DIGITS, _UPPER, _LOWER = string.digits, string.ascii_uppercase, string.ascii_lowercase
_MERGED = _DIGITS + _UPPER + "abdefghnqrt"

#: The characters of each split's classes, in label order (Cohen et al. 2017, arXiv:1702.05373).
#: ``pool47`` has Balanced's classes.
SPLIT_CHARS: dict[str, str] = {
    "balanced": _MERGED,
    "byclass": _DIGITS + _UPPER + _LOWER,
    "bymerge": _MERGED,
    "letters": _UPPER,
    "digits": _DIGITS,
    "mnist": _DIGITS,
    "pool47": _MERGED,
}

#: The charsets that have a name; any other charset is taken literally, character by character.
NAMED_CHARSETS: dict[str, str] = {
    "digits": _DIGITS,
    "upper": _UPPER,
    "lower": _LOWER,
    "letters": _UPPER + _LOWER,
    "alnum": _DIGITS + _UPPER + _LOWER,
}

#: Characters that look the same when they stand alone; only a context could tell them apart.
LOOK_ALIKES: tuple[str, ...] = ("0O", "1IL", "5S", "2Z", "9gq", "fF", "6b", "8B", "UV", "hn", "4Y")


def look_alikes_of(char: str) -> str:
    """Gives the characters that a character looks like, itself among them; itself alone where there are none.

    Args:
        char: The character of a class of EMNIST Balanced.
    """
    return next((similar for similar in LOOK_ALIKES if char in similar), char)


def stands_for(chars: str) -> list[str]:
    """Tells what each class of a class table stands for.

    Args:
        chars: The class table, one character a class, in label order.

    Returns:
        For each class its own character, followed by the other case of it where no other class has
        that: for Balanced ``"Cc"`` at class C, but ``"A"`` at class A, since there is a class a.
    """
    return [char + ("" if char.swapcase() in chars else char.swapcase()) for char in chars]


def select(chars: str, charset: str | None) -> tuple[tuple[int, ...], str]:
    """Selects the classes that a charset allows, and the character each answers with.

    Args:
        chars: The class table of the model.
        charset: ``"digits"``, ``"upper"``, ``"lower"``, ``"letters"``, ``"alnum"``, or the allowed
            characters themselves, such as ``"ABC123"``. None allows every class.

    Returns:
        The allowed class indices, ascending, and as many characters: class C answers ``"C"``, or
        ``"c"`` where the charset has only that.

    Raises:
        CharsetError: The charset is empty, or has a character that no class stands for.
    """
    if charset is None:
        return tuple(range(len(chars))), chars
    if not isinstance(charset, str):
        raise CharsetError(f'A charset is a string, such as "digits" or "ABC123", not {type(charset).__name__}.')
    return _select(chars, charset)


@lru_cache(maxsize=256)
def _select(chars: str, charset: str) -> tuple[tuple[int, ...], str]:
    allowed = NAMED_CHARSETS.get(charset)
    if allowed is None:
        allowed = charset
        readable = sorted(set("".join(stands_for(chars))))
        unknown = sorted(set(charset) - set(readable))
        if unknown or not charset:
            names = ", ".join(f'"{name}"' for name in NAMED_CHARSETS)
            what = f"has no class for {' '.join(map(repr, unknown))}" if unknown else "can't read an empty charset"
            raise CharsetError(
                f"The model {what}. A charset is one of {names}, or characters out of {''.join(readable)}."
            )
    picked = [
        (index, next(char for char in both if char in allowed))
        for index, both in enumerate(stands_for(chars))
        if any(char in allowed for char in both)
    ]
    if not picked:
        raise CharsetError(f'No class of the model is in the charset "{charset}": it reads {chars}.')
    return tuple(index for index, _ in picked), "".join(char for _, char in picked)
