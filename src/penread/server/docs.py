"""The documentation of the API, to read and to try: Swagger UI, from this server's files and with no inline script."""

from __future__ import annotations

from fastapi import APIRouter, Response

#: Where FastAPIOffline keeps the files of Swagger UI.
SWAGGER = "static-offline-docs"

router = APIRouter(include_in_schema=False)

# All addresses are relative, so that it works below any path.
_PAGE = f"""<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>The API of penread</title>
    <link rel="icon" href="static/favicon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="{SWAGGER}/swagger-ui.css">
    <script src="{SWAGGER}/swagger-ui-bundle.js" defer></script>
    <script src="docs/start.js" defer></script>
  </head>
  <body>
    <div id="docs"></div>
  </body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  // The schema's own validator is on another host.
  validatorUrl: null,
});
"""


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs() -> Response:
    """Give the page."""
    return Response(_PAGE, media_type="text/html", headers={"Cache-Control": "no-cache"})


@router.api_route("/docs/start.js", methods=["GET", "HEAD"])
async def start() -> Response:
    """Give the script that starts Swagger UI."""
    return Response(_START, media_type="text/javascript", headers={"Cache-Control": "no-cache"})
