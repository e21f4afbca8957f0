"""Who may ask, and how often: keys and rate limits, on a real server over real sockets."""

from __future__ import annotations

import http.client
import logging
import math
import random
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest
from limits.aio.storage import MemoryStorage

from penread.errors import InputError
from penread.server.rates import RateLimit, Standing
from tests.conftest import STROKES_L, serving
from tests.server.test_api import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

Result = TypeVar("Result")

KEYS = ("first-key-of-two", "second-key-of-two")
# A window whose end no test will see.
RATES = "3/year;100/minute"


@pytest.fixture(scope="module")
def keyed() -> Iterator[httpx2.Client]:
    """A server that wants one of two keys."""
    env = {"PENREAD_API_KEYS": ", ".join(KEYS)}
    with serving(env=env) as (address, _), httpx2.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def limited() -> Iterator[httpx2.Client]:
    """A server that everybody may ask three times."""
    env = {"PENREAD_RATE_LIMIT": RATES}
    with serving(env=env) as (address, _), httpx2.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def both() -> Iterator[httpx2.Client]:
    """A server with keys, each of which may ask three times; no proxy is trusted."""
    env = {"PENREAD_API_KEYS": ",".join(KEYS), "PENREAD_RATE_LIMIT": RATES, "PENREAD_TRUSTED_PROXIES": "192.0.2.1"}
    with serving(env=env) as (address, _), httpx2.Client(base_url=address, timeout=30) as client:
        yield client


def ask(api: httpx2.Client, **headers: Any) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.post("/api/v1/predict", json={"strokes": STROKES_L}, headers=named)


def counted(api: httpx2.Client, reason: str) -> float:
    """How many requests were refused for a reason, as the metrics tell."""
    found = re.search(rf'^penread_rejections_total{{reason="{reason}"}} (\S+)$', api.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0


@pytest.mark.parametrize(
    "headers",
    [
        {"X_API_Key": KEYS[0]},
        {"X_API_Key": KEYS[1]},
        {"Authorization": f"Bearer {KEYS[0]}"},
        {"Authorization": f"bearer  {KEYS[1]}"},
        {"Authorization": "Basic dXNlcjpwYXNz", "X_API_Key": KEYS[0]},
    ],
)
def test_who_has_a_key_is_answered(keyed: httpx2.Client, headers: dict[str, str]) -> None:
    assert ask(keyed, **headers).json()["char"] == "L"


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "wants a key"),
        ({"X_API_Key": ""}, "wants a key"),
        ({"Authorization": "Bearer"}, "wants a key"),
        ({"Authorization": "Basic " + KEYS[0]}, "wants a key"),
        ({"Authorization": KEYS[0]}, "wants a key"),
        ({"Cookie": f"X-API-Key={KEYS[0]}"}, "wants a key"),
        ({"X_API_Key": KEYS[0][:-1]}, "not known"),
        ({"X_API_Key": KEYS[0] + "x"}, "not known"),
        ({"X_API_Key": KEYS[0].upper()}, "not known"),
        ({"X_API_Key": ", ".join(KEYS)}, "not known"),
        ({"X_API_Key": "ÿ".encode("latin-1")}, "not known"),
        ({"X_API_Key": "x" * 10_000}, "not known"),
        ({"Authorization": f"Bearer {KEYS[0]} {KEYS[1]}"}, "not known"),
    ],
)
def test_who_has_none_is_not(keyed: httpx2.Client, headers: dict[str, Any], says: str) -> None:
    before = counted(keyed, "key")
    response = ask(keyed, **headers)
    assert says in problem(response, 401)
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="penread"')
    assert ('error="invalid_token"' in challenge) == (says == "not known")
    assert response.headers["cache-control"] == "no-store"
    assert counted(keyed, "key") == before + 1


