"""What the API takes and gives, as JSON."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from PIL import Image
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, JsonValue, Tag, model_validator

from penread.errors import InputError
from penread.ink import MAX_COORDINATE, Ink
from penread.server.limits import MAX_CHARSETS, MAX_ITEMS, MAX_POINTS, MAX_POINTS_OF_ITEMS, MAX_STROKES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from penread.bundle import ModelInfo
    from penread.prediction import Explanation, Prediction, Reading
    from penread.recognizer import Source

# The list of strokes itself, and what a charset may hold.
_OTHER_BRACKETS = 128
_BRACKETS = MAX_POINTS + MAX_STROKES + _OTHER_BRACKETS
_BRACKETS_OF_ITEMS = MAX_POINTS_OF_ITEMS + MAX_ITEMS * MAX_STROKES
_DATA_URL = re.compile(r"data:[\w.+/-]*(;[\w.=-]+)*;base64,", re.ASCII)

Coordinate = Annotated[float, Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE, allow_inf_nan=False)]
# fail_fast: the first error will do, and a body can hold millions.
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2, fail_fast=True)]
Stroke = Annotated[list[Point], Field(max_length=MAX_POINTS, fail_fast=True)]


# 5.0 is a whole number in JSON, and some languages know no other.
Whole = Annotated[
    int, BeforeValidator(lambda value: int(value) if isinstance(value, float) and value % 1 == 0 else value)
]
# What a model's classes allow is checked by the model; no model has other characters than these.
Charset = Annotated[str, Field(max_length=100, json_schema_extra={"minLength": 1, "pattern": "^[0-9A-Za-z]+$"})]
# The kind is told from the value, so that an error is told of that kind alone.
Charsets = Annotated[
    Annotated[Charset, Tag("string")]
    | Annotated[list[Charset | None], Field(min_length=1, max_length=MAX_CHARSETS), Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list) else "string"),
]
_CHARSET = (
    '"digits", "upper", "lower", "letters", "alnum", or the characters themselves, such as "ABC123". '
    "All, where it is left out"
)


class FormFields(BaseModel):
    """What may be a field of a form beside the file."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def from_form(cls, fields: list[tuple[str, str]]) -> Self:
        """Reads the fields of a form, in their order; what is there several times is a list.

        Raises:
            ValidationError: A field is none of the options, or not as described.
        """
        values: dict[str, list[str]] = {}
        for name, value in fields:
            values.setdefault(name, []).append(value)
        return cls.model_validate({name: cls._said(name, given) for name, given in values.items()})

    @classmethod
    def _said(cls, name: str, given: list[str]) -> str | bool | list[str]:
        """Gives what a field of a form says: text, and true and false where that is what it may say."""
        if len(given) > 1:
            return given
        field = cls.model_fields.get(name)
        return (
            {"true": True, "false": False}.get(given[0], given[0]) if field and field.annotation is bool else given[0]
        )

    @classmethod
    def form_schema(cls, max_images: int) -> dict[str, Any]:
        """Describes a form, in JSON Schema: the options, none of which is null there, and the files.

        Args:
            max_images: The most files.
        """
        image: dict[str, Any] = {"type": "string", "format": "binary"}
        if max_images > 1:
            image = {"type": "array", "items": image, "minItems": 1, "maxItems": max_images}
        properties: dict[str, Any] = {"image": {**image, "description": "An image file."}}
        for name, described in cls.model_json_schema()["properties"].items():
            kinds = [kind for kind in described.get("anyOf", []) if kind != {"type": "null"}]
            kept = {key: value for key, value in described.items() if key not in {"anyOf", "default"} or not kinds}
            properties[name] = {**kept, **(kinds[0] if kinds else {})}
        return {"type": "object", "required": ["image"], "properties": properties, "additionalProperties": False}


