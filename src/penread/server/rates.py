"""Rate limits: counts the requests of each client, in bounded memory or in one place for several processes.

The library ``limits`` does the counting; here are the memory that it counts in, and what happens where another storage
is out of reach.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from limits import parse_many
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from penread.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The most counters that a process keeps, two for each limit of a client: some 25 MB.
MAX_COUNTERS = 100_000

# A storage that takes longer keeps every request waiting.
_STORAGE_TIMEOUT_S = 0.25
# So long a storage that failed is left alone.
_STORAGE_RETRY_S = 5.0

_LOG = logging.getLogger("penread.server")


class Standing(NamedTuple):
    """How a client stands with the limits.

    Attributes:
        is_admitted: Whether this request is within all of them.
        retry_after_s: Where it isn't: after so many seconds one will be, whole.
        headers: The limits and what is left of them, as headers of the answer.
    """

    is_admitted: bool
    retry_after_s: int
    headers: Sequence[tuple[bytes, bytes]]


class RateLimit:
    """Counts the requests of each client, in this process or in a storage for several.

    The windows slide: what was asked in the window before counts for the part of it that is still within reach. That
    takes two numbers for each client, whatever the limit. Where the storage is out of reach the process counts for
    itself, and the service goes on.

    Attributes:
        memory: The counters of this process.

    Args:
        limits: The limits, such as ``"20/second;600/minute"``.
        storage: Where to count, as a URI: ``memory://`` for this process; others as the library ``limits`` has them.
        max_counters: The most counters of this process; the one that rested longest gives way.

    Raises:
        InputError: There is no such storage, or its library is missing.
    """

    def __init__(self, limits: str, storage: str, max_counters: int = MAX_COUNTERS) -> None:
        self._items = parse_many(limits)
        self._names = [f'"{each.amount}-per-{each.get_expiry()}s"' for each in self._items]
        policies = (
            f"{name};q={each.amount};w={each.get_expiry()}" for name, each in zip(self._names, self._items, strict=True)
        )
        self._policy = (b"ratelimit-policy", ", ".join(policies).encode())
        self.memory = CounterMemory(max_counters)
        self._own = SlidingWindowCounterRateLimiter(self.memory)
        self._shared = None if storage == "memory://" else _shared(storage)
        self._is_lost = False
        self._retry_at_s = 0.0

    async def count(self, client: str) -> Standing:
        """Counts a request, unless it is one too many.

        Args:
            client: Who asks.
        """
        if self._shared is None or time.monotonic() < self._retry_at_s:
            return await self._count(self._own, client)
        if self._is_lost:
            # This one request tries; the others go on meanwhile.
            self._retry_at_s = time.monotonic() + _STORAGE_RETRY_S
        try:
            async with asyncio.timeout(_STORAGE_TIMEOUT_S):
                standing = await self._count(self._shared, client)
        except Exception as error:  # noqa: BLE001 - whatever is wrong there, requests can be answered
            if not self._is_lost:
                _LOG.warning(
                    "The storage of the rate limits fails (%s): until it is back, each process counts for itself.",
                    type(error.storage_error if isinstance(error, StorageError) else error).__name__,
                )
            self._is_lost = True
            self._retry_at_s = time.monotonic() + _STORAGE_RETRY_S
            return await self._count(self._own, client)
        if self._is_lost:
            self._is_lost = False
            self._retry_at_s = 0.0
            _LOG.info("The storage of the rate limits is back.")
        return standing

    async def _count(self, limiter: SlidingWindowCounterRateLimiter, client: str) -> Standing:
        is_admitted = True
        retry_after_s = 0
        left = []
        now_s = time.time()
        for name, item in zip(self._names, self._items, strict=True):
            # What one limit refuses counts for none of those after it.
            is_admitted = is_admitted and await limiter.hit(item, client)
            reset_s, remaining = await limiter.get_window_stats(item, client)
            wait_s = max(math.ceil(reset_s - now_s), 1)
            left.append(f"{name};r={remaining};t={wait_s}")
            if not is_admitted and not retry_after_s:
                retry_after_s = wait_s
        return Standing(is_admitted, retry_after_s, [self._policy, (b"ratelimit", ", ".join(left).encode())])


class CounterMemory(MemoryStorage):
    """The counters of one process, of a bounded number.

    The library's own memory has no bound, and looks through all of its counters at every request.

    Args:
        max_counters: How many it keeps.
    """

    STORAGE_SCHEME: list[str] = []  # noqa: RUF012 - as the base class has it; it is for no URI

    def __init__(self, max_counters: int) -> None:
        super().__init__()
        self._counters: OrderedDict[str, int] = OrderedDict()
        self._max_counters = max_counters

    def __len__(self) -> int:
        return len(self._counters)

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:  # noqa: ARG002 - windows have their time in the key
        """Adds to a counter."""
        count = self._counters[key] = self._counters.get(key, 0) + amount
        self._counters.move_to_end(key)
        if len(self._counters) > self._max_counters:
            self._counters.popitem(last=False)
        return count

    async def decr(self, key: str, amount: int = 1) -> int:
        """Takes from a counter."""
        count = max(self._counters.get(key, 0) - amount, 0)
        if key in self._counters:
            self._counters[key] = count
        return count

    async def get(self, key: str) -> int:
        """Tells a counter. Who asks often is not the one to be forgotten."""
        if key not in self._counters:
            return 0
        self._counters.move_to_end(key)
        return self._counters[key]

    async def clear(self, key: str) -> None:
        """Forgets a counter."""
        self._counters.pop(key, None)

    async def reset(self) -> int | None:
        """Forgets all counters."""
        count = len(self._counters)
        self._counters.clear()
        return count


def _shared(storage: str) -> SlidingWindowCounterRateLimiter:
    options: dict[str, Any] = {"implementation": "redispy"} if storage.startswith("redis") else {}
    try:
        found: Any = storage_from_string(f"async+{storage}", wrap_exceptions=True, **options)
        return SlidingWindowCounterRateLimiter(found)
    except ConfigurationError as error:
        # The address may have a password in it.
        scheme = storage.partition("://")[0]
        raise InputError(
            f"rate_limit_storage: {scheme}:// can't be used ({_without(storage, error)}). Give memory://, or "
            "redis://HOST:6379 with the Python package redis installed: pip install redis"
        ) from error
    except NotImplementedError as error:
        raise InputError("rate_limit_storage: this one has no sliding windows. Give memory:// or redis://.") from error


def _without(secret: str, error: Exception) -> str:
    return str(error).replace(f"async+{secret}", "").replace(secret, "").rstrip(": ")
