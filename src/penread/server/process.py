"""Runs the server: one process, or several that share a socket, each with the model for itself."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import shutil
import struct
import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from functools import partial
from socket import SOL_SOCKET
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors import multiprocess

from penread.server import logs
from penread.server.lanes import Lane
from penread.server.protocol import BoundedProtocol
from penread.server.settings import Settings

if TYPE_CHECKING:
    from socket import socket

    from fastapi import FastAPI

# Longer than proxies keep connections that nothing comes on, so that it is they who close them.
_KEEP_ALIVE_S = 75
# The event loop waits for so long at most while another thread runs Python: it is what everybody waits for.
_SWITCH_INTERVAL_S = 0.0005
_ACCEPTS_AT_ONCE = 128
# Python's socket has no name for it.
_SO_ATTACH_FILTER = 26
_METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, and ends the process where requests outlast their grace.

    Args:
        settings: The settings. They are left in the environment, where other processes of the server find them.
    """
    os.environ.update(_as_environment(settings))
    # The requests are what keeps the cores busy: OpenCV's own threads would only wait for each other.
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    logs.configure(settings.log_format, settings.log_level)
    directory = None
    if settings.workers > 1 and settings.metrics:
        directory = os.environ[_METRICS_DIRECTORY] = tempfile.mkdtemp(prefix="penread-metrics-")
    config = uvicorn.Config(
        "penread.server.process:application",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        # uvicorn says whole seconds, and takes any.
        timeout_graceful_shutdown=settings.grace_s,  # type: ignore[arg-type]
    )
    try:
        listener = config.bind_socket()
        if settings.workers > 1:
            _Workers(config, [listener]).run()
        else:
            server = _Server(config)
            server.run([listener])
            if not server.started:
                sys.exit(1)
    finally:
        if directory:
            shutil.rmtree(directory, ignore_errors=True)
    _leave_threads()


def _leave_threads() -> None:
    """Ends the process where threads still read what nobody waits for: Python would wait for them to end."""
    if any(thread.name.startswith(Lane.THREADS) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


class _Server(uvicorn.Server):
    """A server that accepts whoever waits: new connections in a flood, and the last ones before it stops.

    uvloop accepts one connection in a turn of the loop. In a flood of requests turns are long, and whoever comes anew
    would wait for seconds to be told that there is no room.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._accepting: set[asyncio.Task[Any]] = set()
        self._listeners: list[socket] = []

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begins to serve."""
        await super().startup(sockets)
        # What is here now stays: looking through all of it for garbage, again and again, stops everybody for a while.
        gc.collect()
        gc.freeze()
        # uvloop keeps the sockets themselves to itself.
        self._listeners = [each.dup() for each in sockets or []]
        for listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Takes the connections that wait to be accepted, which would be reset, and then stops."""
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)
            # The other processes go on with this socket, unless all of them end: then the first one has seen to it.
            if self.config.workers == 1:
                _let_nobody_in(listener)
            self._accept(listener, self.config.backlog)
            listener.close()
        # What uvloop accepted itself is a connection in its next turn: one that came later wouldn't be told to end.
        await asyncio.sleep(0)
        if self._accepting:
            await asyncio.wait(self._accepting)
        await super().shutdown(sockets)

    def _accept(self, listener: socket, at_most: int = _ACCEPTS_AT_ONCE) -> None:
        loop = asyncio.get_running_loop()
        make_protocol = partial(BoundedProtocol, self.config, self.server_state, self.lifespan.state)
        # OSError: the connection is gone again, or there are too many files: then uvloop's own turn will try again.
        with suppress(OSError):
            for _ in range(at_most):
                connection, _ = listener.accept()
                connection.setblocking(False)
                accepting = loop.create_task(loop.connect_accepted_socket(make_protocol, connection))
                self._accepting.add(accepting)
                accepting.add_done_callback(self._accepting.discard)


def _let_nobody_in(listener: socket) -> None:
    """Has the kernel overlook who asks for a connection: between the last one accepted and the end they would be reset.

    They ask again, and are refused by a closed port, or let in by whoever listens on it next.
    """
    if sys.platform == "linux":
        # A program for the packet filter: one instruction, "keep 0 bytes of it".
        drop = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
        # A sandbox may forbid it. Then the few who ask in these microseconds are reset.
        with suppress(OSError):
            listener.setsockopt(SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(drop)))


class _Worker(multiprocess.Process):
    """One of several processes."""

    @property
    def server(self) -> uvicorn.Server:
        """The server that the process runs."""
        if self._server is None:
            self._server = _Server(self.config)
        return self._server


class _Workers(multiprocess.Multiprocess):
    """Several processes on one socket."""

    def run(self) -> None:
        """Keeps them running until it is told to stop."""
        # uvicorn has no other way to say what its processes are.
        multiprocess.Process = _Worker  # type: ignore[misc]
        super().run()

    def terminate_all(self) -> None:
        """Ends the processes. Connections that wait on the socket here would wait in vain."""
        for listener in self.sockets:
            _let_nobody_in(listener)
            listener.close()
        super().terminate_all()


def application() -> FastAPI:
    """Makes the application of a process, with the settings of the environment."""
    from penread.server.app import create_app  # noqa: PLC0415 - after the metrics' directory is in the environment

    settings = Settings()
    logs.configure(settings.log_format, settings.log_level)
    # What strangers send must not fill the log: a line for each broken form, thousands for one odd picture.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="PIL")
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    return create_app(settings)


def _as_environment(settings: Settings) -> dict[str, str]:
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        f"PENREAD_{name.upper()}": value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in given.items()
        if value is not None
    }
