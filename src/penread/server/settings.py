"""What an operator may set, by ``penread serve`` or by ``PENREAD_*`` in the environment."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from penread.bundle import DEFAULT_BUNDLE

#: The most bytes of a request's body, where the settings say nothing else; base64 makes an image a third larger.
MAX_BODY_BYTES = 16 * 1024 * 1024


_KEY = re.compile(r"[!-~]+")
_ORIGIN = re.compile(r"\*|https?://[^/\s]+")


class Settings(BaseSettings):
    """The settings of a server; each says what it is for in its description. Lists are parted by commas."""

    model_config = SettingsConfigDict(env_prefix="PENREAD_", env_ignore_empty=True, frozen=True)

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; 0.0.0.0 for all of this machine's. So in the container"
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 for any that is free")
    bundle: str = Field(
        default=DEFAULT_BUNDLE,
        description="The model: a bundle that ships, or a bundle's directory; or several, the first for the page and "
        "`/api`, all for `/v2`",
    )
    workers: int = Field(default=1, ge=1, le=64, description="Processes that serve; each has the model for itself")
    queue: int = Field(
        default=128,
        ge=1,
        le=10_000,
        description="Characters that may wait, a process: drawn as strokes, or in small images, each in a queue; "
        "beyond it is answered 503. Photographs and pages wait in shorter queues, in proportion to the cores",
    )
    max_connections: int = Field(
        default=1_000, ge=1, le=100_000, description="Connections at a time, a process; further ones are answered 503"
    )
    max_body_bytes: int = Field(
        default=MAX_BODY_BYTES, ge=1024, le=1024**3, description="Largest body of a request, bytes"
    )
    request_timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=3_600,
        description="Seconds for a request to arrive, and again for its answer to be taken; then the connection ends",
    )
    grace_s: float = Field(
        default=10.0, ge=0, le=3_600, description="Seconds that requests in flight have to finish after SIGTERM"
    )
    rate_limit: str | None = Field(
        default=None,
        description="The most requests of one client, such as `20/second;600/minute`; beyond it is answered 429",
    )
    rate_limit_storage: str = Field(
        default="memory://",
        description="Where requests are counted: in each process, or in one place for all, such as `redis://host:6379`",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; * for "
        "any",
    )
    api_keys: SecretStr | None = Field(
        default=None,
        description="Keys, one of which `/api` and `/v2` then want as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
    )
    cors_origins: str | None = Field(
        default=None, description="Origins whose pages may use the API, such as `https://example.org`; * for any"
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Logs for people, or for programs")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged: this and what is graver; info has a line for each request"
    )
    metrics: bool = Field(default=True, description="Whether Prometheus' `/metrics` is served")

    @field_validator("rate_limit")
    @classmethod
    def _is_rate_limit(cls, value: str | None) -> str | None:
        if value is not None:
            from limits import parse_many  # noqa: PLC0415 - a tenth of a second for those who set no limit

            try:
                parse_many(value)
            except ValueError as error:
                raise ValueError("give it as 20/second, or 20/second;600/minute") from error
        return value

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            keys = _parted(value.get_secret_value())
            # Nobody who sets keys wants an API without.
            if not keys or not all(_KEY.fullmatch(key) for key in keys):
                raise ValueError("a key is of ASCII letters, digits and signs, without a space")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str | None) -> str | None:
        for origin in _parted(value or ""):
            if not _ORIGIN.fullmatch(origin):
                raise ValueError("an origin is https://HOST or https://HOST:PORT, with nothing after it, or *")
        return value

    @property
    def bundles(self) -> list[str]:
        """The bundles to serve, the default first."""
        return _parted(self.bundle)

    @property
    def keys(self) -> list[str]:
        """The keys of the API; none where it is open."""
        return _parted(self.api_keys.get_secret_value()) if self.api_keys else []

    @property
    def origins(self) -> list[str]:
        """The origins that CORS allows."""
        return _parted(self.cors_origins or "")


def _parted(value: str) -> list[str]:
    return [part for each in value.split(",") if (part := each.strip())]
