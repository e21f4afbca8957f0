"""A peer: FastAPI and ONNX Runtime, as a tutorial writes it.

uvicorn --app-dir benchmarks/serving fastapi_server:app --port 8001

``POST /predict`` takes ``{"image": "<base64>"}``. The handler is a plain function, so FastAPI runs it in its pool of
threads. ONNX Runtime gets one thread a call: the requests are what keeps the cores busy. With its default, a thread a
core, an answer took twice the processor time.
"""

from __future__ import annotations

from fastapi import FastAPI
from peer_model import Answer, Model, glyph_of
from pydantic import BaseModel

app = FastAPI()
model = Model(threads=1)


class Request(BaseModel):
    """A picture of one character, as base64."""

    image: str


@app.post("/predict")
def predict(request: Request) -> Answer:
    """Read one character."""
    return model.read([glyph_of(request.image)])[0]
