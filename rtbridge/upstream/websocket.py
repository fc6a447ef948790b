"""WebSocketUpstream: one Realtime API connection over a WebSocket, for OpenAI, the engine, or any compatible URL.

One task writes, the reader of `events()` reads. What waits to be written is bounded twice: audio by its length in
time (the oldest goes first, because late audio is worth nothing), everything else by number (a server that takes
no events is a lost one). Keys live in the headers and appear in no log line, repr or exception.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from rtbridge.core.pcm import SAMPLE_BYTES, ms_of_samples, samples_of_ms
from rtbridge.errors import Closed, UpstreamError, UpstreamLost, UpstreamRefused
from rtbridge.upstream.port import Capabilities, WireEvent

CONNECT_TIMEOUT_S = 10.0
HEARTBEAT_S = (
    3.6  # a ping after as much silence, and half of it for the pong: half-open is noticed after 5.4 s
)
CLOSE_TIMEOUT_S = 1.5
MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_BACKLOG_BYTES = samples_of_ms(2000) * SAMPLE_BYTES
MAX_WAITING_EVENTS = 1000
UNSENT_BYTES = 16 * 1024  # what our kernel may hold back unsent: a quarter of a second of audio

_APPEND = b'{"type":"input_audio_buffer.append","audio":"'

# RFC 6455 §7.4.1 and the IANA registry of close codes.
_CLOSE_WORDS = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no status",
    1006: "the connection broke",
    1007: "invalid payload",
    1008: "policy violation",
    1009: "message too big",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
}
_REFUSALS = {
    401: "the key was not accepted: check OPENAI_API_KEY, or RTBRIDGE_UPSTREAM_API_KEY for an upstream given as URL",
    403: "the key may not use this model or endpoint: check the project's rights and the region",
    404: "there is no such endpoint or model: check the URL and RTBRIDGE_MODEL",
}


@dataclass(slots=True, eq=False)
class _Waiting:
    event: str | None = None
    pcm: bytes | None = None  # dropped audio has neither


class WebSocketUpstream:
    """An Upstream over aiohttp. Made anywhere, connected inside a running loop, used once."""

    def __init__(
        self, url: str, *, headers: Mapping[str, str], capabilities: Capabilities | None = None
    ) -> None:
        """`headers` carry the key; `url` may carry `model` and other query fields."""
        self._target = url
        self._headers = dict(headers)
        self._capabilities = capabilities or Capabilities()
        self._url = redacted(url)
        self._http: aiohttp.ClientSession | None = None
        self._ws: aiohttp.ClientWebSocketResponse[bool] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._waiting: deque[_Waiting] = deque()
        self._audio: deque[_Waiting] = deque()  # those of _waiting that are audio
        self._backlog_bytes = 0
        self._closed = False
        self._failure: str | None = None
        self.garbage = 0  # frames that were not JSON objects
        self.dropped_ms = 0  # audio pushed out of the backlog

    def __repr__(self) -> str:
        return f"<WebSocketUpstream {self._url}>"

    @property
    def capabilities(self) -> Capabilities:
        """Return what this upstream can do; constant."""
        return self._capabilities

    @property
    def url(self) -> str:
        """Return where it goes: no user, no query but `model`."""
        return self._url

    async def connect(self) -> None:
        """Open it within 10 s. Raises UpstreamRefused (401, 403, 404) or UpstreamLost (everything else)."""
        if self._closed or self._http is not None:
            raise Closed(f"{self._url} was used before; make a new upstream")
        self._http = aiohttp.ClientSession()
        failure: UpstreamError | None = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._ws = await self._http.ws_connect(
                    self._target,
                    headers=self._headers,
                    heartbeat=HEARTBEAT_S,
                    compress=0,  # deflate doubles the CPU of base64 audio and saves little of it
                    max_msg_size=MAX_FRAME_BYTES,
                    decode_text=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
                )
        except aiohttp.WSServerHandshakeError as error:
            failure = self._refusal(error.status, error.headers)
        except TimeoutError:
            failure = UpstreamLost(f"{self._url} did not answer within {CONNECT_TIMEOUT_S:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The exception of a handshake holds the request with its headers: only its kind and errno go on.
            failure = UpstreamLost(f"{self._url} cannot be reached: {_reason(error)}")
        if failure is None and self._closed:
            failure = UpstreamLost(f"{self._url} was closed while it was being opened")
        elif failure is None and self._failure:
            failure = UpstreamLost(f"{self._url} came too late: {self._failure}")
        if failure is not None:
            await self.close()
            raise failure  # outside the except blocks, so that no context carries the key along
        self._bound_kernel_buffers()
        self._writer = asyncio.get_running_loop().create_task(self._write(), name=f"write {self._url}")

    def send(self, event: Mapping[str, Any]) -> None:
        """Queue one client event, in order; never blocks. Raises Closed after close()."""
        self._refuse_closed()
        if len(self._waiting) - len(self._audio) >= MAX_WAITING_EVENTS:
            self._fail(f"{MAX_WAITING_EVENTS} events wait to be sent and it reads none")
            return
        self._put(_Waiting(event=json.dumps(event, separators=(",", ":"))))

    def send_audio(self, pcm: bytes) -> int:
        """Queue `input_audio_buffer.append` of 24 kHz mono s16le; never blocks. Raises Closed after close().

        Returns the milliseconds of older audio that this pushed out of the backlog of 2 s.
        """
        self._refuse_closed()
        waiting = _Waiting(pcm=pcm)
        self._audio.append(waiting)
        self._backlog_bytes += len(pcm)
        self._put(waiting)
        dropped_bytes = 0
        while self._backlog_bytes > MAX_BACKLOG_BYTES and len(self._audio) > 1:
            oldest = self._audio.popleft()
            assert oldest.pcm is not None
            dropped_bytes += len(oldest.pcm)
            self._backlog_bytes -= len(oldest.pcm)
            self._waiting.remove(oldest)  # it is near the front: only events stand before it
        dropped_ms = ms_of_samples(dropped_bytes // SAMPLE_BYTES)
        self.dropped_ms += dropped_ms
        return dropped_ms

    async def events(self) -> AsyncIterator[WireEvent]:
        """Yield server events; frames that are not JSON objects are skipped and counted in `garbage`.

        Returns after close(). Raises UpstreamLost, naming the close code in words, when it ends in any other
        way: a 1000 that nobody asked for is a loss like every other.
        """
        ws = self._ws
        if ws is None:
            raise Closed(f"{self._url} is not connected")
        while True:
            try:
                frame = await ws.receive()
            except (aiohttp.ClientError, OSError) as error:
                self._failure = self._failure or _reason(error)
                break
            if frame.type is aiohttp.WSMsgType.TEXT:
                event = _parse(frame.data)
                if event is None:
                    self.garbage += 1
                else:
                    yield event
            elif frame.type is aiohttp.WSMsgType.BINARY:
                self.garbage += 1
            else:
                if frame.type is aiohttp.WSMsgType.CLOSE and frame.extra:
                    self._failure = self._failure or f"it says {str(frame.extra)[:123]!r}"
                break
        if not self._closed:
            raise UpstreamLost(self._ending(ws))

    async def close(self) -> None:
        """Close it; idempotent; returns within 2 s. What still waits to be sent is dropped."""
        self._closed = True
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        self._waiting.clear()
        self._audio.clear()
        if self._ws is not None and not self._ws.closed:
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._ws.close()
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    def _put(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._wake.set()

    async def _write(self) -> None:
        ws = self._ws
        assert ws is not None
        try:
            while True:
                while self._waiting:
                    waiting = self._waiting.popleft()
                    if waiting.pcm is not None:
                        self._audio.popleft()
                        self._backlog_bytes -= len(waiting.pcm)
                        frame = _APPEND + base64.b64encode(waiting.pcm) + b'"}'
                    else:
                        assert waiting.event is not None
                        frame = waiting.event.encode()
                    await ws.send_frame(frame, aiohttp.WSMsgType.TEXT)
                self._wake.clear()
                await self._wake.wait()
        except (aiohttp.ClientError, OSError) as error:
            self._fail(_reason(error))

    def _fail(self, reason: str) -> None:
        """Break the connection, so that the reader wakes and tells."""
        self._failure = self._failure or reason
        sock = self._socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _bound_kernel_buffers(self) -> None:
        # A loopback socket takes megabytes, which is a minute of audio that nobody could drop any more.
        sock = self._socket()
        if sock is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def _socket(self) -> Any:
        return None if self._ws is None else self._ws.get_extra_info("socket")

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Closed(f"{self._url} is closed")

    def _refusal(self, status: int, headers: Mapping[str, str] | None) -> UpstreamError:
        if status in _REFUSALS:
            return UpstreamRefused(f"{self._url} answered {status}: {_REFUSALS[status]}")
        later = (headers or {}).get("Retry-After", "")
        hint = f", retry after {later[:40]!r}" if later else ""
        return UpstreamLost(f"{self._url} answered {status} instead of switching to WebSocket{hint}")

    def _ending(self, ws: aiohttp.ClientWebSocketResponse[bool]) -> str:
        code = ws.close_code if ws.close_code is not None else 1006
        words = _CLOSE_WORDS.get(code, "private code" if 4000 <= code <= 4999 else "unknown code")
        broke = ws.exception()
        why = self._failure or (None if broke is None else _reason(broke))
        return f"{self._url} ended: {code} {words}" + (f" ({why})" if why else "")


def redacted(url: str) -> str:
    """Return `url` fit for a log line: scheme, host, port, path and `model`; all else may be a secret."""
    try:
        target = URL(url)
        model = target.query.get("model")
        bare = target.with_user(None).with_password(None) if target.host else target
        bare = bare.with_query({"model": model} if model else None).with_fragment(None)
    except ValueError:
        return "(not a URL)"
    return str(bare)


def _parse(frame: bytes) -> WireEvent | None:
    try:
        event = json.loads(frame)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested beyond reason
        return None
    return event if isinstance(event, dict) else None


def _reason(error: BaseException) -> str:
    """Return what broke, without the request that an aiohttp exception carries."""
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return "that is not a ws:// or wss:// URL"
    if isinstance(error, aiohttp.ClientConnectorError):
        inner = error.os_error
        return f"{type(inner).__name__}: {inner.strerror or type(error).__name__}"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    if isinstance(error, aiohttp.WebSocketError):
        return str(error)[:200]
    return type(error).__name__
