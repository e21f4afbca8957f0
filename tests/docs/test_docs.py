"""The documents: their commands run, their links lead somewhere, their figures are those of the bundle."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from penread import Ink
from penread.bundle import Bundle, load_all
from penread.cli import app
from penread.image import _MAX_PLAIN_BYTES, MAX_PIXELS
from penread.ink import MAX_COORDINATE
from penread.lines import MAX_LINES, MAX_PARTS
from penread.server import limits, protocol
from penread.server.inference_tensors import _MAX_ID, _MAX_UNPACKED_BYTES
from penread.server.metrics import REASONS, Metrics
from penread.server.service import Service
from penread.server.settings import MAX_BODY_BYTES, Settings
from tests.conftest import ROOT, STROKES_L, write_small
from tests.docs.briefly import FEWER
from tests.documents.written import page_of, save_pages
from tests.made import drawn

HERE = Path(__file__).parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
# What is written on page.png; on scan.pdf, and on its second page the other way round.
PAGE = ("HEAT MEN", "377")
# What has less to do in a test than it has for a reader.
BRIEFLY = {f"benchmarks/{name}.py" for name in FEWER}
# What a test can't run, and what stands in for it.
NOT_RUN = {
    "make": "CI runs make test; make serve needs a terminal to end it",
    "docker": "there is no Docker engine where the tests run",
    "kubectl": "there is no cluster where the tests run; tests/deploy validates the manifests",
    "python -m venv .venv-peers": "installs readers that penread doesn't need",
    ".venv-peers/bin": "needs those readers; tests/benchmarks/test_peers.py runs it with readers of its own",
    "python -m venv .venv-serving": "installs servers that penread doesn't need",
    "python benchmarks/serving/run.py": "takes minutes; tests/benchmarks/test_serving.py runs it small",
    "python benchmarks/serving/load.py": "takes minutes; tests/benchmarks/test_serving.py runs it small",
    "python benchmarks/serving/malformed.py": "takes minutes; tests/security/test_content.py sends hundreds",
    "penread data fetch": "downloads half a gigabyte; tests/data/test_fetch.py fetches from a server of its own",
    "python benchmarks/ladder.py": "trains for half an hour; tests/benchmarks climbs two steps of it",
    "python benchmarks/rejection.py": "takes minutes; tests/benchmarks runs it on few",
    "python benchmarks/context.py": "takes a minute each; tests/benchmarks runs it on few",
    "penread evaluate --split pool47 --leave-out": "is about the real test; tests/cli leaves out images of its own",
    "penread serve": "tests/server and tests/package start it",
}


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(document: Path) -> list[str]:
    """The shell commands of a document, comments dropped and continued lines joined."""
    lines = "\n".join(blocks(document, "sh")).replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := line.split("  #")[0].strip())]


@pytest.fixture
def workplace(tmp_path: Path, small_emnist: Path, request: pytest.FixtureRequest) -> Path:
    """A folder as a reader of the documents has it: the data, some pictures, the commands on the PATH."""
    data_dir = tmp_path / "data" / "emnist"
    shutil.copytree(small_emnist, data_dir)
    if "training.md" not in request.node.name:
        # Few images will do to see that recipes are trained, bundles evaluated, and benchmarks run.
        write_small(data_dir, per_class=12, test_per_class=3)
    (tmp_path / "drawings").mkdir()
    for name, allowed in (
        ("chars74k_hnd", str.isalnum), ("omniglot_latin_mouse", str.islower), ("pendigits", str.isdigit),
    ):  # fmt: skip
        drawings = [drawing for drawing in drawn() if allowed(drawing["label"])]
        (tmp_path / "drawings" / f"{name}.json").write_text(json.dumps(drawings))
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    picture = Image.fromarray(255 - Ink(STROKES_L).glyph()).resize((120, 120), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "letter.png")
    picture.convert("RGB").save(tmp_path / "digit.jpg")
    page_of(*PAGE).save(tmp_path / "page.png")
    save_pages(tmp_path / "scan.pdf", page_of(*PAGE), page_of(*PAGE[::-1]))
    (tmp_path / "photos" / "chars").mkdir(parents=True)
    shutil.copy(tmp_path / "letter.png", tmp_path / "photos" / "chars")
    (tmp_path / "photos" / "chars" / "labels.csv").write_text("file,label\nletter.png,L\n")
    (tmp_path / "photos" / "pages").mkdir()
    shutil.copy(tmp_path / "page.png", tmp_path / "photos" / "pages")
    (tmp_path / "photos" / "pages" / "truth.csv").write_text('file,text\npage.png,"{}"\n'.format("\n".join(PAGE)))
    return tmp_path


def test_there_are_documents() -> None:
    names = {path.name for path in DOCUMENTS}
    assert {"README.md", "README.ru.md", "CONTRIBUTING.md", "api.md", "training.md", "models.md"} <= names
    shown = [command for path in DOCUMENTS for command in commands(path)]
    assert len(shown) > 20
    assert BRIEFLY.issubset(word for command in shown for word in command.split())


def add_balanced(data_dir: Path) -> None:
    """Adds a small ``balanced`` split: pool47's images, which have the same classes, under its name."""
    if not (data_dir / "emnist-balanced-mapping.txt").exists():
        for path in list(data_dir.glob("emnist-pool47-*")):
            shutil.copy(path, data_dir / path.name.replace("pool47", "balanced"))


