"""The tensors of the Open Inference Protocol: a request's body to glyphs, and what was read to an answer's body.

Tensors are numbers in JSON, or binary data behind the JSON (the protocol's binary tensor extension): little-endian, row
by row, and strings each behind its length.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from penread.bundle import KINDS
from penread.errors import InputError
from penread.server.limits import MAX_ITEMS
from penread.server.schemas import Whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from penread.bundle import ModelInfo
    from penread.prediction import Prediction

#: The one input.
INPUT = "glyphs"
OutputName = Literal["logits", "kinds", "char", "confidence"]
#: The outputs, in the order in which all of them are answered.
OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)
#: Each tensor's type.
DATATYPES: dict[str, Literal["UINT8", "FP32", "BYTES"]] = {
    INPUT: "UINT8",
    "logits": "FP32",
    "kinds": "FP32",
    "char": "BYTES",
    "confidence": "FP32",
}

_SIDE = 28
_GLYPH_BYTES = _SIDE * _SIDE
# Every number but the first has a comma before it, and every row and glyph a bracket around it.
_MAX_MARKS = MAX_ITEMS * (_GLYPH_BYTES + _SIDE + 1) + 1024
_MAX_ID = 1_024
# Several times what the largest request has, however it is indented.
_MAX_UNPACKED_BYTES = 16 * 1024 * 1024
# The least that a 32-bit number can be: JSON has no minus infinity.
_LEAST = float(np.finfo(np.float32).min)

_Pixel = Annotated[Whole, Field(strict=True, ge=0, le=255)]
# fail_fast: the first error will do, and a body can hold hundreds of thousands.
_Flat = Annotated[list[_Pixel], Field(max_length=MAX_ITEMS * _GLYPH_BYTES, fail_fast=True)]
_Row = Annotated[list[_Pixel], Field(min_length=_SIDE, max_length=_SIDE, fail_fast=True)]
_Glyph = Annotated[list[_Row], Field(min_length=_SIDE, max_length=_SIDE, fail_fast=True)]
_Nested = Annotated[list[_Glyph], Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)]


class TooLargeError(InputError):
    """A body unpacks to too much."""


def _form(data: object) -> str:
    return "nested" if isinstance(data, list) and data and isinstance(data[0], list) else "flat"


class _Parameters(BaseModel):
    """Parameters of a tensor; those that are not known are passed over."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _none_of_other_extensions(self) -> Self:
        # To pass over these would answer something else than was asked.
        asked = self.model_extra or {}
        if "shared_memory_region" in asked:
            raise ValueError("this server shares no memory with its clients: send and take tensors in the body")
        if "classification" in asked:
            raise ValueError('this server has no classification extension: ask for the outputs "char" and "confidence"')
        return self


class InputParameters(_Parameters):
    """How an input is sent."""

    binary_data_size: int | None = Field(
        default=None, strict=True, ge=0, description="Bytes of this tensor behind the JSON, where it is sent so."
    )


class InferInput(BaseModel):
    """The glyphs to read."""

    name: Literal["glyphs"]
    shape: tuple[Annotated[int, Field(strict=True, ge=0, le=MAX_ITEMS)], Literal[28], Literal[28]] = Field(
        description=f"[N, 28, 28], N up to {MAX_ITEMS}."
    )
    datatype: Literal["UINT8"]
    parameters: InputParameters | None = None
    data: Annotated[Annotated[_Flat, Tag("flat")] | Annotated[_Nested, Tag("nested")], Discriminator(_form)] | None = (
        Field(default=None, description="The pixels row by row, ink 255 on 0, flat or nested as the shape says.")
    )


class OutputParameters(_Parameters):
    """How an output is answered."""

    binary_data: bool | None = Field(default=None, strict=True, description="Whether it follows the JSON.")


class RequestedOutput(BaseModel):
    """An output to answer."""

    name: OutputName
    parameters: OutputParameters | None = None


