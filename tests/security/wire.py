"""Raw sockets: bytes as no client library would send them, and what a server's process holds."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from tests.conftest import STROKES_L

if TYPE_CHECKING:
    from collections.abc import Callable

PREDICT = "/api/v1/predict"
DRAWING = json.dumps({"strokes": STROKES_L}).encode()


def connect(address: str, *, receive_bytes: int | None = None) -> socket.socket:
    """Opens a connection to a server; ``receive_bytes`` is about how much of an answer the kernel takes unread."""
    url = urlsplit(address)
    assert url.hostname
    assert url.port
    client = socket.socket()
    if receive_bytes is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    # Much longer than any limit of the server: whoever waits for so long has been forgotten by it.
    client.settimeout(60)
    client.connect((url.hostname, url.port))
    return client


def request(
    body: bytes = DRAWING, *headers: str, path: str = PREDICT, method: str = "POST", length: int | None = None
) -> bytes:
    """Words a request; with the body's own length where none is given, and with none at all where it is negative."""
    lines = [f"{method} {path} HTTP/1.1", "Host: penread.test", *headers]
    if not any(header.lower().startswith("content-type") for header in headers):
        lines.append("Content-Type: application/json")
    length = len(body) if length is None else length
    if length >= 0:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def send(client: socket.socket, content: bytes) -> None:
    """Sends what the server takes: it may hang up before the end."""
    try:
        client.sendall(content)
    except (BrokenPipeError, ConnectionResetError):
        return


def received(client: socket.socket) -> bytes:
    """Reads until the server ends the connection.

    Raises:
        TimeoutError: It never did.
    """
    content = bytearray()
    while True:
        try:
            part = client.recv(65536)
        except ConnectionResetError:
            return bytes(content)
        if not part:
            return bytes(content)
        content += part


def statuses(content: bytes) -> list[int]:
    """The statuses of the answers in what was received, interim ones left out."""
    found = [int(line[9:12]) for line in content.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    # An answer's body ends without a line of its own: the next status line comes right behind it.
    for line in content.split(b"\r\n"):
        place = line.find(b"HTTP/1.1 ", 1)
        if place > 0:
            found.append(int(line[place + 9 : place + 12]))
    return [status for status in found if status >= 200]


def asked(address: str, content: bytes) -> bytes:
    """Sends something and reads until the server ends the connection."""
    with connect(address) as client:
        send(client, content)
        return received(client)


def reads_as_ever(address: str) -> None:
    """Checks that another client is answered, and rightly."""
    response = httpx2.post(address + PREDICT, json={"strokes": STROKES_L}, timeout=30)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["char"] == "L"


@dataclass(frozen=True)
class Held:
    """What a process holds.

    Attributes:
        connections: Open sockets, listening ones among them.
        threads: Its threads.
        memory_bytes: Its resident memory.
    """

    connections: int
    threads: int
    memory_bytes: int

    @classmethod
    def by(cls, pid: int) -> Held:
        """Looks into /proc."""
        root = Path("/proc", str(pid))
        sockets = 0
        for each in (root / "fd").iterdir():
            try:
                sockets += str(each.readlink()).startswith("socket:")
            except FileNotFoundError:
                continue
        status = dict(line.split(":", 1) for line in (root / "status").read_text().splitlines() if ":" in line)
        pages = int((root / "statm").read_text().split()[1])
        return cls(sockets, int(status["Threads"]), pages * os.sysconf("SC_PAGE_SIZE"))


def until(condition: Callable[[], bool], message: str) -> None:
    """Waits for something that must come in the end."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(message)
