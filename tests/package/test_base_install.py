"""The package as a user installs it: a wheel without the train extra, in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import ROOT, STROKES_L


@pytest.fixture(scope="module")
def base_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of a fresh virtual environment that has penread and nothing of its extras."""
    venv = tmp_path_factory.mktemp("base") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", "--quiet",
         "--disable-pip-version-check", "--constraint", ROOT / "constraints.txt", ROOT],
        check=True,
    )  # fmt: skip
    return venv / "bin"


def test_import_and_predict_without_torch(base_bin: Path, tmp_path: Path) -> None:
    code = f"""
import sys, penread
prediction = penread.Recognizer().predict(penread.Ink({STROKES_L}))
assert prediction.char == "L", prediction
heavy = {{"torch", "matplotlib", "sklearn", "onnx", "fastapi", "uvicorn"}} & set(sys.modules)
assert not heavy, heavy
for name in ("torch", "matplotlib", "sklearn", "onnx", "pooch"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise AssertionError(f"{{name}} is installed")
"""
    subprocess.run([base_bin / "python", "-W", "error", "-c", code], check=True, cwd=tmp_path)


def test_serve_without_torch(base_bin: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PENREAD_")}
    started_s = time.monotonic()
    with subprocess.Popen([base_bin / "penread", "serve", "--port", str(port)], cwd=tmp_path, env=env) as process:
        try:
            answer = first_answer(f"http://127.0.0.1:{port}/api/v1/predict")
            print(f"\nfrom start to first answer, base install: {time.monotonic() - started_s:.2f} s")
            assert answer["char"] == "L"
            assert httpx2.get(f"http://127.0.0.1:{port}/").status_code == 200
            assert httpx2.get(f"http://127.0.0.1:{port}/static/main.js").status_code == 200
            # Reading on the device takes what is no part of the wheel, though it lies in the source tree here.
            assert httpx2.get(f"http://127.0.0.1:{port}/config.json").json()["device"] is False
            assert httpx2.get(f"http://127.0.0.1:{port}/static/onnxruntime/ort.wasm.min.mjs").status_code == 404
        finally:
            process.terminate()
    assert process.returncode == 0


def test_make_serve_in_a_fresh_clone(tmp_path: Path) -> None:
    """The README's first command, where nothing has been set up."""
    clone = tmp_path / "penread"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "runs", "data", "dist")
    shutil.copytree(ROOT, clone, ignore=left_out)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "PENREAD_PORT": str(port)}
    with subprocess.Popen(["make", "serve"], cwd=clone, env=env, start_new_session=True) as process:
        try:
            assert first_answer(f"http://127.0.0.1:{port}/api/v1/predict", patience_s=240)["char"] == "L"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
    assert not list((clone / ".venv").glob("lib/*/site-packages/torch"))


def first_answer(url: str, patience_s: float = 20) -> dict[str, Any]:
    for _ in range(int(patience_s / 0.05)):
        try:
            answer: dict[str, Any] = httpx2.post(url, json={"strokes": STROKES_L}).json()
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return answer
    raise AssertionError(f"penread serve gave no answer in {patience_s} s")


def test_the_wheel_has_the_page_without_the_engine(base_bin: Path, tmp_path: Path) -> None:
    [web] = base_bin.parent.glob("lib/*/site-packages/penread/web")
    assert (ROOT / "src" / "penread" / "web" / "onnxruntime").is_dir()
    assert not (web / "onnxruntime").exists()
    for name in ("sw.js", "manifest.webmanifest", "offline.js", "icons/icon-192.png"):
        assert (web / name).read_bytes() == (ROOT / "src" / "penread" / "web" / name).read_bytes()
    for command in ("runtime", "site"):
        ended = subprocess.run(
            [base_bin / "penread", command, *([tmp_path / "site"] if command == "site" else [])],
            env={**os.environ, "npm_config_registry": "http://127.0.0.1:9"}, capture_output=True, text=True,
        )  # fmt: skip
        assert ended.returncode == 1
        assert "Could not download http://127.0.0.1:9/onnxruntime-web/-/onnxruntime-web-" in ended.stderr
        assert "--archive FILE" in ended.stderr
    assert not (web / "onnxruntime").exists()
    assert not (tmp_path / "site").exists()


def test_training_says_what_to_install(base_bin: Path, tmp_path: Path) -> None:
    for arguments in (["train", "--out", "run"], ["evaluate"], ["export", "run", "--out", "b"], ["data", "fetch"]):
        ended = subprocess.run([base_bin / "penread", *arguments], capture_output=True, text=True, cwd=tmp_path)
        assert ended.returncode == 1
        assert "make train-extra, or pip install '.[train]'" in ended.stderr, json.dumps([arguments, ended.stderr])
