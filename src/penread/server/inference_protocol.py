"""The Open Inference Protocol, version 2, over HTTP: what KServe, Triton and MLServer speak, and their clients.

curl -s http://127.0.0.1:8000/v2/models/balanced
"""

from __future__ import annotations

import gzip
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

import penread
from penread.errors import InputError
from penread.server.inference_tensors import (
    DATATYPES,
    INPUT,
    OUTPUTS,
    Asked,
    InferRequest,
    TooLargeError,
    answer,
    output_shape,
    parse,
    unpack,
)
from penread.server.problems import RequestInvalid
from penread.server.routes import DirectRoute
from penread.server.service import MAX_BATCH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penread.prediction import Prediction
    from penread.recognizer import Recognizer
    from penread.server.lanes import Scores
    from penread.server.metrics import Metrics
    from penread.server.service import Service

    _Endpoint = Callable[[Request], Awaitable[Response]]

# The extensions of Triton's that are answered in full.
_EXTENSIONS = ["binary_tensor_data", "model_configuration"]
_PLATFORM = "onnxruntime_onnx"
# So much is parsed in less time than it takes to hand it to a thread.
_SMALL_BYTES = 16 * 1024
# Less isn't worth compressing: it goes in one packet.
_MIN_COMPRESSED_BYTES = 1_024
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "deflate": lambda body: zlib.compress(body, 1),
}
_JSON_LENGTH = "Inference-Header-Content-Length"
_MAX_DIGITS = 12
_JSON = "application/json"
_STOPPING = "The server is stopping: send requests to another."


class ServerMetadata(BaseModel):
    """The server."""

    name: str
    version: str
    extensions: list[str] = Field(description="Extensions of the protocol that it has.")


class Condition(BaseModel):
    """Whether the server lives, and takes requests."""

    live: bool
    ready: bool


class ModelCondition(BaseModel):
    """Whether a model takes requests."""

    name: str
    ready: bool


class ErrorOut(BaseModel):
    """An error, as the protocol has it."""

    error: str = Field(description="What is wrong with this request, and what to do.")


class NotReady(Condition, ErrorOut):
    """The server is stopping."""


class ModelNotReady(ModelCondition, ErrorOut):
    """The server is stopping."""


class TensorMetadata(BaseModel):
    """An input or an output."""

    name: str
    datatype: Literal["UINT8", "FP32", "BYTES"]
    shape: list[int] = Field(description="-1 stands for the number of glyphs.")


class ModelParameters(BaseModel):
    """What else there is to know of a model."""

    chars: str = Field(description="The character of each class, in the order of the output logits.")


class ModelMetadata(BaseModel):
    """A model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: ModelParameters


class TensorConfig(BaseModel):
    """An input or an output, in Triton's words."""

    name: str
    data_type: Literal["TYPE_UINT8", "TYPE_FP32", "TYPE_STRING"]
    dims: list[int]


class ModelConfig(BaseModel):
    """A model's configuration, in Triton's words."""

    name: str
    platform: str
    backend: str
    max_batch_size: int = Field(description="0: the number of glyphs is part of the shapes.")
    input: list[TensorConfig]
    output: list[TensorConfig]


class IndexEntry(BaseModel):
    """A model that is served."""

    name: str
    version: str
    state: Literal["READY"]
    reason: str


class BinaryData(BaseModel):
    """How an output is sent."""

    binary_data_size: int = Field(description="Its bytes behind the JSON.")


class InferOutput(BaseModel):
    """An output."""

    name: str
    datatype: Literal["FP32", "BYTES"]
    shape: list[int]
    parameters: BinaryData | None = None
    data: list[float] | list[str] | None = Field(
        default=None, description="Row by row; left out where it is sent behind the JSON."
    )