class Options(FormFields):
    """How to answer."""

    top_k: Whole = Field(default=5, ge=1, le=100, description="The most candidates to give.")
    unclear_above: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Ink is rejected as unclear where the probability that it is not one character is above this: "
        "the lower, the more is rejected. 0 rejects practically all ink; 1 rejects none, specks and blots included. "
        "The model's own bound, where it is left out.",
    )


class PredictOptions(Options):
    """How to answer what one character is."""

    charset: Charset | None = Field(default=None, description=f"The characters allowed: {_CHARSET}.")
    include_glyph: bool = Field(
        default=False, strict=True, description="Whether to give the 28×28 picture that the model saw."
    )


class ExplainOptions(FormFields):
    """Which character to explain."""

    charset: Charset | None = Field(default=None, description=f"The characters allowed: {_CHARSET}.")
    char: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="The character to speak for, one of those allowed, in either case where the model has one class "
        "for both. The likeliest, where it is left out.",
        json_schema_extra={"pattern": "^[0-9A-Za-z]$"},
    )


class ReadOptions(Options):
    """How to answer what a page says."""

    charset: Charsets | None = Field(
        default=None,
        description=f"The characters allowed: {_CHARSET}. Or a list of as many as there are lines, each for its line, "
        "null for all; in a form the field is given several times, empty for all.",
    )
    context: bool = Field(
        default=True,
        strict=True,
        description="Whether words are read as a whole: neighbours, sizes and a model of English decide between "
        "characters that look alike. Without, each character is read by itself.",
    )

    @classmethod
    def from_form(cls, fields: list[tuple[str, str]]) -> Self:
        """Reads the fields of a form; an empty charset allows all characters."""
        options = super().from_form(fields)
        if isinstance(options.charset, list):
            options.charset = [charset or None for charset in options.charset]
        else:
            options.charset = options.charset or None
        return options

    @classmethod
    def form_schema(cls, max_images: int) -> dict[str, Any]:
        """Describes the form; its charset may be there several times, and empty."""
        schema = super().form_schema(max_images)
        charset = {"type": "string", "maxLength": 100, "pattern": "^[0-9A-Za-z]*$"}
        many = {"type": "array", "items": charset, "maxItems": MAX_CHARSETS}
        described = schema["properties"]["charset"]["description"]
        schema["properties"]["charset"] = {"anyOf": [charset, many], "description": described}
        return schema


class SourceFields(BaseModel):
    """What to read: either ``strokes`` or ``image``."""

    strokes: list[Stroke] | None = Field(
        default=None,
        max_length=MAX_STROKES,
        fail_fast=True,
        description=f"Pen strokes, each a list of points [x, y], in any unit, y downward. At most {MAX_STROKES:,} "
        f"strokes, {MAX_POINTS:,} points together, coordinates within ±{MAX_COORDINATE:,.0f}.",
    )
    image: Annotated[str, Field(json_schema_extra={"format": "base64-image"})] | None = Field(
        default=None,
        description="An image file (PNG, JPEG, WebP, GIF, BMP, TIFF, PPM), as base64 or as a data URL.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in self._SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give either {' or '.join(self._SOURCES)}, one of them")
        if (points := self.points) > MAX_POINTS:
            raise ValueError(f"{points:,} points; {MAX_POINTS:,} is the most. Leave out points that lie close together")
        return self

    _SOURCES: ClassVar[tuple[str, ...]] = ("strokes", "image")

    @property
    def points(self) -> int:
        """How many points the strokes have."""
        return sum(map(len, self.strokes or ()))

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Reads a JSON body.

        Raises:
            InputError: There are more points than any request may have.
            ValidationError: The body is no JSON, or not as described.
        """
        # Every point opens a bracket, and little else does: refused before millions of them become objects.
        of_many = b'"items"' in body
        if body.count(b"[") > (_BRACKETS_OF_ITEMS if of_many else _BRACKETS):
            most = MAX_POINTS_OF_ITEMS if of_many else MAX_POINTS
            raise InputError(f"More than {most:,} points. Leave out points that lie close together.")
        # Strictly: JSON has numbers and booleans of its own, so that a text is neither.
        return cls.model_validate_json(body, strict=True)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Describes the JSON body, in JSON Schema without references: within OpenAPI they would lead elsewhere."""
        schema = cls.model_json_schema()
        for name, described in schema.pop("$defs", {}).items():
            reference = json.dumps({"$ref": f"#/$defs/{name}"})
            schema = json.loads(json.dumps(schema).replace(reference, json.dumps(described)))
        return schema

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


