"""The thread in which MCP servers are talked to, for as long as a process serves scenarios.

A loop of its own, since an answer of ten megabytes would stop the 20 ms road while it is parsed, and since a replay's
clock stands still while a thread works: a server is a process outside, and its time is real on every road. Each
server has one keeper here, which connects it, asks it for its tools now and then, and connects it again when it is
lost. Servers are shared by all calls of the process: a call never waits for one to start.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import structlog

from rtbridge.agents.mcp_tools import McpLink, McpTools

T = TypeVar("T")

REFRESH_S: Final = 30.0  # how often a server is asked for its tools: the sign of life, too
FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 30.0
CLOSE_WITHIN_S: Final = 5.0
MOST_WAITING: Final = 64  # tool calls under way at once; more wait, each within its timeout

log = structlog.get_logger("rtbridge.mcp")


class McpThread:
    """A context manager: inside it the servers of the given scenarios are connected and kept so.

    Entering waits until every server is up or has failed once, at most `connect_timeout_s` and a second. A server
    that is down is tried again, after half a second first, after 30 s at last. Without servers no thread is made.
    """

    def __init__(self, of: Iterable[McpTools], *, connect_timeout_s: float) -> None:
        self._tools = tuple(of)
        self._links = tuple(link for tools in self._tools for link in tools.links)
        self._connect_timeout_s = connect_timeout_s
        self._loop = asyncio.new_event_loop() if self._links else None
        self._waiting = ThreadPoolExecutor(MOST_WAITING, thread_name_prefix="mcp-call")
        self._thread = threading.Thread(target=self._run, name="mcp", daemon=True)
        self._tried: dict[McpLink, Future[None]] = {link: Future() for link in self._links}
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        if self._loop is None:
            return self
        for link in self._links:
            link.call_here = self.call
        self._thread.start()
        wait(self._tried.values(), timeout=self._connect_timeout_s + 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is None:
            return
        for link in self._links:
            link.call_here = None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(CLOSE_WITHIN_S + 1)
        self._waiting.shutdown(wait=False, cancel_futures=True)

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the thread's loop and return or raise what it does. Cancelling this cancels it there."""
        assert self._loop is not None
        there: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            # Through a thread and not through wrap_future: the clock of a replay knows threads only.
            return await asyncio.get_running_loop().run_in_executor(self._waiting, there.result)
        except asyncio.CancelledError:
            there.cancel()
            raise

    def _run(self) -> None:
        assert self._loop is not None
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # type: ignore[arg-type, return-value]
            runner.run(self._keep_all())

    async def _keep_all(self) -> None:
        async with asyncio.TaskGroup() as keepers:
            tasks = [
                keepers.create_task(self._keep(link, tools), name=f"mcp:{link.name}")
                for tools in self._tools
                for link in tools.links
            ]
            await self._stop.wait()
            for task in tasks:
                task.cancel()

    async def _keep(self, link: McpLink, tools: McpTools) -> None:
        """Keep one server. It is connected and closed in this one task, as its transport demands."""
        retry_s, tried = FIRST_RETRY_S, self._tried[link]
        while True:
            try:
                try:
                    async with asyncio.timeout(self._connect_timeout_s):
                        await link.server.connect()  # type: ignore[no-untyped-call]
                        await link.list()
                    tools.offer()
                    log.info(
                        "mcp_server.connected", server=link.name, tools=[tool.name for tool in link.listed]
                    )
                    retry_s = FIRST_RETRY_S
                    if not tried.done():
                        tried.set_result(None)
                    await self._watch(link, tools)
                finally:
                    link.lose("it was stopped")
                    await self._close(link)
            except Exception as error:  # noqa: BLE001 - the border to a process outside, which may fail anyhow
                link.lose(_why(error, self._connect_timeout_s))
                tools.offer()
                log.warning("mcp_server.lost", server=link.name, why=link.trouble, retry_s=retry_s)
            if not tried.done():
                tried.set_result(None)
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, LONGEST_RETRY_S)

    async def _watch(self, link: McpLink, tools: McpTools) -> None:
        """Ask for the tools again now and then, at once when a call failed. Raises when the server is gone."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await link.suspect.wait()
            link.suspect.clear()
            async with asyncio.timeout(self._connect_timeout_s):
                if await link.list():
                    tools.offer()

    async def _close(self, link: McpLink) -> None:
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await link.server.cleanup()  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - it is gone either way
            log.warning("mcp_server.close_failed", server=link.name, error=type(error).__name__)


def _why(error: BaseException, timeout_s: float) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return f"it did not answer in {timeout_s:g} s"
    return f"{type(error).__name__}: {error}"[:300]
