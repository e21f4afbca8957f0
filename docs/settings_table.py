"""Prints the table of the server's settings that docs/deploy.md has.

python docs/settings_table.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from annotated_types import Ge, Gt, Le

from penread.server.settings import Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


def bounds(field: FieldInfo) -> str:
    """Says which values a setting can have, where not any text."""
    if field.annotation is bool:
        return "true, false"
    if choices := [each for each in get_args(field.annotation) if isinstance(each, str)]:
        return ", ".join(choices)
    least, most = "", ""
    for bound in field.metadata:
        if isinstance(bound, Ge):
            least = f"{_number(bound.ge)} to "
        elif isinstance(bound, Gt):
            least = f"over {_number(bound.gt)}, to "
        elif isinstance(bound, Le):
            most = _number(bound.le)
    return least + most


def _number(value: Any) -> str:  # noqa: ANN401 - whatever can be compared
    return f"{value:,}"


def _default(value: Any) -> str:  # noqa: ANN401 - as many types as settings
    if value is None:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> None:
    """Prints the table."""
    print("| variable | default | can be | |\n|---|---|---|---|")
    for name, field in Settings.model_fields.items():
        print(f"| `PENREAD_{name.upper()}` | {_default(field.default)} | {bounds(field)} | {field.description} |")


if __name__ == "__main__":
    main()