_O: JsonValue = [[57, 0], [46, 6], [42, 20], [46, 34], [57, 40], [68, 34], [72, 20], [68, 6], [57, 0]]


def _one_of(*names: str) -> dict[str, JsonValue]:
    """Says in JSON Schema that one of the fields is given, and the others are null or left out."""
    alternatives: list[JsonValue] = [
        {
            "required": [name],
            "properties": {each: {"not": {"type": "null"}} if each == name else {"type": "null"} for each in names},
        }
        for name in names
    ]
    return {"oneOf": alternatives}


_ONE_SOURCE = _one_of("strokes", "image")


class Item(SourceFields):
    """One of many characters: either ``strokes`` or ``image``."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_SOURCE)


class PredictRequest(SourceFields, PredictOptions):
    """One character to read, ``strokes`` or ``image``; or many, ``items``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            **_one_of("strokes", "image", "items"),
            "examples": [{"strokes": [[[5, 0], [5, 40], [30, 40]]]}],
        },
    )
    _SOURCES: ClassVar[tuple[str, ...]] = ("strokes", "image", "items")

    items: list[Item] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_ITEMS,
        fail_fast=True,
        description="Many characters, each by itself, answered in this order; "
        f"{MAX_POINTS_OF_ITEMS:,} points together.",
    )

    @property
    def points(self) -> int:
        """How many points the strokes have; those of items have a bound of their own."""
        points = sum(each.points for each in self.items or ())
        if points > MAX_POINTS_OF_ITEMS:
            raise ValueError(f"{points:,} points; {MAX_POINTS_OF_ITEMS:,} is the most. Send fewer items at a time")
        return super().points


class ExplainRequest(SourceFields, ExplainOptions):
    """One character to explain: either ``strokes`` or ``image``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={**_ONE_SOURCE, "examples": [{"strokes": [[[5, 0], [5, 40], [30, 40]]], "char": "L"}]},
    )


class ReadRequest(SourceFields, ReadOptions):
    """A page to read, or strokes side by side: either ``strokes`` or ``image``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            **_ONE_SOURCE,
            # L O T
            "examples": [{"strokes": [[[5, 0], [5, 40], [30, 40]], _O, [[87, 0], [117, 0]], [[102, 0], [102, 40]]]}],
        },
    )


class CandidateOut(BaseModel):
    """One possible answer."""

    model_config = ConfigDict(from_attributes=True)

    char: str
    confidence: float = Field(ge=0, le=1, description="Its probability among the characters that are allowed.")


class ModelOut(BaseModel):
    """Which model answered."""

    name: str
    version: str


class PredictionOut(BaseModel):
    """What one character was read as."""

    model_config = ConfigDict(from_attributes=True)

    char: str | None = Field(description="The best candidate; null where the input was rejected.")
    confidence: float = Field(
        ge=0,
        le=1,
        description="The best candidate's confidence; 0 for a blank; where unclear, times the probability that it is "
        "one character at all.",
    )
    candidates: list[CandidateOut] = Field(description="The likeliest answers, best first; empty only for a blank.")
    rejected: Literal["blank", "unclear"] | None = Field(
        description="null; blank: there is no ink; unclear: the model can't tell what it is."
    )
    reason: Literal["empty", "speck", "solid", "several", "unknown"] | None = Field(
        description="Why it was rejected. empty: there is no ink; speck: too little of it; solid: too much; several: "
        "more than one character; unknown: no character that the model knows."
    )


