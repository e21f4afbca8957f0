"""The character model of words, and how it is made."""

from __future__ import annotations

import gzip
import subprocess
import sys
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np
import pytest

from penread import language
from penread.errors import DataError
from penread.training.language import bits_a_letter, character_model, everyday, main, save, word_weights

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
The harbour was quiet in the morning, and the boats lay in the harbour as they had in the night. They had brought the
nets in before the storm; there was nothing to be done but wait for the weather to turn. Xyzzyq the harbour.
"""


def log_prob(word: str) -> float:
    """What the shipped model says to a word, nats."""
    symbols = [0, 0, 0, *(ord(char) - ord("a") + 1 for char in word), 0]
    letters = language.english().letters
    return float(sum(letters[tuple(symbols[at : at + 4])] for at in range(len(symbols) - 3)))


def test_the_shipped_model_is_small_and_has_no_pickles() -> None:
    with as_file(files("penread.language") / "english.npz") as path:
        assert path.stat().st_size < 500_000
        with np.load(path, allow_pickle=False) as archive:
            assert sorted(archive) == ["model", "word_costs", "words"]


def test_probabilities_add_up() -> None:
    sums = np.exp(language.english().letters.astype(np.float64)).sum(axis=3)
    # As near as steps of 0.05 nats allow.
    assert np.abs(sums - 1).max() < 0.03


def test_words_are_likelier_than_the_same_letters_in_disorder() -> None:
    for word in ("harbour", "invoice", "telephone", "bread", "thursday", "signature", "email", "keyboard"):
        rng = np.random.default_rng(1)
        disorder = [log_prob("".join(rng.permutation(list(word)))) for _ in range(20)]
        assert log_prob(word) > np.mean(disorder) + 5
    assert log_prob("queen") > log_prob("qveen") + 3


def test_common_words_are_known_by_length() -> None:
    for word in ("the", "invoice", "november", "street", "computer", "london"):
        vocabulary = language.english().words[len(word)]
        spelled = ["".join(chr(ord("a") + letter) for letter in row) for row in vocabulary.letters]
        assert word in spelled
        assert len(spelled) == len(vocabulary.log_probs) == len(set(spelled))
    total = sum(np.exp(each.log_probs.astype(np.float64)).sum() for each in language.english().words.values())
    assert total == pytest.approx(1, abs=0.03)


def test_words_of_texts_count_more_and_misprints_nothing() -> None:
    weights, used = word_weights("aardvark\nharbour\nmorning\nBoats\n", [TEXT], ["fax"])
    assert weights["harbour"] > weights["morning"] > weights["aardvark"]
    assert {"the", "harbour", "boats", "fax"} <= set(used)
    assert "aardvark" not in used
    assert "xyzzyq" not in weights


def test_a_longer_context_predicts_better_and_adds_up() -> None:
    words = everyday()
    model = character_model(dict.fromkeys(words[::2], 1.0), 3)
    assert np.allclose(model.sum(axis=2), 1)
    assert (model > 0).all()
    held_back = sorted(set(words[1::2]) - set(words[::2]))
    bits = [bits_a_letter(character_model(dict.fromkeys(words[::2], 1.0), order), held_back) for order in (1, 2, 3)]
    assert bits[0] > bits[1] > bits[2]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    weights, used = word_weights("harbour\nmorning\n", [TEXT], ["fax", "tea"])
    model = character_model(weights)
    for name in ("once.npz", "twice.npz"):
        save(tmp_path / name, model, {word: weights[word] for word in used})
    assert (tmp_path / "once.npz").read_bytes() == (tmp_path / "twice.npz").read_bytes()
    loaded = language.load(tmp_path / "once.npz")
    assert np.abs(loaded.letters - np.maximum(np.log(model), -255 * language.STEP)).max() <= language.STEP / 2 + 1e-6
    assert sum(len(each.log_probs) for each in loaded.words.values()) == len(used)


def test_the_command_makes_a_model_from_files(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("harbour\nmorning\nstorm\nboats\n")
    (tmp_path / "text.dz").write_bytes(gzip.compress(TEXT.encode()))
    arguments = [str(tmp_path / "out.npz"), str(tmp_path / "words"), str(tmp_path / "text.dz")]
    done = subprocess.run(
        [sys.executable, "-m", "penread.training.language", *arguments], capture_output=True, text=True, check=True
    )
    assert "order 4" in done.stdout
    assert "SHA-256" in done.stdout
    assert 7 in language.load(tmp_path / "out.npz").words


def test_a_text_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "damaged.gz").write_bytes(b"no gzip")
    for name in ("missing.txt", "damaged.gz"):
        with pytest.raises(DataError, match=name):
            main(tmp_path / "out.npz", tmp_path / name, [])
