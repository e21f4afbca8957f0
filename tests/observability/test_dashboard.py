"""The dashboard and the alerts ask for what a server tells, by the names and labels that it has."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]

from tests.conftest import ROOT, STROKES_L
from tests.observability.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator

_DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "penread.json").read_text())
_ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
_RULES = [rule for group in _ALERTS["groups"] for rule in group["rules"]]

# What Prometheus itself says, and the labels that it adds to what it is told.
_OF_PROMETHEUS = {"up": set[str](), "ALERTS": {"alertname", "alertstate"}}
_ADDED = {"job", "instance"}

_SELECTOR = re.compile(r"\b((?:penread_|process_|up\b|ALERTS\b)\w*)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"')


def queries() -> Iterator[tuple[str, str]]:
    """Each query, and where it is."""
    for panel in _DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for variable in _DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", variable["definition"]
    for annotation in _DASHBOARD["annotations"]["list"]:
        if "expr" in annotation:
            yield f"annotation {annotation['name']}", annotation["expr"]
    for rule in _RULES:
        yield f"alert {rule['alert']}", rule["expr"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each metric that a server tells after a request."""
    with running(tmp_path_factory.mktemp("told") / "log") as server:
        answer = httpx2.post(f"{server.address}/api/v1/predict", json={"strokes": STROKES_L}, timeout=30)
        assert answer.status_code == 200
        labels: dict[str, set[str]] = {**_OF_PROMETHEUS}
        for name, pairs in server.metrics():
            labels.setdefault(name, set()).update(label for label, _ in pairs)
    return labels


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_a_query_asks_for_what_there_is(where: str, query: str, told: dict[str, set[str]]) -> None:
    selectors = _SELECTOR.findall(query)
    assert selectors, where
    known = set[str]()
    for name, matchers in selectors:
        assert name in told, f"{where}: there is no {name}"
        known |= told[name]
        matched = set(_MATCHER.findall(matchers))
        assert matched <= told[name] | _ADDED, f"{where}: {name} has no {matched - told[name] - _ADDED}"
        # Nothing of a selector is left out by what finds it here.
        assert not re.sub(r"[\s,]", "", _MATCHER.sub("", matchers)), f"{where}: {matchers}"
    for labels in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", query):
        grouped = {label.strip() for label in labels.split(",")}
        assert grouped <= known | _ADDED, f"{where}: {grouped - known - _ADDED}"


def test_queries_use_the_variables_that_there_are() -> None:
    names = {variable["name"] for variable in _DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(_DASHBOARD["panels"])))
    assert used == names | {"__rate_interval", "__range"}
    assert all(
        panel["datasource"]["uid"] == "${datasource}" for panel in _DASHBOARD["panels"] if panel["type"] != "row"
    )


def test_legends_name_labels_that_are_left_in_the_answer() -> None:
    for panel in _DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            kept = {
                label.strip()
                for labels in re.findall(r"by\s*\(([^)]*)\)", target["expr"])
                for label in labels.split(",")
            }
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, panel["title"]


def test_panels_lie_beside_each_other() -> None:
    assert len({panel["id"] for panel in _DASHBOARD["panels"]}) == len(_DASHBOARD["panels"])
    taken = set[tuple[int, int]]()
    for panel in _DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"], panel["title"]


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Penread")
    assert rule["for"]
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert len(rule["annotations"]["summary"]) > 20
    assert len(rule["annotations"]["description"]) > 80
    # Of other services, the same Prometheus may know the same names.
    assert all('job="penread"' in matchers for _, matchers in _SELECTOR.findall(rule["expr"]))


def test_prometheus_knows_the_service_by_the_name_in_the_queries() -> None:
    configured = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    assert [job["job_name"] for job in configured["scrape_configs"]] == ["penread"]
    assert configured["rule_files"] == ["alerts.yml"]
    [provider] = yaml.safe_load(
        (ROOT / "deploy" / "grafana" / "provisioning" / "dashboards" / "penread.yml").read_text()
    )["providers"]
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    assert any(f":{provider['options']['path']}/penread.json:" in volume for volume in compose["grafana"]["volumes"])
    targets = [target.partition(":")[0] for target in configured["scrape_configs"][0]["static_configs"][0]["targets"]]
    assert set(targets) == {name for name in compose if name.startswith("penread")}