def documents_by_commands() -> dict[str, Path]:
    """The documents whose commands differ, by their names: two that show the same, in two languages, are run once."""
    by_commands: dict[tuple[str, ...], list[Path]] = {}
    for document in DOCUMENTS:
        by_commands.setdefault(tuple(commands(document)), []).append(document)
    return {" and ".join(each.name for each in alike): alike[0] for shown, alike in by_commands.items() if shown}


def brief(command: str, document: Path) -> str:
    """The command with less to do, where it has much to do."""
    briefly = shlex.join([sys.executable, str(HERE / "briefly.py")])
    called = command.removeprefix("python ")
    if called.split()[0] in BRIEFLY:
        return f"{briefly} {called}"
    if document.name == "models.md":
        if command.startswith("penread train"):
            command = f"{briefly} {command}"
        # A whole recipe is run in training.md, and made 8-bit there: what has hardly learnt can't be judged.
        command = command.replace(" --int8", "")
    return command


@pytest.mark.timeout(900)
@pytest.mark.parametrize("document", documents_by_commands().values(), ids=documents_by_commands())
def test_the_commands_run(document: Path, workplace: Path, server: str) -> None:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands(document):
        if command.startswith(tuple(NOT_RUN)):
            continue
        if "--split balanced" in command:
            add_balanced(workplace / "data" / "emnist")
        at_hand = brief(command, document).replace("http://127.0.0.1:8000", server)
        ended = subprocess.run(at_hand, shell=True, cwd=workplace, env=env, capture_output=True, text=True)
        assert ended.returncode == 0, f"{at_hand}\n{ended.stdout}\n{ended.stderr}"
        if '"items"' in command:
            assert [each["char"] for each in json.loads(ended.stdout)["predictions"]] == ["L", "X"], ended.stdout
        elif "/v2/models/balanced" in command:
            [outputs] = [value for key, value in json.loads(ended.stdout).items() if key == "outputs"]
            assert [each["name"] for each in outputs] == ["logits", "kinds", "char", "confidence"], ended.stdout
        elif "/api/v1/predict" in command or "/api/v1/explain" in command:
            assert json.loads(ended.stdout)["char"] == "L", ended.stdout
        elif "/api/v1/read" in command:
            assert json.loads(ended.stdout)["text"] == ("LT" if "strokes" in command else "\n".join(PAGE)), ended.stdout
        elif command.startswith("curl"):
            raise AssertionError(f"What {command} must answer is not said here.")


def test_make_trains_what_the_document_says() -> None:
    """``make bundles/...`` runs the commands that docs/models.md shows and another test runs."""
    # Always: no run that is finished may leave a step out.
    asked = ["make", "--dry-run", "--always-make", "VENV=x", "bundles/balanced", "bundles/reference"]
    planned = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    def words(command: str) -> list[str]:
        return sorted(command.replace("x/bin/", "").replace("--data-dir data/emnist", "").split())

    made = [words(line) for line in planned.splitlines() if line.startswith("x/bin/penread")]
    [shown] = [block for block in blocks(ROOT / "docs" / "models.md", "sh") if "--out bundles/balanced" in block]
    assert [words(command) for command in shown.splitlines()] == made


def test_what_is_not_run_is_at_least_a_command() -> None:
    """The commands left out above exist, with the options they are shown with."""
    import click
    import typer

    root = typer.main.get_command(app)
    for document in DOCUMENTS:
        for command in commands(document):
            words = command.split()
            if words[0] == "make":
                assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command
            elif command.startswith(("penread data fetch", "penread serve")):
                found: click.Command = root  # type: ignore[assignment]
                for word in words[1:]:
                    if hasattr(found, "commands") and word in found.commands:
                        found = found.commands[word]
                options = {option for parameter in found.params for option in parameter.opts}
                assert {word for word in words if word.startswith("--")} <= options, command