def test_a_key_in_the_address_is_none(keyed: httpx2.Client) -> None:
    """Addresses end up in logs."""
    problem(keyed.post(f"/api/v1/predict?key={KEYS[0]}&X-API-Key={KEYS[0]}", json={"strokes": STROKES_L}), 401)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/config.json",
        "/static/main.js",
        "/static/model/model.json",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/metrics",
    ],
)
def test_the_page_and_probes_need_no_key(keyed: httpx2.Client, path: str) -> None:
    assert keyed.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready"])
def test_probes_of_the_inference_protocol_need_no_key(keyed: httpx2.Client, path: str) -> None:
    assert keyed.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v2"), ("GET", "/v2/models/balanced"), ("POST", "/v2/models/balanced/infer"), ("GET", "/v2/nothing")],
)
def test_the_inference_protocol_wants_a_key_in_its_own_words(keyed: httpx2.Client, method: str, path: str) -> None:
    response = keyed.request(method, path)
    assert response.status_code == 401
    assert set(response.json()) == {"error"}
    assert "wants a key" in response.json()["error"]
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert keyed.request(method, path, headers={"X-API-Key": KEYS[0]}).status_code != 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/predict/", "//api/v1/predict", "/./api/v1/predict", "/static/../api/v1/predict", "/%61pi/v1/predict",
        "/api%2Fv1%2Fpredict", "/API/v1/predict", "/v2/health/../../api/v1/predict", "/api/v1/predict;x",
        "/api/v1/predict%00", "/v2/health/%2e%2e/models/balanced/infer", "/docs/../api/v1/predict", "api/v1/predict",
        "http://x/api/v1/predict",
    ],
)  # fmt: skip
def test_no_way_of_writing_a_path_gets_around_the_key(keyed: httpx2.Client, path: str) -> None:
    address = urlsplit(str(keyed.base_url))
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    body = b'{"strokes": [[[5, 0], [5, 40], [30, 40]]]}'
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status in {307, 400, 401, 404, 405}
    assert b'"char"' not in response.read()
    connection.close()


def test_the_description_tells_of_keys(keyed: httpx2.Client, server: str) -> None:
    schema = keyed.get("/openapi.json").json()
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "key"}
    guarded = 0
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            wants = path.startswith(("/api", "/v2")) and not path.startswith("/v2/health/")
            guarded += wants
            assert operation.get("security", []) == ([{"bearer": []}, {"key": []}] if wants else []), path
            assert ("401" in operation["responses"]) == wants, path
            if wants:
                [kind] = operation["responses"]["401"]["content"]
                assert kind == ("application/json" if path.startswith("/v2") else "application/problem+json")
    assert guarded >= 3
    plain = httpx2.get(f"{server}/openapi.json").json()
    assert "securitySchemes" not in plain.get("components", {})
    assert not [each for path in plain["paths"].values() for each in path.values() if "security" in each]


def told(response: httpx2.Response) -> dict[str, tuple[int, int]]:
    """What the answer tells is left of each limit, and when there is more."""
    policies = response.headers["ratelimit-policy"].split(", ")
    assert policies == ['"3-per-31104000s";q=3;w=31104000', '"100-per-60s";q=100;w=60']
    items = [re.fullmatch(r'"([\w-]+)";r=(\d+);t=(\d+)', each) for each in response.headers["ratelimit"].split(", ")]
    return {each[1]: (int(each[2]), int(each[3])) for each in items if each}


def test_three_times_and_no_more(limited: httpx2.Client) -> None:
    me = {"X_Forwarded_For": "198.51.100.1"}
    before = counted(limited, "rate")
    for left in (2, 1, 0):
        response = ask(limited, **me)
        assert response.json()["char"] == "L"
        assert told(response)["3-per-31104000s"][0] == left
    for _ in range(3):
        response = ask(limited, **me)
        detail = problem(response, 429)
        wait_s = int(response.headers["retry-after"])
        assert wait_s > 100
        assert f"Try again in {wait_s:,} seconds" in detail
        left, more_in_s = told(response)["3-per-31104000s"]
        assert (left, more_in_s) == (0, wait_s)
        # What was refused counts for no other limit.
        assert told(response)["100-per-60s"][0] >= 97
    assert counted(limited, "rate") == before + 3
    assert ask(limited, X_Forwarded_For="198.51.100.2").status_code == 200


