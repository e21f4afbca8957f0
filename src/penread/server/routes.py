"""The routes of the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from penread.recognizer import Recognizer, Source, to_glyph
from penread.server.problems import Problem
from penread.server.schemas import Health, ModelOut, Options, PredictRequest, PredictResponse

router = APIRouter()


def _recognizer(request: Request) -> Recognizer:
    recognizer: Recognizer = request.app.state.recognizer
    return recognizer


def _limiter(request: Request) -> CapacityLimiter:
    limiter: CapacityLimiter = request.app.state.limiter
    return limiter


ActiveRecognizer = Annotated[Recognizer, Depends(_recognizer)]
ActiveLimiter = Annotated[CapacityLimiter, Depends(_limiter)]

_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
_MULTIPART_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"type": "string", "format": "binary", "description": "An image file."},
        **Options.model_json_schema()["properties"],
    },
    "additionalProperties": False,
}


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", tags=["service"])
async def healthz(recognizer: ActiveRecognizer) -> Health:
    """Tell that the service is up and which model it serves."""
    return Health(model=ModelOut(name=recognizer.info.name, version=recognizer.info.version))


@router.post(
    "/api/v1/predict",
    tags=["recognition"],
    response_model_exclude_unset=True,
    responses={
        400: {"description": "The body can't be parsed.", **_PROBLEM},
        413: {"description": "The body is too large.", **_PROBLEM},
        415: {"description": "The body is neither JSON nor a form.", **_PROBLEM},
        422: {"description": "What the body holds can't be read.", **_PROBLEM},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": PredictRequest.model_json_schema()},
                "multipart/form-data": {"schema": _MULTIPART_SCHEMA},
            },
        }
    },
)
async def predict(request: Request, recognizer: ActiveRecognizer, limiter: ActiveLimiter) -> PredictResponse:
    """Read one character, drawn as strokes or shown in an image."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await request.body()

        def parse() -> tuple[Source, Options]:
            asked = PredictRequest.parse(body)
            return asked.source(), asked
    elif kind == "multipart/form-data":
        image, fields = await _form(request)

        def parse() -> tuple[Source, Options]:
            return image, Options.model_validate(fields)
    else:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The body is {kind or 'of no stated type'}; "
            'send application/json, or multipart/form-data with a file "image".',
        )

    def answer() -> PredictResponse:
        source, options = parse()
        glyph = to_glyph(source)
        prediction = recognizer.predict(glyph, top_k=options.top_k, charset=options.charset)
        return PredictResponse.of(prediction, recognizer.info, glyph if options.include_glyph else None)

    return await run_sync(answer, limiter=limiter, abandon_on_cancel=True)


async def _form(request: Request) -> tuple[bytes, dict[str, Any]]:
    """Reads the multipart form: the file ``image``, and the options as fields."""
    # Starlette decodes the names of fields by this, and stumbles over encodings that text can't have.
    if "charset" in request.headers["content-type"].lower():
        raise HTTPException(HTTPStatus.BAD_REQUEST, "Leave charset out of the form's content type: it is UTF-8.")
    async with request.form(max_files=1, max_fields=len(Options.model_fields)) as form:
        file = form.get("image")
        if not isinstance(file, UploadFile):
            raise HTTPException(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                'The form has no file "image": add the image as a file of that name.',
            )
        fields = {name: value for name, value in form.multi_items() if name != "image"}
        return await file.read(), fields
