"""Refuses requests at the door while their queue is full, before anything is made of them.

In a flood nearly every request is refused. What that costs decides how many there may be before those that were let in
have to wait for the processor, so it is done on the bytes as they come: a tenth of what the application needs to say
the same.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from penread.server.observe import new_request_id
from penread.server.problems import overloaded
from penread.server.security import headers_of_answers

if TYPE_CHECKING:
    from penread.server.metrics import Metrics
    from penread.server.service import Service

# A request of one packet, from its first line to the end of its body. Whatever is unlike it goes the usual way.
_LINE = re.compile(rb"POST (/api/v1/[a-z]+) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_TYPE = re.compile(rb"\r\ncontent-type:[ \t]*([!-~]+)", re.IGNORECASE)
_ID = re.compile(rb"\r\nx-request-id:[ \t]*([A-Za-z0-9._-]{1,128})[ \t]*(?=\r\n)", re.IGNORECASE)
_OTHERWISE = re.compile(
    rb"\r\n(?:transfer-encoding|connection|expect|upgrade)[ \t]*:[ \t]*+(?!keep-alive[ \t]*\r\n)", re.IGNORECASE
)
# What the parser would refuse must come to it.
_HEADERS = re.compile(rb"\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)+")
_LENGTH_NAME = re.compile(rb"\r\ncontent-length[ \t]*:", re.IGNORECASE)
# Where an image is, it comes early: behind the options at most.
_BEGINNING_BYTES = 256


class Door:
    """Looks at what comes while a queue is full.

    Args:
        service: Has the queues.
        metrics: Is told of refusals.
    """

    def __init__(self, service: Service, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        self._answers: dict[int, bytes] = {}

    def refusal(self, packet: bytes) -> bytes | None:
        """Answers a request for which there is no room.

        Args:
            packet: What came on a connection where nothing else is under way.

        Returns:
            The answer's bytes, without the connection being changed by it; None where it must go the usual way.
        """
        if not self._service.is_crowded:
            return None
        line = _LINE.match(packet)
        end = packet.find(b"\r\n\r\n", 0, 8192)
        if line is None or end < 0:
            return None
        head = packet[line.end() - 2 : end + 2]
        lengths = _LENGTH.findall(head)
        if (
            not _HEADERS.fullmatch(head)
            or len(lengths) != 1
            or len(_LENGTH_NAME.findall(head)) != 1
            or end + 4 + int(lengths[0]) != len(packet)
            or _OTHERWISE.search(head)
            # Many together: `routes` knows where they wait.
            or b'"items"' in packet
        ):
            return None
        kind = _TYPE.search(head)
        path = line[1].decode()
        queue = self._service.queue_of(
            path,
            kind[1].decode().lower() if kind else "",
            int(lengths[0]),
            shows_image=b'"image"' in packet[end : end + _BEGINNING_BYTES],
        )
        if queue is None:
            return None
        retry_after_s = queue.refuse()
        if retry_after_s is None:
            queue.expect()
            return None
        self._metrics.request(path, "POST", HTTPStatus.SERVICE_UNAVAILABLE, None)
        given = _ID.search(head)
        request_id = given[1] if given else new_request_id()
        return self._answer(path, retry_after_s) % request_id

    def _answer(self, path: str, retry_after_s: int) -> bytes:
        if retry_after_s not in self._answers:
            response = overloaded(path, retry_after_s)
            headers = [*response.raw_headers, *headers_of_answers()]
            self._answers[retry_after_s] = b"".join(
                [
                    b"HTTP/1.1 503 Service Unavailable\r\n",
                    *(b"%b: %b\r\n" % header for header in headers),
                    b"x-request-id: %b\r\n\r\n",
                    bytes(response.body).replace(b"%", b"%%"),
                ]
            )
        return self._answers[retry_after_s]
