"""The application factory: the page, the API and its documentation around one recogniser.

penread serve
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from fastapi_offline import FastAPIOffline

import penread
from penread.bundle import load_all
from penread.server import docs, logs, page, problems, security
from penread.server.door import Door
from penread.server.inference_protocol import router as inference_router
from penread.server.limits import BodyLimit, QueueLimit
from penread.server.metrics import Metrics
from penread.server.metrics import router as metrics_router
from penread.server.observe import Failures, Observe
from penread.server.routes import router
from penread.server.service import Service
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
    # Where nobody has said how to log, structlog shows the values of variables, drawings among them.
    if not structlog.is_configured():
        logs.configure(chosen.log_format, chosen.log_level)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        bundles = load_all(chosen.bundles)
        service = app.state.service = Service(bundles, chosen, metrics)
        app.state.page = page_files(bundles[0], server=True, key=bool(chosen.keys))
        logs.started(chosen, {name: model.info.version for name, model in service.models.items()})
        # The protocol finds it there.
        yield {
            "request_timeout_s": chosen.request_timeout_s,
            "service": service,
            "metrics": metrics,
            # Other origins' pages must be told by CORS' headers that they may read the answer; and a queue isn't closed
            # to those with a key, or within their rate, by those without.
            "door": None if chosen.origins or chosen.keys or chosen.rate_limit else Door(service, metrics),
        }
        service.close()
        logs.stopped()

    app: FastAPI = FastAPIOffline(
        title="penread",
        version=penread.__version__,
        summary="Reads handwritten characters.",
        license_info={"name": "MIT", "identifier": "MIT"},
        # The files of Swagger UI are what it is for; the page of its own has inline scripts.
        docs_url=None,
        redoc_url=None,
        # What it redirects to would be of the client's making: the Host of its request.
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.metrics = metrics
    # The last is the outermost.
    app.add_middleware(Failures)
    app.add_middleware(BodyLimit, max_bytes=chosen.max_body_bytes, timeout_s=chosen.request_timeout_s, metrics=metrics)
    app.add_middleware(QueueLimit)
    security.install(app, chosen, metrics)
    app.add_middleware(Observe, metrics=metrics)
    problems.install(app)
    # Not included: to look into a router that is takes FastAPI as long as all middleware together.
    app.router.routes += router.routes
    app.include_router(inference_router)
    app.include_router(docs.router)
    app.include_router(page.router)
    if chosen.metrics:
        app.include_router(metrics_router)
    return app
