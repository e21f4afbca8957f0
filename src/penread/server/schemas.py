"""What the API takes and gives, as JSON."""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import TYPE_CHECKING, Annotated, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from penread.errors import InputError
from penread.ink import MAX_COORDINATE, Ink
from penread.server.limits import MAX_POINTS, MAX_STROKES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from penread.bundle import ModelInfo
    from penread.recognizer import Prediction, Source

# The list of strokes itself, and what a charset may hold.
_OTHER_BRACKETS = 128
_DATA_URL = re.compile(r"data:[\w.+/-]*(;[\w.=-]+)*;base64,", re.ASCII)

Coordinate = Annotated[float, Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE, allow_inf_nan=False)]
# fail_fast: the first error will do, and a body can hold millions.
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2, fail_fast=True)]
Stroke = Annotated[list[Point], Field(max_length=MAX_POINTS, fail_fast=True)]


class Options(BaseModel):
    """How to answer."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(default=5, ge=1, le=100, description="The most candidates to give.")
    charset: str | None = Field(
        default=None,
        max_length=100,
        description='The characters allowed: "digits", "upper", "lower", "letters", "alnum", or the characters '
        'themselves, such as "ABC123". All, where it is left out.',
    )
    include_glyph: bool = Field(default=False, description="Whether to give the 28×28 picture that the model saw.")


class PredictRequest(Options):
    """One character to read: either ``strokes`` or ``image``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "oneOf": [{"required": ["strokes"]}, {"required": ["image"]}],
            "examples": [{"strokes": [[[5, 0], [5, 40], [30, 40]]]}],
        },
    )

    strokes: list[Stroke] | None = Field(
        default=None,
        max_length=MAX_STROKES,
        fail_fast=True,
        description=f"Pen strokes, each a list of points [x, y], in any unit, y downward. At most {MAX_STROKES:,} "
        f"strokes, {MAX_POINTS:,} points together, coordinates within ±{MAX_COORDINATE:,.0f}.",
    )
    image: str | None = Field(
        default=None,
        description="An image file (PNG, JPEG, WebP, GIF, BMP, TIFF, PPM), as base64 or as a data URL.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> PredictRequest:
        if (self.strokes is None) == (self.image is None):
            raise ValueError('give either "strokes" or "image", and not both')
        points = sum(len(stroke) for stroke in self.strokes or [])
        if points > MAX_POINTS:
            raise ValueError(f"{points:,} points; {MAX_POINTS:,} is the most. Leave out points that lie close together")
        return self

    @classmethod
    def parse(cls, body: bytes) -> PredictRequest:
        """Reads a JSON body.

        Raises:
            InputError: There are more points than any request may have.
            ValidationError: The body is no JSON, or not as described.
        """
        # Every point opens a bracket, and little else does: refused before millions of them become objects.
        if body.count(b"[") > MAX_POINTS + MAX_STROKES + _OTHER_BRACKETS:
            raise InputError(f"More than {MAX_POINTS:,} points. Leave out points that lie close together.")
        return cls.model_validate_json(body)

    def source(self) -> Source:
        """Gives what is to be read.

        Raises:
            InputError: The image is not base64.
        """
        if self.image is None:
            return Ink(self.strokes or [])
        encoded = self.image
        if prefix := _DATA_URL.match(encoded):
            encoded = encoded[prefix.end() :]
        try:
            return base64.b64decode("".join(encoded.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError("image is not base64: give the file's bytes as base64 or as a data URL.") from error


class CandidateOut(BaseModel):
    """One possible answer."""

    char: str
    confidence: float = Field(ge=0, le=1, description="Its probability among the characters that are allowed.")


class ModelOut(BaseModel):
    """Which model answered."""

    name: str
    version: str


class PredictResponse(BaseModel):
    """What was read."""

    char: str | None = Field(description="The best candidate; null where the input was rejected.")
    confidence: float = Field(ge=0, le=1, description="The best candidate's confidence.")
    candidates: list[CandidateOut] = Field(description="The likeliest answers, best first; empty only for a blank.")
    rejected: Literal["blank", "unclear"] | None = Field(
        description="null; blank: there is no ink; unclear: the model can't tell what it is."
    )
    model: ModelOut
    glyph: str | None = Field(default=None, description="The picture that the model saw, a PNG as data URL.")

    @classmethod
    def of(cls, prediction: Prediction, info: ModelInfo, glyph: NDArray[np.uint8] | None) -> PredictResponse:
        """Words a prediction for the API.

        Args:
            prediction: What was read.
            info: The model that read it.
            glyph: The glyph to show, uint8 (28, 28), or None.
        """
        response = cls(
            char=prediction.char,
            confidence=prediction.confidence,
            candidates=[CandidateOut(char=each.char, confidence=each.confidence) for each in prediction.candidates],
            rejected=prediction.rejected,
            model=ModelOut(name=info.name, version=info.version),
        )
        if glyph is not None:
            response.glyph = _png_data_url(glyph)
        return response


class Health(BaseModel):
    """The service can answer."""

    status: Literal["ok"] = "ok"
    model: ModelOut


def _png_data_url(glyph: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(glyph).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