def test_what_is_not_run_is_shown() -> None:
    """No reason outlives its command."""
    shown = [command for document in DOCUMENTS for command in commands(document)]
    assert [each for each in NOT_RUN if not any(command.startswith(each) for command in shown)] == []


@pytest.mark.parametrize("name", ["README.md", "README.ru.md"])
def test_the_python_runs(name: str, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(workplace)
    [code] = blocks(ROOT / name, "python")
    exec(compile(code, name, "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("L ")
    assert lines[1].startswith("L [Candidate(char='L'")
    assert lines[3:5] == list(PAGE)
    assert lines[5].startswith("[('H', 0.9")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if not link.startswith("http"):
            assert (document.parent / link).exists(), link


def anchor(heading: str) -> str:
    """The place that a heading is linked by, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_headings(document: Path) -> None:
    for name, place in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text("utf-8")):
        text = (document.parent / name if name else document).read_text("utf-8")
        # A comment in a block of code begins like a heading.
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
        assert place in map(anchor, headings), f"{name}#{place}"


@pytest.mark.parametrize("name", ["README.md", "README.ru.md", "docs/models.md"])
def test_the_figures_are_the_bundles(name: str) -> None:
    info = Bundle.load().info
    assert info.measured
    text = (ROOT / name).read_text("utf-8").replace("\N{NO-BREAK SPACE}", " ").replace(",", ".")
    assert f"{info.measured.accuracy:.2%}".rstrip("%") in text
    if name.startswith("README"):
        assert str(info.parameters) in text.replace(".", "").replace(" ", "")


def test_the_stated_bounds_are_those_of_the_code() -> None:
    api = (ROOT / "docs" / "api.md").read_text("utf-8")
    for bound in (
        *(MAX_BODY_BYTES, limits.MAX_STROKES, limits.MAX_POINTS, limits.MAX_CHARSETS, limits.MAX_ITEMS),
        limits.MAX_POINTS_OF_ITEMS,
        *(MAX_COORDINATE, MAX_PIXELS, _MAX_PLAIN_BYTES, MAX_PARTS, MAX_LINES),
        *(protocol._MAX_HEAD_BYTES, _MAX_ID),  # noqa: SLF001 - nobody else asks for it
    ):
        assert re.search(rf"(?<![\d,]){bound:,.0f}(?![\d,])", api), bound

    # Of these two the document says that they are the same.
    assert _MAX_UNPACKED_BYTES == MAX_BODY_BYTES
    assert f"A request has {Settings.model_fields['request_timeout_s'].default:g} seconds to arrive" in api


def statuses(table: str) -> set[str]:
    """The statuses that a table's rows are about."""
    return set(re.findall(r"^\| (\d{3}) \|", table, re.MULTILINE))


def test_every_status_of_the_api_is_told(server: str) -> None:
    errors = (ROOT / "docs" / "api.md").read_text("utf-8").partition("## Errors")[2].partition("## Bounds")[0]
    described = httpx2.get(f"{server}/openapi.json").json()["paths"].values()
    answered = {status for operations in described for each in operations.values() for status in each["responses"]}
    assert len(answered) > 5
    assert answered - {"200"} <= statuses(errors)


def test_every_metric_lane_reason_and_alert_is_told(server: str) -> None:
    text = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    told = set(re.findall(r"`((?:penread|process)_\w+)`", text))
    given = set()
    for family in text_string_to_metric_families(httpx2.get(f"{server}/metrics").text):
        given.add(f"{family.name}_total" if family.type == "counter" else family.name)
    assert {name for name in given if name.startswith("penread_")} <= told <= given
    for reason in REASONS:
        assert f"`{reason}`" in text
    service = Service(load_all(["balanced"]), Settings(), Metrics())
    service.close()
    lanes = {queue._name for queue in service.queues}  # noqa: SLF001 - nobody else asks for it
    assert set(re.findall(r"`(\w+)`", text.partition("that it is at: ")[2].partition("|")[0])) == lanes
    architecture = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("| lane |")[2].partition("###")[0]
    assert set(re.findall(r"^\| `(\w+)`", architecture, re.MULTILINE)) == lanes
    rules = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8")
    alerts = re.findall(r"^\| `(Penread\w+)` \|", text, re.MULTILINE)
    assert sorted(alerts) == sorted(re.findall(r"alert: (\w+)", rules))


def test_the_docstring_example_runs() -> None:
    import doctest

    import penread

    assert doctest.testmod(penread).failed == 0
    assert np.all(Ink(STROKES_L).glyph() >= 0)
