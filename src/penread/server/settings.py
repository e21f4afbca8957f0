"""What an operator may set, by ``penread serve`` or by ``PENREAD_*`` in the environment."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from penread.bundle import DEFAULT_BUNDLE


class Settings(BaseSettings):
    """The settings of a server.

    Attributes:
        host: The address to listen on. The default is for this machine alone.
        port: The port to listen on.
        bundle: The model: a bundle that ships, or a bundle's directory.
    """

    model_config = SettingsConfigDict(env_prefix="PENREAD_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    bundle: str = DEFAULT_BUNDLE
