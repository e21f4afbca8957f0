"""What classes stand for, and what charsets select."""

from __future__ import annotations

import pytest

from penread.charset import NAMED_CHARSETS, SPLIT_CHARS, select, stands_for
from penread.errors import CharsetError

BALANCED = SPLIT_CHARS["balanced"]


def test_the_splits_have_emnists_class_counts() -> None:
    counts = {split: len(chars) for split, chars in SPLIT_CHARS.items()}
    assert counts == {
        "balanced": 47, "byclass": 62, "bymerge": 47, "letters": 26, "digits": 10, "mnist": 10, "pool47": 47,
    }  # fmt: skip
    assert all(len(set(chars)) == len(chars) for chars in SPLIT_CHARS.values())


def test_merged_letters_are_those_of_emnist() -> None:
    merged = {both[0] for both in stands_for(BALANCED) if len(both) == 2}
    assert merged == set("CIJKLMOPSUVWXYZ")
    assert stands_for(SPLIT_CHARS["byclass"]) == list(SPLIT_CHARS["byclass"])
    assert all(len(both) == 2 for both in stands_for(SPLIT_CHARS["letters"]))


@pytest.mark.parametrize(
    ("charset", "answers"),
    [
        (None, BALANCED),
        ("digits", "0123456789"),
        ("upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("lower", "cijklmopsuvwxyzabdefghnqrt"),
        ("letters", BALANCED[10:]),
        ("alnum", BALANCED),
        ("ABC123", "123ABC"),
        ("c", "c"),
        ("cC", "C"),
        ("0o", "0o"),
    ],
)
def test_a_charset_masks_classes_and_chooses_the_case(charset: str | None, answers: str) -> None:
    classes, chars = select(BALANCED, charset)
    assert chars == answers
    assert [BALANCED[index].lower() for index in classes] == [char.lower() for char in chars]


@pytest.mark.parametrize("charset", ["", "A-Z", "é", "Digits "])
def test_an_unreadable_charset_is_told(charset: str) -> None:
    with pytest.raises(CharsetError, match='A charset is one of "digits"'):
        select(BALANCED, charset)


def test_a_model_of_digits_reads_no_letters() -> None:
    with pytest.raises(CharsetError, match="it reads 0123456789"):
        select("0123456789", "letters")
    assert select("0123456789", "alnum")[1] == "0123456789"


@pytest.mark.parametrize("charset", NAMED_CHARSETS)
def test_named_charsets_answer_only_what_they_allow(charset: str) -> None:
    assert set(select(BALANCED, charset)[1]) <= set(NAMED_CHARSETS[charset])
