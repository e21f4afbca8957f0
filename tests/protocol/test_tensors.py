"""Requests' bodies to glyphs, answers to bodies: what a client may write, and what it may not."""

from __future__ import annotations

import gzip
import json
import re
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from penread.errors import InputError
from penread.prediction import Candidate, Prediction
from penread.server.inference_tensors import OUTPUTS, Asked, TooLargeError, answer, parse, unpack
from penread.server.limits import MAX_ITEMS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from penread import Recognizer
    from penread.bundle import ModelInfo

BLANK = [0] * 784


def request(*, extra: bytes = b"", outputs: Any = None, **fields: Any) -> tuple[bytes, int]:
    """A body for one blank glyph, with fields of its input changed, and the length of its JSON."""
    tensor = {"name": "glyphs", "shape": [1, 28, 28], "datatype": "UINT8", "data": BLANK, **fields}
    body = json.dumps({"inputs": [tensor], **({} if outputs is None else {"outputs": outputs})}).encode()
    return body + extra, len(body)


def with_mark(count: int) -> NDArray[np.uint8]:
    """Glyphs, each of its own."""
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)


@pytest.mark.parametrize("count", [0, 1, 3, MAX_ITEMS])
@pytest.mark.parametrize("form", ["flat", "nested", "binary", "raw"])
def test_glyphs_arrive_as_they_were_sent(count: int, form: str) -> None:
    glyphs = with_mark(count)
    data = glyphs.tolist() if form == "nested" else glyphs.ravel().tolist()
    shape = list(glyphs.shape)
    if form == "raw" and count == 0:
        with pytest.raises(InputError, match="0 bytes"):
            parse(b"", 0)
        return
    if form == "raw":
        asked = parse(glyphs.tobytes(), 0)
        assert asked.outputs == dict.fromkeys(OUTPUTS, True)
    elif form == "binary":
        parameters = {"binary_data_size": glyphs.nbytes}
        asked = parse(*request(shape=shape, data=None, parameters=parameters, extra=glyphs.tobytes()))
    else:
        asked = parse(request(shape=shape, data=data)[0], None)
        assert asked.outputs == dict.fromkeys(OUTPUTS, False)
    assert asked.glyphs.dtype == np.uint8
    np.testing.assert_array_equal(asked.glyphs, glyphs)


