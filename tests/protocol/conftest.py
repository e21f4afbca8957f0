"""A server with two models, real glyphs, and Python with the protocol's clients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from penread import Ink, Recognizer
from tests.conftest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BUNDLES = ("balanced", "reference")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server with both bundles that ship."""
    with serving(env={"PENREAD_BUNDLE": ",".join(BUNDLES)}) as (address, _):
        yield address


@pytest.fixture(scope="session")
def glyphs(drawings: list[dict[str, Any]]) -> NDArray[np.uint8]:
    """A blank, a blot, two characters at once, and drawn characters: uint8 (16, 28, 28)."""
    blot = np.zeros((28, 28), np.uint8)
    blot[8:22, 8:22] = 255
    two = Ink([[[5, 0], [5, 40], [30, 40]], [[60, 0], [90, 0]], [[75, 0], [75, 40]]]).glyph()
    drawn = [Ink(each["strokes"]).glyph() for each in drawings[:13]]
    return np.stack([np.zeros((28, 28), np.uint8), blot, two, *drawn])


@pytest.fixture(scope="session")
def recognizers() -> dict[str, Recognizer]:
    """The models of the server, in this process."""
    return {name: Recognizer(name) for name in BUNDLES}


@pytest.fixture(scope="session")
def client_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the clients."""
    venv = tmp_path_factory.mktemp("clients") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    needed = Path(__file__).with_name("clients.txt")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--only-binary", ":all:", "--no-compile", "--requirement", needed],
        check=True,
    )  # fmt: skip
    return python


def expected(recognizer: Recognizer, glyphs: NDArray[np.uint8]) -> dict[str, Any]:
    """What a model says of glyphs in this process, by the names of the outputs."""
    logits, kinds = recognizer.score(glyphs)
    predictions = recognizer.decide(glyphs, logits, kinds)
    return {
        "logits": logits,
        "kinds": kinds,
        "char": [each.char or "" for each in predictions],
        "confidence": [each.confidence for each in predictions],
    }


def assert_same(outputs: dict[str, Any], recognizer: Recognizer, glyphs: NDArray[np.uint8]) -> None:
    """Checks outputs, arrays or lists by name, against what the model says in this process."""
    told = expected(recognizer, glyphs)
    for name, values in outputs.items():
        if name == "char":
            assert list(values) == told["char"]
        else:
            # Runs of other sizes round otherwise.
            np.testing.assert_allclose(np.asarray(values), told[name], rtol=2e-3, atol=2e-3, err_msg=name)
