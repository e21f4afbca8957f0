"""What browsers may do with the server's answers, and who may ask: headers, CORS, keys; with ``rates`` how often."""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Protocol

from starlette.middleware.cors import CORSMiddleware

from penread.server.problems import Problem, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from penread.server.rates import RateLimit, Standing
    from penread.server.settings import Settings

#: What the page may do: everything comes from its own server, and nothing is written into the page as a script.
#: WebAssembly reads on the device; pictures and the camera are shown from memory.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: The same for the documentation of the API.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: Other answers are no pages, and nothing that is in them may act as one.
OTHER_POLICY = "default-src 'none'; frame-ancestors 'none'"

_GUARDED = ("/api", "/v2")
_PROBES = "/v2/health/"
# Workers have the policy that they come with, not that of the page.
_WORKERS = frozenset({"/sw.js", "/static/device/worker.js"})
_FILES = ("/config.json", "/manifest.webmanifest", "/static/", "/static-offline-docs/", "/docs/")

# The camera, and no other device or power that browsers give pages. What isn't named here stays at its default, which
# for all that matters is "this origin only".
_FEATURES_OFF = (
    "accelerometer", "display-capture", "encrypted-media", "geolocation", "gyroscope", "hid",
    "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment", "publickey-credentials-get",
    "screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip
# No X-Frame-Options: every browser that runs the page knows frame-ancestors, which takes its place.
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
# What only says something of a page. All others do without these 400 bytes.
_PAGES_ONLY = {
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": ", ".join(["camera=(self)", *(f"{feature}=()" for feature in _FEATURES_OFF)]),
}
# On plain http browsers ignore these, and complain of the second. Other hosts of the domain are not ours to speak for:
# no includeSubDomains.
_HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
_HTTPS_PAGES_ONLY = {"Cross-Origin-Opener-Policy": "same-origin"}
_NO_STORE = (b"cache-control", b"no-store")

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, as `Authorization: Bearer KEY`."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key, as `X-API-Key: KEY`."},
}
# What `refusal` answers, below /api and below /v2.
_PROBLEM = {"application/problem+json": {"schema": Problem.model_json_schema()}}
_PROTOCOL_ERROR = {
    "application/json": {
        "schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    }
}


class RefusalCounter(Protocol):
    """Counts requests that are refused: :class:`penread.server.metrics.Metrics` does."""

    def rejected(self, reason: str) -> None:
        """Counts one.

        Args:
            reason: ``"key"`` or ``"rate"``.
        """


def rate_limit(settings: Settings) -> RateLimit | None:
    """Makes the limits of the settings; none where they have none.

    Args:
        settings: The settings.

    Raises:
        InputError: Rate limits can't be counted where the settings say.
    """
    if settings.rate_limit is None:
        return None
    from penread.server.rates import RateLimit  # noqa: PLC0415 - a tenth of a second for those who set no limit

    return RateLimit(settings.rate_limit, settings.rate_limit_storage)


def install(app: FastAPI, settings: Settings, metrics: RefusalCounter) -> None:
    """Adds to an application what this file has, as far as the settings want it.

    What was added as middleware before is inside of it, what is added later outside.

    Args:
        app: The application.
        settings: The settings.
        metrics: Is told of refusals.

    Raises:
        InputError: Rate limits can't be counted where the settings say.
    """
    if settings.keys or settings.rate_limit:
        app.add_middleware(Access, settings=settings, metrics=metrics, rates=rate_limit(settings))
        _describe_access(app, settings)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=[
                "Authorization", "Content-Type", "Inference-Header-Content-Length", "X-API-Key", "X-Request-ID",
            ],
            expose_headers=[
                "Inference-Header-Content-Length", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID",
            ],
        )  # fmt: skip
    app.add_middleware(Headers)


def headers_of_answers() -> list[tuple[bytes, bytes]]:
    """Gives the headers of an answer of the API, for those who answer before any middleware."""
    return [*_encoded({"Content-Security-Policy": OTHER_POLICY, **_ALWAYS}), _NO_STORE]


