"""The API is what its description says: schemathesis asks it right and wrong things, and checks the answers.

The long run, against a server of one's own; ``--seed`` of another day finds other things:

    penread serve --port 8080
    PYTHONPATH=. SCHEMATHESIS_HOOKS=tests.security.schema_hooks schemathesis run http://127.0.0.1:8080/openapi.json \
        --checks all --max-time 600 --continue-on-failure
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import ROOT, STROKES_L

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))


def run_schemathesis(description: str, *options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Lets schemathesis loose on a server; it leaves files of its own in the folder where it runs."""
    command = [
        *(SCHEMATHESIS, "run", description, "--checks", "all", "--continue-on-failure", "--no-shrink", "--no-color"),
        *("--seed", "1", "--generation-deterministic", "--request-timeout", "60"),
        *options,
    ]
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.security.schema_hooks", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=env, capture_output=True, text=True, cwd=cwd, timeout=280, check=False)


def operations(schema: dict[str, Any]) -> list[tuple[str, str]]:
    return [(path, method) for path, methods in schema["paths"].items() for method in methods]


@pytest.fixture
def schema(server: str) -> dict[str, Any]:
    described: dict[str, Any] = httpx2.get(f"{server}/openapi.json").json()
    return described


def test_requests_and_answers_are_as_described(server: str, schema: dict[str, Any], tmp_path: Path) -> None:
    options = ["--phases", "examples,coverage,fuzzing", "--max-examples", "25"]
    ended = run_schemathesis(f"{server}/openapi.json", *options, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    count = len(operations(schema))
    assert f"{count} selected / {count} total" in ended.stdout
    generated = re.search(r"(\d+) generated", ended.stdout)
    assert generated
    assert int(generated[1]) > 25 * count
    print(f"\n{generated[1]} requests")


def test_a_description_that_is_not_true_is_found(server: str, schema: dict[str, Any], tmp_path: Path) -> None:
    """The same run fails where the description promises something else."""
    fields = schema["paths"]["/api/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    fields["properties"]["top_k"]["maximum"] = 1000
    untrue = tmp_path / "openapi.json"
    untrue.write_text(json.dumps(schema))
    options = ["--url", server, "--phases", "coverage", "--include-path", "/api/v1/predict"]
    ended = run_schemathesis(str(untrue), *options, cwd=tmp_path)
    assert ended.returncode == 1
    assert "less than or equal to 100" in ended.stdout


def test_no_reference_leads_nowhere(schema: dict[str, Any]) -> None:
    """Swagger UI and generators of clients follow every ``$ref`` from the root of the document."""
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(schema))):
        place: Any = schema
        assert reference.startswith("#/")
        for name in reference[2:].split("/"):
            assert name in place, reference
            place = place[name]


@pytest.mark.parametrize(
    "body",
    [
        {"strokes": [[[False, 0]]]},
        {"strokes": [[["0", 0]]]},
        {"strokes": STROKES_L, "top_k": "5"},
        {"strokes": STROKES_L, "top_k": True},
        {"strokes": STROKES_L, "include_glyph": "true"},
        {"strokes": STROKES_L, "include_glyph": 1},
        {"strokes": STROKES_L, "unclear_above": "0.5"},
        {"items": [{"strokes": [[[True, 0]]]}]},
    ],
)
def test_json_says_what_it_means(server: str, body: dict[str, Any]) -> None:
    """A text is no number, and a number is no switch, as the description has it."""
    response = httpx2.post(f"{server}/api/v1/predict", json=body)
    assert response.status_code == 422
    assert "Input should be a valid" in response.json()["detail"]


def test_numbers_are_whole_by_value_and_nulls_are_as_left_out(server: str) -> None:
    body = {"strokes": STROKES_L, "image": None, "items": None, "charset": None, "unclear_above": None, "top_k": 2.0}
    response = httpx2.post(f"{server}/api/v1/predict", json=body)
    assert response.status_code == 200, response.text
    assert len(response.json()["candidates"]) == 2


@pytest.mark.parametrize("said", ["1", "yes", "on", "TRUE", ""])
def test_switches_of_a_form_are_true_or_false(server: str, said: str) -> None:
    response = httpx2.post(f"{server}/api/v1/predict", files={"image": ("a.png", b"")}, data={"include_glyph": said})
    assert response.status_code == 422
    assert "include_glyph" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/predict", "/api/v1/read", "/api/v1/explain"])
def test_other_methods_are_told_which_there_are(server: str, schema: dict[str, Any], path: str) -> None:
    described = {method.upper() for method in schema["paths"][path]}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - described:
        response = httpx2.request(method, server + path)
        assert response.status_code == 405
        assert described <= {each.strip() for each in response.headers["allow"].split(",")}
        assert response.headers["content-type"] == "application/problem+json"
