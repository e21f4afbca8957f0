"""The routes of the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from penread.errors import InputError
from penread.image import MAX_PIXELS, count_pixels
from penread.ink import Ink
from penread.recognizer import to_glyphs
from penread.server.limits import MAX_CHARSETS, MAX_ITEMS
from penread.server.problems import Problem, RequestInvalid
from penread.server.schemas import (
    ExplainOptions,
    ExplainRequest,
    ExplainResponse,
    FormFields,
    Health,
    ModelOut,
    PredictManyResponse,
    PredictOptions,
    PredictRequest,
    PredictResponse,
    ReadOptions,
    ReadRequest,
    ReadResponse,
    SourceFields,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.types import Receive, Scope, Send

    from penread.prediction import Prediction
    from penread.recognizer import Source
    from penread.server.lanes import Lane
    from penread.server.metrics import Metrics
    from penread.server.service import Service

_Request = TypeVar("_Request", bound=SourceFields)
_Options = TypeVar("_Options", bound=FormFields)

# So much JSON is parsed, and drawn as a glyph, in about a millisecond: less than it takes to hand it to a thread and
# back when the processor is busy.
_SMALL_BYTES = 16 * 1024
# As many are read in a few milliseconds.
_SMALL_PIXELS = 1_000_000


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request and gives the response, and nothing in between.

    FastAPI would look for parameters, check the answer and keep what has to be closed in the end, which costs as much
    as recognising a character. It describes the route all the same.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - FastAPI's
        super().__init__(*args, **kwargs)

        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            response: Response = await self.endpoint(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = respond

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Gives the endpoint itself."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


router = APIRouter(route_class=DirectRoute)

_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body can't be parsed.", **_PROBLEM},
    408: {"description": "The body didn't arrive in time.", **_PROBLEM},
    413: {"description": "The body is too large.", **_PROBLEM},
    415: {"description": "The body is neither JSON nor a form, or it is compressed.", **_PROBLEM},
    422: {"description": "What the body holds can't be read.", **_PROBLEM},
    503: {"description": "Too many requests are waiting; Retry-After says when to come again.", **_PROBLEM},
}


def _bodies(request: type[SourceFields], options: type[FormFields], max_images: int = 1) -> dict[str, Any]:
    """Describes a body that is JSON or a form."""
    content = {
        "application/json": {"schema": request.json_schema()},
        "multipart/form-data": {"schema": options.form_schema(max_images)},
    }
    return {"requestBody": {"required": True, "content": content}}


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", tags=["service"], response_model=Health)
async def healthz(request: Request) -> Response:
    """Tell that the service is up and which model it serves."""
    info = _service(request).recognizer.info
    return _json(Health(status="ok", model=ModelOut(name=info.name, version=info.version)))


@router.post(
    "/api/v1/predict",
    tags=["recognition"],
    response_model=PredictResponse | PredictManyResponse,
    responses=_REFUSALS,
    openapi_extra=_bodies(PredictRequest, PredictOptions, MAX_ITEMS),
)
async def predict(request: Request) -> Response:
    """Read one character, drawn as strokes or shown in an image; or many, each by itself."""
    service = _service(request)
    if _content_type(request) == "application/json":
        body = await request.body()
        lane = _checked_lane(service, body)
        asked = _parse(PredictRequest, body) if len(body) <= _SMALL_BYTES else None
        if asked is not None and asked.strokes is not None:
            return await _predict_drawn(request, asked.strokes, asked)

        def parse() -> tuple[list[Source], bool, PredictOptions]:
            full = asked or _parse(PredictRequest, body)
            items: list[SourceFields] = [full] if full.items is None else [*full.items]
            return [each.source() for each in items], full.items is not None, full
    else:
        files, fields = await _form(request, len(PredictOptions.model_fields), MAX_ITEMS)
        lane = service.photos if len(files) > 1 else service.lane_of(len(files[0]))

        def parse() -> tuple[list[Source], bool, PredictOptions]:
            return [*files], len(files) > 1, _options(PredictOptions, fields)

    recognizer = service.recognizer

    def answer() -> tuple[list[Prediction], bytes]:
        sources, are_many, options = parse()
        pixels = sum(count_pixels(each) for each in sources if isinstance(each, bytes))
        if are_many and pixels > MAX_PIXELS:
            raise InputError(
                f"The images have {pixels:,} pixels together; {MAX_PIXELS:,} is the most. Send fewer at a time."
            )
        if pixels > _SMALL_PIXELS and is_small_lane:
            raise _IsLarge
        glyphs = to_glyphs(sources)
        predictions = recognizer.predict_many(glyphs, **_how(options))
        shown = glyphs if options.include_glyph else None
        if are_many:
            return predictions, _bytes(PredictManyResponse.of(predictions, recognizer.info, shown))
        [prediction] = predictions
        return predictions, _bytes(
            PredictResponse.of(prediction, recognizer.info, shown if shown is None else shown[0])
        )

    is_small_lane = lane is service.images
    try:
        predictions, content = await lane.run(answer, request.receive)
    except _IsLarge:
        is_small_lane = False
        predictions, content = await service.photos.run(answer, request.receive)
    _count(request, predictions)
    return Response(content, media_type="application/json")


def _checked_lane(service: Service, body: bytes) -> Lane:
    """Gives the lane for what JSON has beside one drawing, and refuses either for want of room: before it is parsed."""
    lane = service.photos if b'"items"' in body else service.lane_of(len(body))
    is_drawing = len(body) <= _SMALL_BYTES and b'"items"' not in body and b'"image"' not in body
    (service.queues[0] if is_drawing else lane.queue).check()
    return lane


def _count(request: Request, predictions: list[Prediction]) -> None:
    for prediction in predictions:
        _metrics(request).predicted(_service(request).recognizer.info.name, prediction.char)


class _IsLarge(Exception):  # noqa: N818 - it goes elsewhere
    """An image of few bytes and many pixels: those who wait for small ones aren't to wait for it."""


