"""Classes and charsets in the page's modules: those of Python."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from penread.charset import LOOK_ALIKES, NAMED_CHARSETS, SPLIT_CHARS, look_alikes_of, select, stands_for
from penread.errors import CharsetError
from tests.device.conftest import Caller

if TYPE_CHECKING:
    from playwright.sync_api import Page

MODULE = "device/charset.js"
ALPHABET = string.digits + string.ascii_letters
ODD = ["", " ", "A-Z", "é", "Digits", "digits ", "0o", "cC", "Cc", "ss", "😀A", "constructor", "ABC123", "ЖЯ", "l", "L"]


def charsets() -> list[str | None]:
    """Named charsets, odd ones, and some by chance."""
    rng = np.random.default_rng(4)
    chance = ["".join(rng.choice(list(ALPHABET), rng.integers(1, 20))) for _ in range(300)]
    return [None, *NAMED_CHARSETS, *ODD, *chance]


def test_the_tables_are_pythons(site: Page) -> None:
    tables = site.evaluate(
        """import("/static/device/charset.js").then(({ NAMED_CHARSETS, LOOK_ALIKES }) =>
            [Object.fromEntries(NAMED_CHARSETS), LOOK_ALIKES])"""
    )
    assert tables == [NAMED_CHARSETS, list(LOOK_ALIKES)]


def test_what_classes_stand_for(in_node: Caller) -> None:
    tables = list(SPLIT_CHARS.values())
    found = in_node(MODULE, "standsFor", [[chars] for chars in tables])
    assert [each["value"] for each in found] == [stands_for(chars) for chars in tables]


def test_look_alikes(in_node: Caller) -> None:
    found = in_node(MODULE, "lookAlikesOf", [[char] for char in SPLIT_CHARS["balanced"]])
    assert [each["value"] for each in found] == [look_alikes_of(char) for char in SPLIT_CHARS["balanced"]]


@pytest.mark.parametrize("split", ["balanced", "byclass", "letters", "digits"])
def test_charsets_select_what_they_do_in_python(in_node: Caller, split: str) -> None:
    chars = SPLIT_CHARS[split]
    found = in_node(MODULE, "select", [[chars, charset] for charset in charsets()])
    refused = 0
    for charset, each in zip(charsets(), found, strict=True):
        try:
            classes, answers = select(chars, charset)
        except CharsetError as error:
            refused += 1
            assert_same_refusal(each["error"], str(error), charset)
            continue
        assert each == {"value": {"classes": list(classes), "answers": list(answers)}}, charset
    assert refused > 5


def assert_same_refusal(error: dict[str, Any], in_python: str, charset: str | None) -> None:
    assert error["kind"] == "CharsetError"
    if error["code"] == "unknown":
        assert f"has no class for {' '.join(map(repr, error['chars']))}" in in_python, charset
    else:
        words = {"empty": "can't read an empty charset", "none": "No class of the model is in the charset"}
        assert words[error["code"]] in in_python
        assert error["chars"] == []
    assert ("A charset is one of" in error["message"]) == ("A charset is one of" in in_python)


def test_the_characters_that_may_be_answered(site: Page) -> None:
    script = """([chars, all]) => import("/static/device/charset.js").then(({ allowedChars }) =>
        all.map((charset) => [...allowedChars(chars, charset)].sort().join("")))"""
    chars = SPLIT_CHARS["balanced"]
    asked: list[str | None] = [None, *NAMED_CHARSETS, "0o", "Ll", "ABC123"]
    readable = set("".join(stands_for(chars)))
    wanted = [
        "".join(sorted(readable & set(readable if charset is None else NAMED_CHARSETS.get(charset, charset))))
        for charset in asked
    ]
    assert site.evaluate(script, [chars, asked]) == wanted