def test_outputs_are_those_asked_for_in_their_order_each_in_its_form() -> None:
    outputs = [{"name": "char", "parameters": {"binary_data": False}}, {"name": "logits"}]
    tensor = {"name": "glyphs", "shape": [1, 28, 28], "datatype": "UINT8", "data": BLANK}
    body = {"inputs": [tensor], "outputs": outputs, "parameters": {"binary_data_output": True, "who": "tests"}}
    asked = parse(json.dumps(body).encode(), None)
    assert list(asked.outputs.items()) == [("char", False), ("logits", True)]
    assert asked.wants_predictions
    assert not parse(request(outputs=[{"name": "kinds"}])[0], None).wants_predictions


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": [-1, 28, 28]}, "shape.0: .*greater than or equal to 0"),
        ({"shape": [-1, -28, 28]}, "shape.1: .*28"),
        ({"shape": [10**30, 28, 28]}, "shape.0: .*less than or equal to 256"),
        ({"shape": [1e400, 28, 28]}, "shape.0: .*integer"),
        ({"shape": [1.5, 28, 28]}, "shape.0: .*integer"),
        ({"shape": ["1", 28, 28]}, "shape.0: .*integer"),
        ({"shape": [True, 28, 28]}, "shape.0: .*integer"),
        ({"shape": [1, 784]}, "shape.2: .*required"),
        ({"shape": [28, 28, 1]}, "shape.1|shape.2"),
        ({"shape": []}, "shape.0: .*required"),
        ({"shape": None}, "shape: "),
        ({"shape": [1] * 100_000}, "shape: .*at most 3"),
        ({"shape": [2, 28, 28]}, "784 numbers; the shape .2, 28, 28. has 1,568"),
        ({"data": [*BLANK, 0]}, "785 numbers; the shape .1, 28, 28. has 784"),
        ({"data": [[[0] * 28] * 28] * 2}, "1,568 numbers; the shape .1, 28, 28. has 784"),
        ({"data": [[[0] * 28] * 27]}, "at least 28"),
        ({"data": [[[0] * 29] * 28]}, "at most 28"),
        ({"data": [BLANK]}, "array"),
        ({"data": [[[0] * 28] * 28, 0]}, "array"),
        ({"data": [256, *BLANK[1:]]}, "less than or equal to 255"),
        ({"data": [-1, *BLANK[1:]]}, "greater than or equal to 0"),
        ({"data": [0.5, *BLANK[1:]]}, "integer"),
        ({"data": [None, *BLANK[1:]]}, "integer"),
        ({"data": ["0", *BLANK[1:]]}, "integer"),
        ({"data": [True, *BLANK[1:]]}, "integer"),
        ({"data": "AAAA"}, "array"),
        ({"data": None}, 'either "data" or the parameter "binary_data_size"'),
        ({"parameters": {"binary_data_size": 784}}, 'either "data" or the parameter "binary_data_size"'),
        ({"data": None, "parameters": {"binary_data_size": 784}, "extra": bytes(783)}, "must be the same"),
        ({"data": None, "parameters": {"binary_data_size": 783}, "extra": bytes(783)}, "must be the same"),
        ({"data": None, "parameters": {"binary_data_size": 784}, "extra": bytes(785)}, "must be the same"),
        ({"data": None, "parameters": {"binary_data_size": -784}, "extra": bytes(784)}, "greater than or equal to 0"),
        ({"data": None, "parameters": {"binary_data_size": 10**30}, "extra": bytes(784)}, "must be the same"),
        ({"data": None, "parameters": {"binary_data_size": "784"}, "extra": bytes(784)}, "integer"),
        ({"extra": bytes(784)}, "784 bytes behind the JSON, and no input that has them"),
        ({"data": None, "parameters": {"shared_memory_region": "glyphs"}}, "shares no memory"),
        ({"datatype": "FP32"}, "datatype: .*'UINT8'"),
        ({"datatype": "uint8"}, "datatype: .*'UINT8'"),
        ({"name": "input"}, "name: .*'glyphs'"),
        ({"outputs": [{"name": "scores"}]}, "'logits', 'kinds', 'char' or 'confidence'"),
        ({"outputs": [{"name": "char"}, {"name": "char"}]}, "asked for twice"),
        ({"outputs": [{"name": "char", "parameters": {"binary_data": "yes"}}]}, "boolean"),
        ({"outputs": [{"name": "char", "parameters": {"shared_memory_region": "x"}}]}, "shares no memory"),
        ({"outputs": [{"name": "logits", "parameters": {"classification": 2}}]}, "no classification extension"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(fields: dict[str, Any], message: str) -> None:
    body, json_bytes = request(**fields)
    with pytest.raises((InputError, ValidationError)) as raised:
        parse(body, json_bytes)
    if isinstance(raised.value, ValidationError):
        words = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in raised.value.errors())
    else:
        words = str(raised.value)
    assert re.search(message, words), words


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"glyphs"',
        b'{"inputs": []}',
        b'{"inputs": null}',
        b'{"inputs": [null]}',
        b"{",
        b'{"inputs": [{]}',
        b"\xff",
        b'{"id": "\xff", "inputs": []}',
        b"NaN",
        b"[" * 5_000,
        b'{"inputs":' * 5_000,
        b'{"id": 7, "inputs": []}',
        b'{"id": "' + b"x" * 2_000 + b'", "inputs": []}',
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises((InputError, ValidationError)):
        parse(body, None)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 15_000_000,
        b'{"inputs":[{"data":[' + b"0," * 7_000_000 + b"0]}]}",
        b'{"inputs":[' + b"{}," * 4_000_000 + b"{}]}",
        b'{"a":' * 3_000_000,
        b'{"inputs":[{"shape":[' + b"1" * 15_000_000 + b"]}]}",
        b'{"inputs":[{"name":"glyphs","shape":[256,28,28],"datatype":"UINT8","data":[]}]}',
        b'{"inputs":[{"name":"glyphs","shape":[99999999999999999999,28,28],"datatype":"UINT8","data":[]}]}',
    ],
    ids=["brackets", "numbers", "objects", "nested objects", "digits", "a large shape", "a huge shape"],
)
def test_large_bodies_are_refused_before_they_become_objects(body: bytes) -> None:
    tracemalloc.start()
    with pytest.raises((InputError, ValidationError)):
        parse(body, None)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The JSON by itself, once.
    assert peak_bytes < len(body) + 2_000_000


