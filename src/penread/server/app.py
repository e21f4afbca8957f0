"""The application factory: the page, the API and its documentation around one recogniser.

penread serve
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

import penread
from penread.recognizer import Recognizer
from penread.server import problems
from penread.server.limits import BodyLimit
from penread.server.routes import router
from penread.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

_WEB = Path(str(files("penread") / "web"))


def create_app(settings: Settings | None = None) -> FastAPI:
    """Makes the application. The model is loaded when it starts, not before.

    Args:
        settings: The settings; from the environment where None.
    """
    chosen = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.recognizer = Recognizer(chosen.bundle)
        # Reading an image takes a core and its memory; more at once than there are cores only adds the memory.
        cores = os.cpu_count() or 1
        app.state.limiter = CapacityLimiter(cores)
        # Pages take seconds: they leave a core to characters, which take milliseconds.
        app.state.page_limiter = CapacityLimiter(max(cores - 1, 1))
        yield

    app: FastAPI = FastAPIOffline(
        title="penread",
        version=penread.__version__,
        summary="Reads handwritten characters.",
        license_info={"name": "MIT", "identifier": "MIT"},
        docs_url="/docs",
        redoc_url=None,
        favicon_url="/static/favicon.svg",
        lifespan=lifespan,
    )
    app.add_middleware(BodyLimit)
    problems.install(app)
    app.include_router(router)

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(_WEB / "index.html")

    app.mount("/static", StaticFiles(directory=_WEB))
    return app
