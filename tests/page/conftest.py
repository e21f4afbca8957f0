"""What the tests of the page share: visits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.page.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Any]:
    """Opens pages, and sees to it that none ends with an unexpected error on its console."""
    visits: list[Visit] = []

    def open_page(**options: Any) -> Visit:
        visits.append(Visit(browser, server, **options))
        return visits[-1]

    yield open_page
    for each in visits:
        each.context.close()
        assert each.errors == []
