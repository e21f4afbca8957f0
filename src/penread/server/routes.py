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

_PROBLEM = {"model": Problem, "content": {"application/problem+json": {}}}
_MULTIPART_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"type": "string", "format": "binary", "description": "An image file."},
        **Options.model_json_schema()["properties"],
    },
    "additionalProperties": False,
}


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
        asked = PredictRequest.model_validate_json(await request.body())
        options: Options = asked
        decode = asked.source
    elif kind == "multipart/form-data":
        content, options = await _form(request)

        def decode() -> Source:
            return content
    else:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The body is {kind or 'of no stated type'}; "
            'send application/json, or multipart/form-data with a file "image".',
        )

    def answer() -> PredictResponse:
        glyph = to_glyph(decode())
        prediction = recognizer.predict(glyph, top_k=options.top_k, charset=options.charset)
        return PredictResponse.of(prediction, recognizer.info, glyph if options.include_glyph else None)

    return await run_sync(answer, limiter=limiter)


async def _form(request: Request) -> tuple[bytes, Options]:
    """Reads the multipart form: the file ``image`` and the options as fields."""
    async with request.form(max_files=1, max_fields=len(Options.model_fields)) as form:
        file = form.get("image")
        if not isinstance(file, UploadFile):
            raise HTTPException(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                'The form has no file "image": add the image as a file of that name.',
            )
        fields = {name: value for name, value in form.multi_items() if name != "image"}
        return await file.read(), Options.model_validate(fields)