class PredictResponse(PredictionOut):
    """What was read."""

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
        read = PredictionOut.model_validate(prediction)
        response = cls(**vars(read), model=ModelOut(name=info.name, version=info.version))
        if glyph is not None:
            response.glyph = _png_data_url(glyph)
        return response


class ItemOut(PredictionOut):
    """What one of many was read as."""

    glyph: str | None = Field(default=None, description="The picture that the model saw, a PNG as data URL.")


class PredictManyResponse(BaseModel):
    """What was read of many."""

    predictions: list[ItemOut] = Field(description="One for each item, in their order.")
    model: ModelOut

    @classmethod
    def of(
        cls, predictions: list[Prediction], info: ModelInfo, glyphs: NDArray[np.uint8] | None
    ) -> PredictManyResponse:
        """Words predictions for the API.

        Args:
            predictions: What was read.
            info: The model that read it.
            glyphs: The glyphs to show, uint8 (N, 28, 28), or None.
        """
        items = [ItemOut(**vars(PredictionOut.model_validate(prediction))) for prediction in predictions]
        if glyphs is not None:
            for item, glyph in zip(items, glyphs, strict=True):
                item.glyph = _png_data_url(glyph)
        return cls(predictions=items, model=ModelOut(name=info.name, version=info.version))


class ExplainResponse(BaseModel):
    """Why a character was read, or might have been."""

    char: str = Field(description="The character that is spoken for.")
    confidence: float = Field(ge=0, le=1, description="Its probability among the characters that are allowed.")
    importance: list[list[float]] = Field(
        description="What the ink at each pixel of the glyph is worth to the character, nats of its log-odds, 28 rows "
        "of 28: positive where it speaks for it, negative where it speaks against it, 0 where there is no ink."
    )
    glyph: str = Field(description="The picture that the model saw, a PNG as data URL.")
    model: ModelOut

    @classmethod
    def of(cls, explanation: Explanation, info: ModelInfo) -> ExplainResponse:
        """Words an explanation for the API.

        Args:
            explanation: What speaks for the character.
            info: The model that read it.
        """
        return cls(
            char=explanation.char,
            confidence=explanation.confidence,
            importance=explanation.importance.round(4).tolist(),
            glyph=_png_data_url(explanation.glyph),
            model=ModelOut(name=info.name, version=info.version),
        )


class BoxOut(BaseModel):
    """A rectangle: in pixels of the upright image, or in the unit of the strokes."""

    model_config = ConfigDict(from_attributes=True)

    left: float
    top: float
    right: float
    bottom: float


class CharacterOut(PredictionOut):
    """A character of a line."""

    box: BoxOut = Field(description="Where its ink is.")


class LineOut(BaseModel):
    """A line of a page."""

    model_config = ConfigDict(from_attributes=True)

    text: str = Field(description="Its characters, words parted by a space; U+FFFD for what was rejected.")
    box: BoxOut = Field(description="Where its ink is.")
    characters: list[CharacterOut] = Field(description="Its characters in reading order; spaces aren't among them.")


class ReadResponse(BaseModel):
    """What was read on a page."""

    text: str = Field(description="The texts of the lines, one below the other.")
    width: float = Field(description="Width of the page, in the unit of the boxes.")
    height: float = Field(description="Height of the page.")
    lines: list[LineOut] = Field(description="The lines from top to bottom; none where there is no ink.")
    model: ModelOut

    @classmethod
    def of(cls, reading: Reading, info: ModelInfo) -> ReadResponse:
        """Words a reading for the API.

        Args:
            reading: What was read.
            info: The model that read it.
        """
        return cls(
            text=reading.text,
            width=reading.width,
            height=reading.height,
            lines=[LineOut.model_validate(line) for line in reading.lines],
            model=ModelOut(name=info.name, version=info.version),
        )


class Health(BaseModel):
    """The service can answer."""

    status: Literal["ok"]
    model: ModelOut


def _png_data_url(glyph: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(glyph).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