class InferResponse(BaseModel):
    """What was read."""

    model_name: str
    model_version: str
    outputs: list[InferOutput]
    id: str | None = Field(default=None, description="The request's id.")


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Puts a schema's definitions where they are referred to: OpenAPI has another place for them."""
    definitions = schema.pop("$defs", {})

    def inline(part: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(part, list):
            return [inline(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return inline(definitions[part["$ref"].rpartition("/")[2]])
        return {key: inline(value) for key, value in part.items()}

    inlined: dict[str, Any] = inline(schema)
    return inlined


def _error(description: str) -> dict[str, Any]:
    return {"description": description, "model": ErrorOut}


def _parameter(name: str, place: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": description}


_NAME = _parameter("name", "path", {"type": "string"}, "The model's name.")
_VERSION = _parameter("version", "path", {"type": "string"}, "The model's version.")
_NO_MODEL: dict[int | str, dict[str, Any]] = {404: _error("There is no such model, or version.")}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    **_NO_MODEL,
    200: {"content": {"application/octet-stream": _BINARY}, "description": "What was read, as JSON; or binary data "
          f"behind that JSON, whose length {_JSON_LENGTH} then is."},
    400: _error("The body can't be read, or isn't what the model takes."),
    408: _error("The body didn't arrive in time."),
    413: _error("The body is too large."),
    415: _error("The body is compressed in another way than gzip or deflate."),
    503: _error("Too many requests are waiting; Retry-After says when to come again."),
}  # fmt: skip
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": _inlined(InferRequest.model_json_schema()),
            "example": {
                "inputs": [{"name": INPUT, "shape": [1, 28, 28], "datatype": "UINT8", "data": [0] * 784}],
                "outputs": [{"name": "char"}, {"name": "confidence"}],
            },
        },
        "application/octet-stream": _BINARY,
    },
}
_LENGTH = _parameter(
    _JSON_LENGTH,
    "header",
    {"type": "integer", "minimum": 0},
    "The length of the JSON, where binary data follow it; 0 where the body is glyphs alone, of 784 bytes each.",
)


_NO_SHARED_MEMORY = "This server shares no memory with its clients: send tensors in the body."
_NO_LOADING = "Models are chosen when the server starts, by PENREAD_BUNDLE; none is loaded or unloaded later."
_NO_STATISTICS = "This server has no statistics extension: /metrics counts and times requests, for Prometheus."
#: Triton's other extensions, and what to do without them.
_ABSENT = {
    "/systemsharedmemory/{rest:path}": _NO_SHARED_MEMORY,
    "/cudasharedmemory/{rest:path}": _NO_SHARED_MEMORY,
    "/repository/models/{rest:path}": _NO_LOADING,
    "/models/stats": _NO_STATISTICS,
    "/models/{name}/stats": _NO_STATISTICS,
    "/models/{name}/versions/{version}/stats": _NO_STATISTICS,
    "/models/{name}/trace/setting": "This server has no trace extension.",
    "/trace/setting": "This server has no trace extension.",
    "/logging": "What is logged is chosen when the server starts, by PENREAD_LOG_LEVEL and PENREAD_LOG_FORMAT.",
    "/models/{name}/generate": "This model gives tensors, all at once: POST to its /infer.",
    "/models/{name}/generate_stream": "This model gives tensors, all at once: POST to its /infer.",
}


def _absent(detail: str) -> _Endpoint:
    async def refuse(_request: Request) -> Response:
        raise HTTPException(HTTPStatus.NOT_FOUND, detail)

    return refuse


router = APIRouter(route_class=DirectRoute, prefix="/v2", tags=["inference protocol"])
# First: the name of a model could be "stats".
for _path, _detail in _ABSENT.items():
    router.add_api_route(_path, _absent(_detail), methods=["GET", "POST"], include_in_schema=False)


