"""For schemathesis: what images are, and what the description of the API can't say in JSON Schema.

PYTHONPATH=. SCHEMATHESIS_HOOKS=tests.security.schema_hooks schemathesis run URL/openapi.json
"""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

import schemathesis
from hypothesis import strategies
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from schemathesis import Case, HookContext


def _picture(kind: str, size: int) -> bytes:
    """Makes a picture of an L."""
    image = Image.new("L", (size, size), 255)
    ImageDraw.Draw(image).line(
        [(size // 4, size // 6), (size // 4, size * 3 // 4), (size * 3 // 4, size * 3 // 4)], 0, 3
    )
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


_PICTURES = [_picture(kind, size) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM") for size in (28, 90)]
_TEXTS = [base64.b64encode(picture).decode() for picture in _PICTURES]
_TEXTS += [f"data:image/png;base64,{text}" for text in _TEXTS[:2]]

schemathesis.openapi.format("base64-image", strategies.sampled_from(_TEXTS))
schemathesis.openapi.format("binary", strategies.sampled_from(_PICTURES))


@schemathesis.hook
def filter_case(_context: HookContext, case: Case[Any]) -> bool:
    """Leaves out bodies that are as described and ask for the impossible, which is answered 422.

    And those that are meant to be wrong and aren't: an empty list sends no field of a form, and what should be text and
    is a number or true or false is text in a form.
    """
    if case.meta is None:
        return True
    if case.meta.generation.mode.is_positive:
        return _is_inference(case) if case.path.endswith("/infer") else _is_possible(case)
    is_form = case.media_type == "multipart/form-data" and isinstance(case.body, dict)
    if not is_form:
        return True
    fields: dict[str, Any] = case.body  # type: ignore[assignment]
    return not any(map(_is_empty, fields.values())) and not isinstance(fields.get("charset"), bool | int | float)


def _is_possible(case: Case[Any]) -> bool:
    """Whether what is asked for can be done."""
    if not isinstance(case.body, dict):
        return True
    items = case.body.get("items")
    is_possible = all(map(_is_picture, [case.body, *(items if isinstance(items, list) else [])]))
    if case.path.endswith("/read"):
        return is_possible and not _has_a_charset_for_each_line(case.body)
    if case.path.endswith("/explain"):
        return is_possible and _has_ink(case.body) and _speaks_for_an_allowed_char(case.body)
    return is_possible


def _is_empty(value: object) -> bool:
    """Whether a value is an empty list or object, or a list of such."""
    return value == {} or (isinstance(value, list) and all(map(_is_empty, value)))


def _is_inference(case: Case[Any]) -> bool:
    """Whether tensors have the bytes or numbers that they say; where bytes follow, only a client can count them."""
    if not isinstance(case.body, dict) or "Inference-Header-Content-Length" in (case.headers or {}):
        return False
    inputs = case.body.get("inputs")
    return isinstance(inputs, list) and all(map(_is_filled, inputs))


def _is_filled(tensor: Any) -> bool:
    """Whether a tensor has as much data as its shape says, and any: that it comes behind JSON is said in a header."""
    return (
        isinstance(tensor, dict) and bool(tensor.get("data")) and _count(tensor["data"]) == math.prod(tensor["shape"])
    )


def _count(data: Any) -> int:
    return sum(map(_count, data)) if isinstance(data, list) else 1


def _is_picture(source: object) -> bool:
    """Whether the text for an image is one."""
    image = source.get("image") if isinstance(source, dict) else None
    return not isinstance(image, str) or image in _TEXTS


def _has_a_charset_for_each_line(body: dict[str, Any]) -> bool:
    """Whether there are charsets for lines: as many as there are lines, which only reading tells."""
    return isinstance(body.get("charset"), list)


def _has_ink(body: dict[str, Any]) -> bool:
    """Whether there is anything to explain."""
    return body.get("strokes") is None or any(body["strokes"])


def _speaks_for_an_allowed_char(body: dict[str, Any]) -> bool:
    """Whether the character is among those of the charset."""
    return not (body.get("char") and body.get("charset")) or body["char"] in body["charset"]