def test_only_reading_counts(limited: httpx2.Client) -> None:
    me = {"X-Forwarded-For": "198.51.100.7"}
    for path in (
        "/",
        "/healthz",
        "/metrics",
        "/static/main.js",
        "/docs",
        "/v2",
        "/v2/health/ready",
        "/v2/models/balanced",
    ):
        for _ in range(4):
            response = limited.get(path, headers=me)
            assert response.status_code != 429
            assert "ratelimit" not in response.headers
    # All ways to read count together, and bad requests do.
    for path in ("/api/v1/explain", "/api/v1/read", "/v2/models/balanced/infer"):
        assert limited.post(path, json={}, headers=me).status_code != 429
    for path in ("/api/v1/predict", "/v2/models/balanced/infer"):
        assert limited.post(path, json={}, headers=me).status_code == 429


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("203.0.113.5", "::ffff:203.0.113.5", "203.0.113.6"),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:3::1"),
        ("2001:DB8:0:9::1", "2001:db8:0:9:0:0:0:2", "2001:db8::1"),
        ("somebody", "somebody", "somebody-else"),
    ],
)
def test_a_client_is_an_address_or_a_network(limited: httpx2.Client, address: str, same: str, other: str) -> None:
    """Whoever has one address of IPv6 has 2^64 of them."""
    statuses = [ask(limited, X_Forwarded_For=each).status_code for each in (address, same, address, same, other)]
    assert statuses == [200, 200, 200, 429, 200]


def test_a_key_is_a_client_wherever_it_is_used(both: httpx2.Client) -> None:
    for left in (2, 1, 0):
        assert told(ask(both, X_API_Key=KEYS[0]))["3-per-31104000s"][0] == left
    problem(ask(both, Authorization=f"Bearer {KEYS[0]}"), 429)
    # Another key, from the same address.
    assert ask(both, X_API_Key=KEYS[1]).status_code == 200
    # Who guesses keys is stopped, whatever he says of his address, and from where one can't be counted.
    statuses = [both.get("/v2", headers={"X-API-Key": "guess"}).status_code]
    statuses += [
        ask(both, X_API_Key=f"guess{number}", X_Forwarded_For=f"198.51.100.{number}").status_code for number in range(4)
    ]
    assert statuses == [401, 401, 401, 429, 429]
    # Others at his address are not.
    assert ask(both, X_API_Key=KEYS[1]).status_code == 200


class Clock:
    """Time as a test has it, for what counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_800_000_000.0
        self.up_s = 1_000.0
        for module in ("penread.server.rates", "limits.aio.storage.memory", "limits.aio.strategies"):
            monkeypatch.setattr(f"{module}.time", self)

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.up_s


def run(function: Callable[[], Awaitable[Result]]) -> Result:
    """Runs in a thread of its own: in this one Playwright's loop may be running, for other tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, function).result()


def count(rates: RateLimit, client: str = "client") -> Standing:
    async def counted_once() -> Standing:
        return await rates.count(client)

    return run(counted_once)