def _of_model(method: str, path: str, **options: Any) -> Callable[[_Endpoint], _Endpoint]:  # noqa: ANN401 - FastAPI's
    """Adds a route below a model, and below its version, to what is decorated."""
    extra = options.pop("openapi_extra", {})

    def add(endpoint: _Endpoint) -> _Endpoint:
        for place, parameters in (("", [_NAME]), ("/versions/{version}", [_NAME, _VERSION])):
            described = {**extra, "parameters": parameters + extra.get("parameters", [])}
            whole = "/models/{name}" + place + path
            router.add_api_route(whole, endpoint, methods=[method], openapi_extra=described, **options)
        return endpoint

    return add


@router.get("", response_model=ServerMetadata)
async def server_metadata(_request: Request) -> Response:
    """Tell which server this is."""
    return _json(ServerMetadata(name="penread", version=penread.__version__, extensions=_EXTENSIONS))


@router.get("/health/live", response_model=Condition)
async def server_live(request: Request) -> Response:
    """Tell that the server lives."""
    return _json(Condition(live=True, ready=not _service(request).is_stopping))


@router.get("/health/ready", response_model=Condition, responses={503: {"model": NotReady}})
async def server_ready(request: Request) -> Response:
    """Tell whether the server takes requests."""
    if _service(request).is_stopping:
        return _json(NotReady(live=True, ready=False, error=_STOPPING), HTTPStatus.SERVICE_UNAVAILABLE)
    return _json(Condition(live=True, ready=True))


@router.post("/repository/index", response_model=list[IndexEntry])
async def repository_index(request: Request) -> Response:
    """List the models."""
    infos = [recognizer.info for recognizer in _service(request).models.values()]
    entries = [IndexEntry(name=info.name, version=info.version, state="READY", reason="") for info in infos]
    return Response(b"[%s]" % b",".join(each.model_dump_json().encode() for each in entries), media_type=_JSON)


@_of_model("GET", "", response_model=ModelMetadata, responses=_NO_MODEL)
async def model_metadata(request: Request) -> Response:
    """Describe a model: its inputs and outputs."""
    info = _recognizer(request).info
    return _json(
        ModelMetadata(
            name=info.name,
            versions=[info.version],
            platform=_PLATFORM,
            inputs=[TensorMetadata(name=INPUT, datatype=DATATYPES[INPUT], shape=[-1, 28, 28])],
            outputs=[
                TensorMetadata(name=name, datatype=DATATYPES[name], shape=output_shape(name, len(info.chars)))
                for name in OUTPUTS
            ],
            parameters=ModelParameters(chars=info.chars),
        )
    )


@_of_model("GET", "/config", response_model=ModelConfig, responses=_NO_MODEL)
async def model_config(request: Request) -> Response:
    """Describe a model as Triton configures it."""
    info = _recognizer(request).info
    return _json(
        ModelConfig(
            name=info.name,
            platform=_PLATFORM,
            backend="onnxruntime",
            max_batch_size=0,
            input=[TensorConfig(name=INPUT, data_type="TYPE_UINT8", dims=[-1, 28, 28])],
            output=[
                TensorConfig(
                    name=name,
                    data_type="TYPE_STRING" if DATATYPES[name] == "BYTES" else "TYPE_FP32",
                    dims=output_shape(name, len(info.chars)),
                )
                for name in OUTPUTS
            ],
        )
    )


_CONDITIONS: dict[int | str, dict[str, Any]] = {**_NO_MODEL, 503: {"model": ModelNotReady}}


@_of_model("GET", "/ready", response_model=ModelCondition, responses=_CONDITIONS)
async def model_ready(request: Request) -> Response:
    """Tell whether a model takes requests."""
    name = _recognizer(request).info.name
    if _service(request).is_stopping:
        return _json(ModelNotReady(name=name, ready=False, error=_STOPPING), HTTPStatus.SERVICE_UNAVAILABLE)
    return _json(ModelCondition(name=name, ready=True))


