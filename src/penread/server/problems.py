"""Errors as HTTP answers that say what to do: problem details (RFC 9457), or the Open Inference Protocol's own."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from penread.errors import CharsetError, InputError
from penread.server.lanes import ClientGone, Overloaded

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

_MANY_ERRORS = 10


class RequestInvalid(Exception):  # noqa: N818 - as Starlette's HTTPException, it is an answer more than an error
    """A request isn't as described, unlike an answer of ours that isn't, which is our own failure.

    Args:
        error: What is wrong with it.
    """

    def __init__(self, error: ValidationError) -> None:
        super().__init__(str(error))
        self.error = error


class Problem(BaseModel):
    """Problem details, ``application/problem+json`` (RFC 9457)."""

    type: str = Field(default="about:blank", description="Kind of problem; about:blank: what the status says.")
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong with this request, and what to do.")


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Makes the answer to a request that can't be served.

    Args:
        status: HTTP status.
        detail: What is wrong and what to do, for people.
        headers: Further headers.
    """
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, headers, media_type="application/problem+json")


def refusal(path: str, status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Makes the answer to a request that can't be served, in the form that its path has for errors.

    Args:
        path: The request's path.
        status: HTTP status.
        detail: What is wrong and what to do, for people.
        headers: Further headers.
    """
    if _is_inference_protocol(path):
        return JSONResponse({"error": detail}, status, headers)
    return problem(status, detail, headers)


def overloaded(path: str, retry_after_s: int) -> JSONResponse:
    """Makes the answer to a request that there is no room for.

    Args:
        path: The request's path.
        retry_after_s: In how many seconds there should be.
    """
    detail = f"Too many requests are waiting. Send it again in {retry_after_s} s."
    return refusal(path, HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(retry_after_s)})


def _is_inference_protocol(path: str) -> bool:
    return path == "/v2" or path.startswith("/v2/")


def _invalid(path: str, detail: str) -> JSONResponse:
    """Makes the answer to a request whose content is wrong; the Open Inference Protocol calls that 400."""
    is_protocol = _is_inference_protocol(path)
    return refusal(path, HTTPStatus.BAD_REQUEST if is_protocol else HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def install(app: FastAPI) -> None:
    """Makes an application answer every error in the form that its path has.

    Args:
        app: The application.
    """

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        detail = error.detail
        if detail == HTTPStatus.NOT_FOUND.phrase:
            detail = "There is nothing at this path. /docs lists the paths there are."
        elif detail == HTTPStatus.METHOD_NOT_ALLOWED.phrase:
            detail = f"This path takes {headers.get('Allow', 'other methods')}. /docs lists what there is."
        return refusal(request.scope["path"], error.status_code, detail, headers)

    @app.exception_handler(RequestInvalid)
    async def invalid(request: Request, request_invalid: RequestInvalid) -> JSONResponse:
        error = request_invalid.error
        # To list a million errors takes a minute and gigabytes, and nobody reads them.
        count = error.error_count()
        if count > _MANY_ERRORS:
            return _invalid(request.scope["path"], f"The body has {count:,} errors; /docs shows how it looks.")
        return _invalid(request.scope["path"], "; ".join(_describe(item) for item in error.errors()))

    @app.exception_handler(InputError)
    @app.exception_handler(CharsetError)
    async def unreadable(request: Request, error: Exception) -> JSONResponse:
        return _invalid(request.scope["path"], str(error))

    @app.exception_handler(Overloaded)
    async def is_overloaded(request: Request, error: Overloaded) -> JSONResponse:
        return overloaded(request.scope["path"], error.retry_after_s)

    @app.exception_handler(ClientGone)
    async def gone(_request: Request, _error: ClientGone) -> Response:
        # Nobody reads it.
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, _error: Exception) -> JSONResponse:
        # Whoever asks for this answer, ``Failures``, has logged the error.
        detail = "penread failed here; the request may be right. Report it."
        return refusal(request.scope["path"], HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def _describe(item: Any) -> str:  # noqa: ANN401 - pydantic's error details are a dict of anything
    where = ".".join(str(part) for part in item["loc"])
    message = (
        "there is no such field" if item["type"] == "extra_forbidden" else item["msg"].removeprefix("Value error, ")
    )
    return f"{where}: {message}" if where else str(message)
