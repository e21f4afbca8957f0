"""The routes of the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from penread.recognizer import Recognizer, Source, to_glyph
from penread.server.limits import MAX_CHARSETS
from penread.server.problems import Problem, RequestInvalid
from penread.server.schemas import (
    ExplainOptions,
    ExplainRequest,
    ExplainResponse,
    FormFields,
    Health,
    ModelOut,
    PredictOptions,
    PredictRequest,
    PredictResponse,
    ReadOptions,
    ReadRequest,
    ReadResponse,
    SourceFields,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_Request = TypeVar("_Request", bound=SourceFields)
_Options = TypeVar("_Options", bound=FormFields)

router = APIRouter()


def _recognizer(request: Request) -> Recognizer:
    recognizer: Recognizer = request.app.state.recognizer
    return recognizer


def _limiter(request: Request) -> CapacityLimiter:
    limiter: CapacityLimiter = request.app.state.limiter
    return limiter


def _page_limiter(request: Request) -> CapacityLimiter:
    limiter: CapacityLimiter = request.app.state.page_limiter
    return limiter


ActiveRecognizer = Annotated[Recognizer, Depends(_recognizer)]
ActiveLimiter = Annotated[CapacityLimiter, Depends(_limiter)]
PageLimiter = Annotated[CapacityLimiter, Depends(_page_limiter)]

_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body can't be parsed.", **_PROBLEM},
    413: {"description": "The body is too large.", **_PROBLEM},
    415: {"description": "The body is neither JSON nor a form.", **_PROBLEM},
    422: {"description": "What the body holds can't be read.", **_PROBLEM},
}


def _bodies(request: type[SourceFields], options: type[FormFields]) -> dict[str, Any]:
    """Describes a body that is JSON or a form."""
    form = {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {"type": "string", "format": "binary", "description": "An image file."},
            **options.model_json_schema()["properties"],
        },
        "additionalProperties": False,
    }
    content = {
        "application/json": {"schema": request.model_json_schema()},
        "multipart/form-data": {"schema": form},
    }
    return {"requestBody": {"required": True, "content": content}}


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", tags=["service"])
async def healthz(recognizer: ActiveRecognizer) -> Health:
    """Tell that the service is up and which model it serves."""
    return Health(model=ModelOut(name=recognizer.info.name, version=recognizer.info.version))


@router.post(
    "/api/v1/predict",
    tags=["recognition"],
    response_model_exclude_unset=True,
    responses=_REFUSALS,
    openapi_extra=_bodies(PredictRequest, PredictOptions),
)
async def predict(request: Request, recognizer: ActiveRecognizer, limiter: ActiveLimiter) -> PredictResponse:
    """Read one character, drawn as strokes or shown in an image."""
    parse = await _parser(request, PredictRequest, PredictOptions)

    def answer() -> PredictResponse:
        source, options = parse()
        glyph = to_glyph(source)
        prediction = recognizer.predict(
            glyph, top_k=options.top_k, charset=options.charset, unclear_above=options.unclear_above
        )
        return PredictResponse.of(prediction, recognizer.info, glyph if options.include_glyph else None)

    return await run_sync(answer, limiter=limiter, abandon_on_cancel=True)


@router.post(
    "/api/v1/explain",
    tags=["recognition"],
    responses=_REFUSALS,
    openapi_extra=_bodies(ExplainRequest, ExplainOptions),
)
async def explain(request: Request, recognizer: ActiveRecognizer, limiter: ActiveLimiter) -> ExplainResponse:
    """Tell which parts of a character's ink speak for what it was read as, or for another character."""
    parse = await _parser(request, ExplainRequest, ExplainOptions)

    def answer() -> ExplainResponse:
        source, options = parse()
        return ExplainResponse.of(
            recognizer.explain(source, char=options.char, charset=options.charset), recognizer.info
        )

    return await run_sync(answer, limiter=limiter, abandon_on_cancel=True)


@router.post(
    "/api/v1/read",
    tags=["recognition"],
    response_model=ReadResponse,
    responses=_REFUSALS,
    openapi_extra=_bodies(ReadRequest, ReadOptions),
)
async def read(request: Request, recognizer: ActiveRecognizer, limiter: PageLimiter) -> Response:
    """Read a page, or strokes side by side: lines, words, characters."""
    parse = await _parser(request, ReadRequest, ReadOptions)

    def answer() -> str:
        source, options = parse()
        reading = recognizer.read(
            source,
            charset=options.charset,
            context=options.context,
            top_k=options.top_k,
            unclear_above=options.unclear_above,
        )
        # A page's answer is megabytes: it is put into words here, too, off the event loop.
        return ReadResponse.of(reading, recognizer.info).model_dump_json()

    return Response(await run_sync(answer, limiter=limiter, abandon_on_cancel=True), media_type="application/json")


async def _parser(
    request: Request, request_type: type[_Request], options_type: type[_Options]
) -> Callable[[], tuple[Source, _Request | _Options]]:
    """Takes in a body; gives what makes a source and options of it, which may take a while."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await request.body()

        def parsed() -> tuple[Source, _Request | _Options]:
            asked = request_type.parse(body)
            return asked.source(), asked
    elif kind == "multipart/form-data":
        # Every option once; of those for each line, as many as there may be.
        image, fields = await _form(request, len(options_type.model_fields) + MAX_CHARSETS)

        def parsed() -> tuple[Source, _Request | _Options]:
            return image, options_type.from_form(fields)
    else:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The body is {kind or 'of no stated type'}; "
            'send application/json, or multipart/form-data with a file "image".',
        )

    def parse() -> tuple[Source, _Request | _Options]:
        try:
            return parsed()
        except ValidationError as error:
            raise RequestInvalid(error) from error

    return parse


async def _form(request: Request, max_fields: int) -> tuple[bytes, list[tuple[str, str]]]:
    """Reads the multipart form: the file ``image``, and the options as fields."""
    # Starlette decodes the names of fields by this, and stumbles over encodings that text can't have.
    if "charset" in request.headers["content-type"].lower():
        raise HTTPException(HTTPStatus.BAD_REQUEST, "Leave charset out of the form's content type: it is UTF-8.")
    async with request.form(max_files=1, max_fields=max_fields) as form:
        file = form.get("image")
        if not isinstance(file, UploadFile):
            raise HTTPException(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                'The form has no file "image": add the image as a file of that name.',
            )
        fields = [(name, value) for name, value in form.multi_items() if name != "image" and isinstance(value, str)]
        return await file.read(), fields
