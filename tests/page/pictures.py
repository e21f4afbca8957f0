"""A picture of a word, as a file that the page is given."""

from __future__ import annotations

import io

from playwright.sync_api import FilePayload

from tests.documents.written import page_of

_BUFFER = io.BytesIO()
page_of("HEAT").save(_BUFFER, "PNG")
PICTURE: FilePayload = {"name": "heat.png", "mimeType": "image/png", "buffer": _BUFFER.getvalue()}