@pytest.mark.parametrize("json_bytes", [1, 10**11])
def test_a_wrong_length_of_the_json_is_refused(json_bytes: int) -> None:
    with pytest.raises((InputError, ValidationError)):
        parse(request()[0], json_bytes)


@pytest.mark.parametrize("size", [0, 1, 783, 785, 784 * (MAX_ITEMS + 1)])
def test_glyphs_alone_are_whole_and_not_too_many(size: int) -> None:
    with pytest.raises(InputError, match=r"of 784 bytes|256 is the most"):
        parse(bytes(size), 0)


@settings(deadline=None)
@given(st.binary(max_size=200), st.one_of(st.none(), st.integers(0, 300)))
def test_any_bytes_are_refused_or_read(body: bytes, json_bytes: int | None) -> None:
    with pytest.raises((InputError, ValidationError)):
        parse(body, json_bytes)


@settings(deadline=None, max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ),
    st.sampled_from(["name", "shape", "datatype", "parameters", "data"]),
)
def test_any_json_in_a_field_is_refused_or_changes_nothing(value: Any, field: str) -> None:
    body, _ = request(**{field: value})
    try:
        asked = parse(body, None)
    except (InputError, ValidationError):
        return
    assert asked.glyphs.shape == (1, 28, 28)
    assert not asked.glyphs.any()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bodies_are_unpacked(encoding: str) -> None:
    body, _ = request()
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    assert unpack(packed, encoding) == body
    for wrong in (packed[:-1], packed + b"x", body, b"", zlib.compress(body) if encoding == "gzip" else body):
        with pytest.raises(InputError, match=encoding):
            unpack(wrong, encoding)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    assert len(bomb) < 200_000
    tracemalloc.start()
    with pytest.raises(TooLargeError, match="unpacks to more than"):
        unpack(bomb, "gzip")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 40_000_000


@pytest.fixture(scope="module")
def info(recognizer: Recognizer) -> ModelInfo:
    return recognizer.info


@pytest.mark.parametrize("is_binary", [False, True])
def test_an_answer_has_each_output_in_its_form(info: ModelInfo, is_binary: bool) -> None:
    logits = np.array([[0.1, -3.0, 1e-9], [2.0, 5.5, 7.25]])
    kinds = np.array([[0.0, -np.inf, -np.inf], [-0.5, -1.0, -np.inf]])
    predictions = [Prediction("é", 0.75, [Candidate("é", 0.75)], None), Prediction(None, 0.0, [], "blank", "empty")]
    asked = Asked(np.zeros((2, 28, 28), np.uint8), dict.fromkeys(OUTPUTS, is_binary), "seven")
    body, json_bytes = answer(asked, info, logits, kinds, predictions)
    told = json.loads(body if json_bytes is None else body[:json_bytes])
    assert (told["model_name"], told["model_version"], told["id"]) == (info.name, info.version, "seven")
    assert [each["name"] for each in told["outputs"]] == list(OUTPUTS)
    assert [each["shape"] for each in told["outputs"]] == [[2, 3], [2, 3], [2], [2]]
    if json_bytes is None:
        values = {each["name"]: each["data"] for each in told["outputs"]}
        assert values["char"] == ["é", ""]
    else:
        values, first = {}, json_bytes
        for each in told["outputs"]:
            assert "data" not in each
            last = first + each["parameters"]["binary_data_size"]
            values[each["name"]] = body[first:last]
            first = last
        assert first == len(body)
        assert values.pop("char") == b"\x02\0\0\0" + "é".encode() + b"\0\0\0\0"
        values = {name: np.frombuffer(data, "<f4").tolist() for name, data in values.items()}
    assert values["logits"] == logits.astype(np.float32).ravel().tolist()
    assert values["confidence"] == [0.75, 0.0]
    # JSON has no infinity; as a probability it is 0 all the same.
    np.testing.assert_allclose(np.exp(np.reshape(values["kinds"], (2, 3))), np.exp(kinds), rtol=1e-6)


def test_an_answer_in_json_is_json_for_everybody(info: ModelInfo) -> None:
    asked = Asked(np.zeros((1, 28, 28), np.uint8), {"kinds": False}, None)
    body, json_bytes = answer(asked, info, np.zeros((1, 3)), np.array([[0.0, -np.inf, -np.inf]]), [])
    assert json_bytes is None

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    told = json.loads(body, parse_constant=refuse)
    assert "id" not in told
    assert np.isfinite(told["outputs"][0]["data"]).all()