async def _predict_drawn(request: Request, strokes: list[list[list[float]]], options: PredictOptions) -> Response:
    """Reads one drawing, which takes no thread but the graph's."""
    service = _service(request)
    recognizer = service.recognizer
    glyph = Ink(strokes).glyph()
    logits, kinds = await service.score(recognizer, glyph[None], request.receive)
    [prediction] = recognizer.decide(glyph[None], logits, kinds, **_how(options))
    _metrics(request).predicted(recognizer.info.name, prediction.char)
    return _json(PredictResponse.of(prediction, recognizer.info, glyph if options.include_glyph else None))


@router.post(
    "/api/v1/explain",
    tags=["recognition"],
    response_model=ExplainResponse,
    responses=_REFUSALS,
    openapi_extra=_bodies(ExplainRequest, ExplainOptions),
)
async def explain(request: Request) -> Response:
    """Tell which parts of a character's ink speak for what it was read as, or for another character."""
    service = _service(request)
    recognizer = service.recognizer
    parse = await _parser(request, ExplainRequest, ExplainOptions)

    def answer() -> bytes:
        source, options = parse()
        explanation = recognizer.explain(source, char=options.char, charset=options.charset)
        return _bytes(ExplainResponse.of(explanation, recognizer.info))

    return Response(await service.photos.run(answer, request.receive), media_type="application/json")


@router.post(
    "/api/v1/read",
    tags=["recognition"],
    response_model=ReadResponse,
    responses=_REFUSALS,
    openapi_extra=_bodies(ReadRequest, ReadOptions),
)
async def read(request: Request) -> Response:
    """Read a page, or strokes side by side: lines, words, characters."""
    service = _service(request)
    recognizer = service.recognizer
    parse = await _parser(request, ReadRequest, ReadOptions)

    def answer() -> tuple[list[Prediction], bytes]:
        source, options = parse()
        reading = recognizer.read(source, context=options.context, **_how(options))
        characters: list[Prediction] = [each for line in reading.lines for each in line.characters]
        # A page's answer is megabytes: it is put into words here, too, off the event loop.
        return characters, _bytes(ReadResponse.of(reading, recognizer.info))

    characters, content = await service.pages.run(answer, request.receive)
    for character in characters:
        _metrics(request).predicted(recognizer.info.name, character.char)
    return Response(content, media_type="application/json")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


def _how(options: PredictOptions | ReadOptions) -> dict[str, Any]:
    """Gives the options of the recogniser."""
    return {"top_k": options.top_k, "charset": options.charset, "unclear_above": options.unclear_above}


def _bytes(answer: BaseModel) -> bytes:
    return answer.model_dump_json(exclude_unset=True).encode()


def _json(answer: BaseModel) -> Response:
    return Response(_bytes(answer), media_type="application/json")


def _content_type(request: Request) -> str:
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body is compressed: send it as it is.")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _parser(
    request: Request, request_type: type[_Request], options_type: type[_Options]
) -> Callable[[], tuple[Source, _Request | _Options]]:
    """Takes in a body; gives what makes a source and options of it, which may take a while."""
    if _content_type(request) == "application/json":
        body = await request.body()

        def parsed() -> tuple[Source, _Request | _Options]:
            asked = _parse(request_type, body)
            return asked.source(), asked
    else:
        # Every option once; of those for each line, as many as there may be.
        [image], fields = await _form(request, len(options_type.model_fields) + MAX_CHARSETS, 1)

        def parsed() -> tuple[Source, _Request | _Options]:
            return image, _options(options_type, fields)

    return parsed


def _parse(request_type: type[_Request], body: bytes) -> _Request:
    try:
        return request_type.parse(body)
    except ValidationError as error:
        raise RequestInvalid(error) from error


def _options(options_type: type[_Options], fields: list[tuple[str, str]]) -> _Options:
    try:
        return options_type.from_form(fields)
    except ValidationError as error:
        raise RequestInvalid(error) from error


async def _form(request: Request, max_fields: int, max_images: int) -> tuple[list[bytes], list[tuple[str, str]]]:
    """Reads a multipart form: the files ``image``, and the options as fields."""
    kind = _content_type(request)
    if kind != "multipart/form-data":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The body is {kind or 'of no stated type'}; "
            'send application/json, or multipart/form-data with a file "image".',
        )
    # Starlette decodes the names of fields by this, and stumbles over encodings that text can't have.
    if "charset" in request.headers["content-type"].lower():
        raise HTTPException(HTTPStatus.BAD_REQUEST, "Leave charset out of the form's content type: it is UTF-8.")
    async with request.form(max_files=max_images, max_fields=max_fields) as form:
        files = [file for file in form.getlist("image") if isinstance(file, UploadFile)]
        if not files:
            raise HTTPException(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                'The form has no file "image": add the image as a file of that name.',
            )
        fields = [(name, value) for name, value in form.multi_items() if name != "image" and isinstance(value, str)]
        return [await file.read() for file in files], fields