class RequestParameters(BaseModel):
    """What holds for all of a request; others than these are passed over."""

    binary_data_output: bool | None = Field(
        default=None, strict=True, description="Whether outputs that don't say themselves follow the JSON."
    )


class InferRequest(BaseModel):
    """A request to read glyphs."""

    id: str | None = Field(default=None, max_length=_MAX_ID, description="Any text; the answer has it again.")
    parameters: RequestParameters | None = None
    inputs: list[InferInput] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] | None = Field(
        default=None, max_length=len(OUTPUTS), description="The outputs to answer, in this order; all, where left out."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [each.name for each in self.outputs or ()]
        if len(set(names)) < len(names):
            raise ValueError("an output is asked for twice")
        return self


@dataclass(frozen=True)
class Asked:
    """A request that was understood.

    Attributes:
        glyphs: uint8 (N, 28, 28).
        outputs: The outputs to answer, in this order, and whether each is to be binary.
        id: What the client calls the request.
    """

    glyphs: NDArray[np.uint8]
    outputs: dict[OutputName, bool]
    id: str | None

    @property
    def wants_predictions(self) -> bool:
        """Whether it asks for more than what the network says."""
        return "char" in self.outputs or "confidence" in self.outputs


def unpack(body: bytes, encoding: str) -> bytes:
    """Decompresses a body, if it is no larger than anybody needs.

    Args:
        body: The body.
        encoding: ``"gzip"`` or ``"deflate"``.

    Raises:
        TooLargeError: It is larger than that.
        InputError: It isn't compressed so, or is cut off.
    """
    # deflate, in HTTP, is zlib's format.
    decompressor = zlib.decompressobj(zlib.MAX_WBITS + 16 if encoding == "gzip" else zlib.MAX_WBITS)
    try:
        unpacked = decompressor.decompress(body, _MAX_UNPACKED_BYTES + 1)
    except zlib.error as error:
        raise InputError(f"The body isn't {encoding}, as its Content-Encoding says: {error}.") from error
    if len(unpacked) > _MAX_UNPACKED_BYTES:
        raise TooLargeError(f"The body unpacks to more than {_MAX_UNPACKED_BYTES:,} bytes; send fewer glyphs.")
    if not decompressor.eof or decompressor.unused_data:
        raise InputError(f"The body isn't one whole piece of {encoding}.")
    return unpacked


def parse(body: bytes, json_bytes: int | None) -> Asked:
    """Reads a request's body.

    Args:
        body: JSON, and binary data behind it.
        json_bytes: The length of the JSON, from the header ``Inference-Header-Content-Length``: all of the body, where
            None; 0 for glyphs and nothing else, which asks for all outputs as binary data.

    Raises:
        InputError: The parts don't fit together, or are too large.
        ValidationError: The JSON is none, or not as described.
    """
    if json_bytes == 0:
        if not body or len(body) % _GLYPH_BYTES:
            raise InputError(f"The body has {len(body):,} bytes; without JSON it is glyphs of {_GLYPH_BYTES} bytes.")
        return Asked(_from_binary(body, 0, len(body) // _GLYPH_BYTES), dict.fromkeys(OUTPUTS, True), None)
    end = len(body) if json_bytes is None else json_bytes
    if end > len(body):
        raise InputError(f"Inference-Header-Content-Length is {end:,}, but the body has {len(body):,} bytes.")
    text = body[:end]
    # Refused before millions of numbers, lists or objects are made.
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > _MAX_MARKS:
        raise InputError(f"The JSON holds more than {MAX_ITEMS} glyphs do, the most of a request. Send fewer.")
    request = InferRequest.model_validate_json(text)
    [given] = request.inputs
    binary_size = given.parameters.binary_data_size if given.parameters else None
    _check_sizes(given, binary_size, len(body) - end)
    count = given.shape[0]
    if given.data is not None:
        glyphs = np.array(given.data, np.uint8).reshape(count, _SIDE, _SIDE)
    else:
        glyphs = _from_binary(body, end, count)
    is_binary = bool(request.parameters and request.parameters.binary_data_output)
    if not request.outputs:
        return Asked(glyphs, dict.fromkeys(OUTPUTS, is_binary), request.id)
    outputs = {}
    for each in request.outputs:
        said = each.parameters.binary_data if each.parameters else None
        outputs[each.name] = is_binary if said is None else said
    return Asked(glyphs, outputs, request.id)


def answer(
    asked: Asked,
    info: ModelInfo,
    logits: NDArray[np.float64],
    kinds: NDArray[np.float64],
    predictions: list[Prediction],
) -> tuple[bytes, int | None]:
    """Puts the body of an answer together.

    Args:
        asked: What was asked.
        info: The model that answers.
        logits: float (N, classes).
        kinds: Log-probabilities, float (N, 3); minus infinity is answered as the least 32-bit number.
        predictions: N of them; none where ``asked`` wants none.

    Returns:
        The body, and the length of its JSON where there is binary data behind it.
    """
    outputs, binary = [], []
    for name, is_binary in asked.outputs.items():
        output: dict[str, Any] = {"name": name, "datatype": DATATYPES[name]}
        if name == "char":
            chars = [each.char or "" for each in predictions]
            output["shape"] = [len(chars)]
            data = b"".join(len(char).to_bytes(4, "little") + char for char in map(str.encode, chars))
            values: list[Any] = chars
        else:
            array = _numbers(name, logits, kinds, predictions)
            output["shape"] = list(array.shape)
            data = array.tobytes() if is_binary else b""
            values = [] if is_binary else array.ravel().tolist()
        if is_binary:
            output["parameters"] = {"binary_data_size": len(data)}
            binary.append(data)
        else:
            output["data"] = values
        outputs.append(output)
    content: dict[str, Any] = {"model_name": info.name, "model_version": info.version, "outputs": outputs}
    if asked.id is not None:
        content["id"] = asked.id
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join([text, *binary]), len(text) if binary else None


def output_shape(name: OutputName, classes: int) -> list[int]:
    """Gives an output's shape, -1 for the number of glyphs.

    Args:
        name: The output.
        classes: How many classes the model has.
    """
    return {"logits": [-1, classes], "kinds": [-1, len(KINDS)]}.get(name, [-1])


def _check_sizes(given: InferInput, binary_size: int | None, behind: int) -> None:
    """Refuses an input whose shape and data are of two minds.

    Args:
        given: The input.
        binary_size: The bytes that it says it has behind the JSON, if it says so.
        behind: The bytes that there are.
    """
    expected = math.prod(given.shape)
    if (given.data is None) == (binary_size is None):
        raise InputError('Give either "data" or the parameter "binary_data_size", and not both.')
    if binary_size is None:
        if behind:
            raise InputError(f"There are {behind:,} bytes behind the JSON, and no input that has them.")
        numbers = len(given.data or ()) * (_GLYPH_BYTES if _form(given.data) == "nested" else 1)
        if numbers != expected:
            raise InputError(f"data has {numbers:,} numbers; the shape {list(given.shape)} has {expected:,}.")
    elif not binary_size == behind == expected:
        raise InputError(
            f"binary_data_size is {binary_size:,}, there are {behind:,} bytes behind the JSON, and the shape "
            f"{list(given.shape)} has {expected:,}: these must be the same."
        )


def _from_binary(body: bytes, first: int, count: int) -> NDArray[np.uint8]:
    if count > MAX_ITEMS:
        raise InputError(f"The body has {count:,} glyphs; {MAX_ITEMS} is the most. Send fewer at a time.")
    return np.frombuffer(body, np.uint8, count * _GLYPH_BYTES, first).reshape(count, _SIDE, _SIDE)


def _numbers(
    name: OutputName, logits: NDArray[np.float64], kinds: NDArray[np.float64], predictions: list[Prediction]
) -> NDArray[np.float32]:
    if name == "logits":
        return logits.astype("<f4")
    if name == "kinds":
        return np.maximum(kinds, _LEAST).astype("<f4")
    return np.array([each.confidence for each in predictions], "<f4")
