"""Errors as HTTP answers: problem details (RFC 9457) that say what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from penread.errors import CharsetError, InputError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

_MANY_ERRORS = 10
_LOG = logging.getLogger("penread.server")


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


def install(app: FastAPI) -> None:
    """Makes an application answer every error with problem details.

    Args:
        app: The application.
    """

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        detail = error.detail
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = "There is nothing at this path. /docs lists the paths there are."
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            detail = f"This path takes {headers.get('Allow', 'other methods')}. /docs lists what there is."
        return problem(error.status_code, detail, headers)

    @app.exception_handler(RequestInvalid)
    async def invalid(_request: Request, request_invalid: RequestInvalid) -> JSONResponse:
        error = request_invalid.error
        # To list a million errors takes a minute and gigabytes, and nobody reads them.
        count = error.error_count()
        if count > _MANY_ERRORS:
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The body has {count:,} errors; /docs shows how it looks.")
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(_describe(item) for item in error.errors()))

    @app.exception_handler(InputError)
    @app.exception_handler(CharsetError)
    async def unreadable(_request: Request, error: Exception) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "penread failed here; the request may be right. Report it.")


def _describe(item: Any) -> str:  # noqa: ANN401 - pydantic's error details are a dict of anything
    where = ".".join(str(part) for part in item["loc"])
    message = (
        "there is no such field" if item["type"] == "extra_forbidden" else item["msg"].removeprefix("Value error, ")
    )
    return f"{where}: {message}" if where else str(message)
