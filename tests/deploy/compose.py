"""compose.yaml as Docker reads it: with the variables of .env in their places."""

from __future__ import annotations

import re
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def variables() -> dict[str, str]:
    """The variables that .env.example shows, with their values there."""
    lines = (DEPLOY / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def compose(**given: str) -> dict[str, Any]:
    """Reads compose.yaml; what isn't given has its default.

    Raises:
        LookupError: A variable has neither a value nor a default.
    """

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if found := given.get(name):
            return found
        if kind == "-":
            return str(rest)
        raise LookupError(f"{name}: {rest}")

    loaded: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, (DEPLOY / "compose.yaml").read_text("utf-8")))
    return loaded


def environment(service: dict[str, Any]) -> dict[str, str]:
    """The environment of a service, as strings."""
    return {name: "" if value is None else str(value) for name, value in service["environment"].items()}
