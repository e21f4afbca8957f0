"""The page's files over HTTP: whole in memory, compressed once, and asked for again only where they changed."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from penread.site import Page

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """Give the page."""
    return await _answer(request, "index.html")


@router.api_route("/sw.js", methods=["GET", "HEAD"])
@router.api_route("/manifest.webmanifest", methods=["GET", "HEAD"])
@router.api_route("/config.json", methods=["GET", "HEAD"])
async def beside(request: Request) -> Response:
    """Give a file of the page's folder."""
    return await _answer(request, request.scope["path"].rpartition("/")[2])


@router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
async def static(request: Request, path: str) -> Response:
    """Give any other file."""
    return await _answer(request, f"static/{path}")


async def _answer(request: Request, name: str) -> Response:
    served: Page = request.app.state.page
    file = served.files.get(name)
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    # Weak: the same for the content and the compressed content.
    tag = f'W/"{file.integrity}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if file.is_compressible:
        headers["Vary"] = "Accept-Encoding"
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    content = file.content
    if file.is_compressible and "gzip" in request.headers.get("accept-encoding", ""):
        content = await run_sync(file.gzipped)
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=file.media_type)
