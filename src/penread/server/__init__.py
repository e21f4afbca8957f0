"""The web service: the page, and the HTTP API that it and other programs use."""