@pytest.mark.parametrize("limits", ["10/minute", "5/second;20/minute", "3/hour"])
def test_windows_slide_and_the_wait_is_as_told(monkeypatch: pytest.MonkeyPatch, limits: str) -> None:
    clock = Clock(monkeypatch)
    chance = random.Random(1)
    rates = RateLimit(limits, "memory://")
    windows = [
        (int(amount), {"second": 1, "minute": 60, "hour": 3600}[unit])
        for amount, unit in re.findall(r"(\d+)/(\w+)", limits)
    ]
    admitted: list[float] = []
    refusals = 0
    for _ in range(600):
        clock.now_s += chance.expovariate(1) * windows[-1][1] / windows[-1][0] / 2
        standing = count(rates)
        if standing.is_admitted:
            admitted.append(clock.now_s)
            continue
        refusals += 1
        assert standing.retry_after_s >= 1
        # Who waits as told is admitted, by this limit at least; who has asked in between would not be.
        clock.now_s += standing.retry_after_s + 0.001
        again = count(rates)
        if len(windows) == 1:
            assert again.is_admitted
        if again.is_admitted:
            admitted.append(clock.now_s)
    assert refusals > 10
    for amount, window_s in windows:
        # By its nature it may be wrong by what was unevenly spread in the window before, never by twice the limit.
        most = max(sum(1 for each in admitted if 0 <= last - each < window_s) for last in admitted)
        assert most < 2 * amount
        aligned = max(sum(1 for each in admitted if each // window_s == last // window_s) for last in admitted)
        assert aligned <= amount
    assert len(admitted) >= 0.5 * (admitted[-1] - admitted[0]) / windows[-1][1] * windows[-1][0]


def test_what_is_remembered_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    rates = RateLimit("3/hour", "memory://", max_counters=1_000)
    for _ in range(3):
        assert count(rates, "regular").is_admitted

    async def crowd() -> None:
        for number in range(5_000):
            await rates.count(f"passer-by {number}")
            if number % 500 == 0:
                assert not (await rates.count("regular")).is_admitted

    run(crowd)
    assert len(rates.memory) == 1_000


class Flaky(MemoryStorage):
    """A storage in the same memory for all who name it, which can be out of reach."""

    STORAGE_SCHEME = ["async+flaky"]  # noqa: RUF012 - as the base class has it
    fails: Exception | float | None = None
    asked = 0

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions, **options)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        type(self).asked += 1
        if isinstance(self.fails, Exception):
            raise self.fails
        if self.fails:
            await anyio.sleep(self.fails)
        return await super().acquire_sliding_window_entry(key, limit, expiry, amount)


@pytest.mark.parametrize("failure", [ConnectionRefusedError("no route to host"), RuntimeError("broken"), math.inf])
def test_a_storage_out_of_reach_stops_nobody_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: Exception | float
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr("penread.server.rates._STORAGE_TIMEOUT_S", 0.02)
    monkeypatch.setattr(Flaky, "asked", 0)
    caplog.set_level(logging.INFO, "penread.server")

    async def day() -> None:
        rates = RateLimit("3/year", "flaky://user:secret@host")
        assert (await rates.count("client")).is_admitted
        monkeypatch.setattr(Flaky, "fails", failure)
        # It counts for itself meanwhile, and leaves the storage alone.
        assert [(await rates.count("client")).is_admitted for _ in range(5)] == [True, True, True, False, False]
        assert Flaky.asked == 2
        clock.up_s += 6
        assert not (await rates.count("client")).is_admitted
        assert not (await rates.count("client")).is_admitted
        assert Flaky.asked == 3
        assert len(caplog.records) == 1
        assert "each process counts for itself" in caplog.text
        monkeypatch.setattr(Flaky, "fails", None)
        clock.up_s += 6
        assert [(await rates.count("client")).is_admitted for _ in range(3)] == [True, True, False]
        assert "is back" in caplog.text
        assert len(caplog.records) == 2
        assert "secret" not in caplog.text

    run(day)


@pytest.mark.parametrize("storage", ["nowhere://user:secret@host", "memory", "memcached://host:1"])
def test_a_storage_that_is_none_is_told_without_its_password(storage: str) -> None:
    with pytest.raises(InputError, match=r"^rate_limit_storage: .*memory://") as told_error:
        RateLimit("3/hour", storage)
    assert "secret" not in str(told_error.value)


def test_the_description_tells_of_limits(limited: httpx2.Client) -> None:
    paths = limited.get("/openapi.json").json()["paths"]
    assert "429" in paths["/api/v1/predict"]["post"]["responses"]
    assert "429" in paths["/v2/models/{name}/infer"]["post"]["responses"]
    assert "429" not in paths["/healthz"]["get"]["responses"]
