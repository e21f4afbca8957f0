"""Characters drawn for training: all different, repeatable, and what they are meant to be."""

from __future__ import annotations

import numpy as np

from penread import Recognizer
from penread.charset import SPLIT_CHARS, look_alikes_of
from penread.training.styles import drawn

CHARS = SPLIT_CHARS["pool47"]


def test_drawn_characters_are_glyphs_and_all_different() -> None:
    made = drawn(CHARS, 10, 1)
    assert made.images.shape == (len(made), 28, 28)
    assert made.images.dtype == np.uint8
    assert (made.images.max(axis=(1, 2)) > 200).all()
    assert len(np.unique(made.images.reshape(len(made), -1), axis=0)) == len(made)
    # Every class that can be told from others when drawn plainly.
    assert {CHARS[label] for label in made.labels} == set(CHARS) - set("O")


def test_the_same_seed_draws_the_same() -> None:
    first, again, other = (drawn(CHARS, 2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    assert (first.images != other.images).any(axis=(1, 2)).all()


def test_only_characters_of_the_class_table_are_drawn() -> None:
    digits = drawn("0123456789", 1, 1)
    assert set(digits.labels.tolist()) == set(range(10))
    letters = drawn(SPLIT_CHARS["letters"], 1, 1)
    assert set(letters.labels.tolist()) == set(range(26)) - {14}


def test_most_are_read_as_what_they_are(recognizer: Recognizer) -> None:
    made = drawn(CHARS, 20, 1)
    read = recognizer.logits(made.images).argmax(axis=1)
    right = [look_alikes_of(CHARS[a]) == look_alikes_of(CHARS[b]) for a, b in zip(read, made.labels, strict=True)]
    assert np.mean(right) > 0.75
