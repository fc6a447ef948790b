"""Listening, and leaving: bounded connections at the front, SIGTERM and a drain at the end."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from aiohttp import web

from rtbridge import logs
from rtbridge.errors import SettingsError
from rtbridge.server.app import Bridge
from rtbridge.server.ports import Board

# aiohttp counts the keep-alive time from the moment of connecting, so this also bounds a request's headers.
IDLE_TIMEOUT_S: Final = 8.0
LINGER_S: Final = 2.0  # how long the rest of a refused body is read before the connection is dropped
MOST_SOCKETS_PER_ADDRESS: Final = 200
LAST_WORDS_S: Final = 8.0  # calls close within 5 s of being hung up

_LEAVE = (signal.SIGTERM, signal.SIGINT)


class _Doorman(asyncio.Protocol):
    """One connection, passed on to aiohttp when its address has fewer than 200 open."""

    def __init__(self, inner: asyncio.Protocol, open_: Counter[str]) -> None:
        self._inner = inner
        self._open = open_
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else "?"
        if self._open[address] >= MOST_SOCKETS_PER_ADDRESS:
            transport.close()
            return
        self._address = address
        self._open[address] += 1
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._address:
            return
        self._open[self._address] -= 1
        if not self._open[self._address]:
            del self._open[self._address]
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._address:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._address else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve the application; yields the port. Raises SettingsError when the address cannot be bound."""
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=IDLE_TIMEOUT_S,
        lingering_time=LINGER_S,
        auto_decompress=False,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    try:
        factory = runner.server
        assert factory is not None  # set up just above
        open_: Counter[str] = Counter()
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(lambda: _Doorman(factory(), open_), host, port, backlog=512)
        except OSError as error:
            raise SettingsError(cannot_bind(host, port, error)) from None
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
    finally:
        await runner.cleanup()


@contextmanager
def leaving() -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Turn SIGTERM and SIGINT into two events: the first signal sets the first, any later one the second."""
    loop = asyncio.get_running_loop()
    asked, hurried = asyncio.Event(), asyncio.Event()

    def leave() -> None:
        (hurried if asked.is_set() else asked).set()

    for number in _LEAVE:
        loop.add_signal_handler(number, leave)
    try:
        yield asked, hurried
    finally:
        for number in _LEAVE:
            loop.remove_signal_handler(number)


async def until_asked_to_leave() -> None:
    """Return at the first SIGTERM or SIGINT."""
    with leaving() as (asked, _):
        await asked.wait()


async def serve(bridge: Bridge, board: Board, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain: new offers get 503, running calls finish, a second signal ends them.

    `ready` is called with the page's URL once it can be opened.
    """
    log = logs.get("rtbridge.http")
    now_s = asyncio.get_running_loop().time
    with leaving() as (asked, hurried):
        async with listening(bridge.web, host, port) as bound, asyncio.TaskGroup() as group:
            lag = group.create_task(bridge.metrics.watch_loop(now_s))
            ready(f"http://{f'[{host}]' if ':' in host else host}:{bound}")
            await asked.wait()
            bridge.calls.draining = True
            log.info("server.draining", calls=board.live)
            await _drain(bridge, board, hurried)
            log.info("server.stopped")
            lag.cancel()


async def _drain(bridge: Bridge, board: Board, hurried: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        drained = group.create_task(board.drain())
        hurry = group.create_task(hurried.wait())
        await asyncio.wait((drained, hurry), return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not drained.done():
            logs.get("rtbridge.http").info("server.hurried", calls=board.live)
            bridge.calls.hangup_all("server_stopping")
            await asyncio.wait((drained,), timeout=LAST_WORDS_S)
            drained.cancel()


def cannot_bind(host: str, port: int, error: OSError) -> str:
    """Return why an address cannot be listened on, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; stop what uses it, or choose another with --port (0 picks a free one)"
    return f"cannot listen on {host}:{port}: {error.strerror or error}"
