"""The bundle: a model directory fit to serve, ``model.onnx`` and ``model.json``.

``model.json`` says what the model is, what it learnt from and how good it is, and has the sum of ``model.onnx``.
Whoever loads a bundle checks that sum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from penread.errors import BundleError

#: The bundle that everything uses where none is named.
DEFAULT_BUNDLE = "balanced"
#: What ink can be, in the order of a graph's output ``kinds``: one character, several, something else.
KINDS = ("one", "several", "other")

_SHIPPED = Path(str(files("penread") / "models"))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Run(_Strict):
    """A training that made a network.

    Attributes:
        recipe: The training configuration's name.
        recipe_sha256: Sum of all of it, hex digits; ``penread.training.recipes`` computes the same for its own.
        seed: Of weights, order and distortions.
        teachers: The trainings that it learnt from.
    """

    recipe: str
    recipe_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    seed: int = Field(ge=0)
    teachers: list[Run] = []


class TrainedOn(_Strict):
    """The images that a model learnt from.

    Attributes:
        split: EMNIST's split, of its train file.
        images: How many, those held back for validation not counted.
        sha256: Sums of the files, hex digits, by name.
    """

    split: str
    images: int = Field(gt=0)
    sha256: dict[str, str]


class Measured(_Strict):
    """What ``evaluate`` found when the bundle was exported.

    Attributes:
        split: The split whose test subset was read.
        images: How many.
        accuracy: The part that was read right.
        loss: Mean cross-entropy, nats.
    """

    split: str
    images: int = Field(gt=0)
    accuracy: float = Field(ge=0, le=1)
    loss: float = Field(ge=0)


class ModelInfo(_Strict):
    """The content of ``model.json``.

    Attributes:
        format: Version of this file's format.
        name: Name of the bundle.
        version: Version of the bundle; another model has another version.
        split: The split whose classes the model has.
        chars: The class table, one character a class.
        runs: The trainings that made its networks: one, or several whose logits are averaged.
        trained_on: The images it learnt from.
        measured: Its figures on the test subset; null where it was exported without one.
        temperature: Logits are divided by it before the softmax.
        rejection: Thresholds, 0 to 1, by name. ``"unclear"``: ink is rejected where the probability that it is not one
            character is above it. A bundle has it if its graph has the output ``kinds`` beside ``logits``.
        precision: What the graph multiplies: ``"float32"`` or ``"int8"``.
        parameters: Number of weights.
        multiply_adds: Multiplications, each with its addition, that one glyph takes.
        sha256: Sum of ``model.onnx``, hex digits.
    """

    format: Literal[1] = 1
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    split: str
    chars: str = Field(min_length=2)
    runs: list[Run] = Field(min_length=1)
    trained_on: TrainedOn
    measured: Measured | None
    temperature: float = Field(gt=0)
    rejection: dict[Literal["unclear"], Annotated[float, Field(gt=0, lt=1)]]
    precision: Literal["float32", "int8"]
    parameters: int = Field(gt=0)
    multiply_adds: int = Field(gt=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @field_validator("chars")
    @classmethod
    def _no_char_twice(cls, chars: str) -> str:
        if len(set(chars)) != len(chars):
            raise ValueError("a character has two classes")
        return chars


@dataclass(frozen=True)
class Bundle:
    """A loaded and verified bundle.

    Attributes:
        info: What ``model.json`` says.
        onnx: The content of ``model.onnx``.
    """

    info: ModelInfo
    onnx: bytes

    @classmethod
    def load(cls, bundle: str | Path = DEFAULT_BUNDLE) -> Bundle:
        """Loads a bundle and verifies it.

        Args:
            bundle: The name of a bundle that ships with penread, or a directory.

        Raises:
            BundleError: There is no such bundle, it is incomplete, or its sum is not the one it should be.
        """
        directory = _SHIPPED / bundle if isinstance(bundle, str) and bundle in shipped() else Path(bundle)
        if not directory.is_dir():
            names = ", ".join(shipped())
            raise BundleError(f'There is no bundle "{bundle}": neither one that ships ({names}) nor a directory.')
        try:
            info = ModelInfo.model_validate_json((directory / "model.json").read_bytes())
            onnx = (directory / "model.onnx").read_bytes()
        except OSError as error:
            raise BundleError(f"{directory} is no bundle: {error.strerror} ({error.filename}).") from error
        except ValidationError as error:
            wrong = "; ".join(": ".join([*map(str, item["loc"]), item["msg"]]) for item in error.errors())
            raise BundleError(f"{directory}/model.json is not one that this version can read: {wrong}.") from error
        if hashlib.sha256(onnx).hexdigest() != info.sha256:
            raise BundleError(f"{directory}/model.onnx is not the file that model.json describes: its SHA-256 differs.")
        return cls(info, onnx)


def load_all(bundles: list[str]) -> list[Bundle]:
    """Loads bundles that are served side by side.

    Args:
        bundles: Names of bundles that ship with penread, or directories.

    Raises:
        BundleError: There is none, one is missing or damaged, or two have the same name.
    """
    if not bundles:
        raise BundleError("No bundle is named: leave the setting out, or name one.")
    loaded: dict[str, Bundle] = {}
    for each in map(Bundle.load, bundles):
        if each.info.name in loaded:
            raise BundleError(f"Two bundles are called {each.info.name}: serve one of them, or rename one.")
        loaded[each.info.name] = each
    return list(loaded.values())


def shipped() -> list[str]:
    """Lists the names of the bundles that ship with penread."""
    return sorted(path.parent.name for path in _SHIPPED.glob("*/model.json"))
