"""The application factory: the page, the API and its documentation around one recogniser.

penread serve
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from fastapi_offline import FastAPIOffline

import penread
from penread.bundle import Bundle
from penread.recognizer import Recognizer
from penread.server import page, problems
from penread.server.limits import BodyLimit
from penread.server.routes import router
from penread.server.settings import Settings
from penread.site import page_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI


def create_app(settings: Settings | None = None) -> FastAPI:
    """Makes the application. The model is loaded when it starts, not before.

    Args:
        settings: The settings; from the environment where None.
    """
    chosen = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bundle = Bundle.load(chosen.bundle)
        app.state.recognizer = Recognizer(bundle)
        app.state.page = page_files(bundle, server=True)
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
    app.include_router(page.router)
    return app