class Headers:
    """Middleware that gives each answer the headers that tell browsers what they may do with it.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        worker = {"Content-Security-Policy": PAGE_POLICY, **_ALWAYS}
        special = {
            "/": {"Content-Security-Policy": PAGE_POLICY, **_ALWAYS, **_PAGES_ONLY},
            "/docs": {"Content-Security-Policy": DOCS_POLICY, **_ALWAYS, **_PAGES_ONLY},
            **dict.fromkeys(_WORKERS, worker),
        }
        other = {"Content-Security-Policy": OTHER_POLICY, **_ALWAYS}
        self._special = {path: _encoded(headers) for path, headers in special.items()}
        self._special_by_https = {
            path: _encoded({**headers, **_HTTPS_ONLY, **_HTTPS_PAGES_ONLY}) for path, headers in special.items()
        }
        self._other = _encoded(other)
        self._other_by_https = _encoded({**other, **_HTTPS_ONLY})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, with a ``send`` that adds the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _path(scope)
        is_secure = scope["scheme"] == "https"
        added = (self._special_by_https if is_secure else self._special).get(path)
        is_kept = added is not None or path.startswith(_FILES)
        added = added or (self._other_by_https if is_secure else self._other)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *added]
                if not is_kept and not any(name == b"cache-control" for name, _ in headers):
                    headers.append(_NO_STORE)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Access:
    """Middleware that wants a key where there are keys, and holds each client to the rate limits.

    A client is a key, or where it has none an address. Probes need no key, and nor do the page and its files. Requests
    with a wrong key, or none, count for their address, so that keys can't be guessed at speed.

    Args:
        app: The application behind it.
        settings: The settings.
        metrics: Is told of refusals.
        rates: Counts requests, where there are limits.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: RefusalCounter, rates: RateLimit | None) -> None:
        self._app = app
        self._metrics = metrics
        self._digests = [sha256(key.encode()).digest() for key in settings.keys]
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _path(scope)
        if not path.startswith(_GUARDED) or path.startswith(_PROBES):
            await self._app(scope, receive, send)
            return

        holder = None
        is_refused = False
        given = b""
        if self._digests:
            given = _given_key(scope)
            holder = self._holder(given)
            is_refused = holder is None
        if self._rates is not None and (is_refused or path.startswith("/api") or path.endswith("/infer")):
            standing = await self._rates.count(holder or _client(scope))
            if not standing.is_admitted:
                self._metrics.rejected("rate")
                await _too_many(scope, receive, send, standing)
                return
            send = _with(standing.headers, send)
        if is_refused:
            self._metrics.rejected("key")
            await _unknown(scope, receive, send, is_wrong=given != b"")
            return
        await self._app(scope, receive, send)

    def _holder(self, given: bytes) -> str | None:
        """Names the client that has a key; None where it is none of ours."""
        digest = sha256(given).digest()
        # All of them are compared, each in the same time, so that the time tells nothing.
        known = [hmac.compare_digest(digest, each) for each in self._digests]
        return f"key:{digest[:8].hex()}" if any(known) else None


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _path(scope: Scope) -> str:
    """Gives the path as the routes know it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _given_key(scope: Scope) -> bytes:
    """Finds the key that a request brings; empty where there is none."""
    bearer = b""
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return bytes(value)
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip()
    return bearer


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return _network(client[0]) if client else "address:unknown"


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    """Names whom an address belongs to: of IPv6, everybody has 2^64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        # A proxy may write something else.
        return f"address:{sha256(address.encode()).hexdigest()[:16]}"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return f"address:{parsed.ipv4_mapped}"
        return f"address:{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return f"address:{parsed}"


def _with(headers: Sequence[tuple[bytes, bytes]], send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *headers]
        await send(message)

    return send_with_headers


async def _too_many(scope: Scope, receive: Receive, send: Send, standing: Standing) -> None:
    seconds = "a second" if standing.retry_after_s == 1 else f"{standing.retry_after_s:,} seconds"
    detail = f"Too many requests. Try again in {seconds}."
    headers = {"Retry-After": str(standing.retry_after_s)}
    answer = refusal(_path(scope), HTTPStatus.TOO_MANY_REQUESTS, detail, headers)
    await answer(scope, receive, _with(standing.headers, send))


async def _unknown(scope: Scope, receive: Receive, send: Send, *, is_wrong: bool) -> None:
    how = "as Authorization: Bearer KEY, or X-API-Key: KEY"
    detail = f"This key is not known here. Send another {how}." if is_wrong else f"This wants a key. Send it {how}."
    challenge = 'Bearer realm="penread"' + (', error="invalid_token"' if is_wrong else "")
    answer = refusal(_path(scope), HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})
    await answer(scope, receive, send)


def _describe_access(app: FastAPI, settings: Settings) -> None:
    """Has the API's description tell of keys, and of what is answered where they or patience are missing."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = describe()
        if settings.keys:
            schema.setdefault("components", {})["securitySchemes"] = _SCHEMES
        for path, operations in schema["paths"].items():
            if not path.startswith(_GUARDED) or path.startswith(_PROBES):
                continue
            content = _PROTOCOL_ERROR if path.startswith("/v2") else _PROBLEM
            for operation in operations.values():
                responses = operation["responses"]
                if settings.keys:
                    operation["security"] = [{name: []} for name in _SCHEMES]
                    told = {"description": "There is no key, or an unknown one.", "content": content}
                    responses.setdefault("401", told)
                if settings.rate_limit:
                    told = {"description": "There are too many requests of this client.", "content": content}
                    responses.setdefault("429", told)
        return schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI documents this as the way to extend it