@_of_model(
    "POST",
    "/infer",
    response_model=InferResponse,
    responses=_REFUSALS,
    openapi_extra={"parameters": [_LENGTH], "requestBody": _BODY},
)
async def infer(request: Request) -> Response:
    """Read glyphs: what the network says of each, and what it is read as."""
    service, recognizer = _service(request), _recognizer(request)
    encoding, json_bytes = _content_encoding(request), _json_bytes(request)
    announced = request.headers.get("content-length", "")
    if encoding or (announced.isdecimal() and int(announced) > _SMALL_BYTES):
        service.photos.check()
    body = await request.body()

    def finish(asked: Asked, scores: Scores) -> tuple[Response, list[Prediction]]:
        predictions = recognizer.decide(asked.glyphs, *scores) if asked.wants_predictions else []
        content = answer(asked, recognizer.info, *scores, predictions)
        return _answered(*content, request.headers.get("accept-encoding", "")), predictions

    asked = _parse(body, json_bytes) if not encoding and len(body) <= _SMALL_BYTES else None
    if asked and len(asked.glyphs) <= MAX_BATCH:
        response, predictions = finish(asked, await service.score(recognizer, asked.glyphs, request.receive))
    else:

        def work() -> tuple[Response, list[Prediction]]:
            known = asked or _parse(_unpack(body, encoding) if encoding else body, json_bytes)
            return finish(known, recognizer.score(known.glyphs))

        response, predictions = await service.photos.run(work, request.receive)
    metrics: Metrics = request.app.state.metrics
    for prediction in predictions:
        metrics.predicted(recognizer.info.name, prediction.char)
    return response


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _recognizer(request: Request) -> Recognizer:
    """Finds the model that a path names.

    Raises:
        HTTPException: There is none, 404.
    """
    models = _service(request).models
    recognizer = models.get(request.path_params["name"])
    if recognizer is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no such model; this server has {', '.join(models)}.")
    if request.path_params.get("version", recognizer.info.version) != recognizer.info.version:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"There is no such version; {recognizer.info.name} is {recognizer.info.version} here."
        )
    return recognizer


def _content_encoding(request: Request) -> str | None:
    """Tells how the body is compressed, if it is.

    Raises:
        HTTPException: In an unknown way, 415.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return None
    if encoding not in _ENCODERS:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body's Content-Encoding is unknown here: send it as it is, or as gzip or deflate.",
            {"Accept-Encoding": ", ".join(_ENCODERS)},
        )
    return encoding


def _json_bytes(request: Request) -> int | None:
    length = request.headers.get(_JSON_LENGTH)
    if length is None:
        return None
    if not (length.isascii() and length.isdigit() and len(length) <= _MAX_DIGITS):
        raise InputError(f"{_JSON_LENGTH} is the length of the JSON, in bytes.")
    return int(length)


def _unpack(body: bytes, encoding: str) -> bytes:
    try:
        return unpack(body, encoding)
    except TooLargeError as error:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from error


def _parse(body: bytes, json_bytes: int | None) -> Asked:
    try:
        return parse(body, json_bytes)
    except ValidationError as error:
        raise RequestInvalid(error) from error


def _answered(body: bytes, json_bytes: int | None, accepted: str) -> Response:
    """Makes the response to an inference, compressed where the client takes that and it gains something."""
    headers = {}
    if json_bytes is not None:
        headers[_JSON_LENGTH] = str(json_bytes)
    encoding = _accepted_encoding(accepted)
    if encoding and len(body) >= _MIN_COMPRESSED_BYTES:
        headers["Content-Encoding"] = encoding
        body = _ENCODERS[encoding](body)
    return Response(body, headers=headers, media_type=_JSON if json_bytes is None else "application/octet-stream")


def _accepted_encoding(accepted: str) -> str | None:
    """Gives the first of our encodings that a header Accept-Encoding names and doesn't refuse."""
    names = []
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if weight.replace(" ", "").rstrip("0") not in ("q=", "q=0."):
            names.append(name.strip())
    return next((encoding for encoding in _ENCODERS if encoding in names), None)


def _json(content: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(content.model_dump_json(), status, media_type=_JSON)
