"""An upstream that passes everything on to another one: what sits between bridge and upstream begins here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from rtbridge.upstream.port import Capabilities, Upstream, WireEvent


class PassingUpstream:
    """An `Upstream` in front of `inner`; whoever inherits takes note of what passes, and changes nothing."""

    def __init__(self, inner: Upstream) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> Capabilities:
        """Return those of the inner upstream."""
        return self._inner.capabilities

    @property
    def url(self) -> str:
        """Return that of the inner upstream."""
        return self._inner.url

    async def connect(self) -> None:
        """Open the inner upstream. Raises what that raises."""
        await self._inner.connect()

    def send(self, event: Mapping[str, Any]) -> None:
        """Pass on one client event. Raises Closed after close()."""
        self._inner.send(event)

    def send_audio(self, chunk: bytes) -> int:
        """Pass on the caller's audio; return the milliseconds that were pushed out of a backlog."""
        return self._inner.send_audio(chunk)

    async def events(self) -> AsyncIterator[WireEvent]:
        """Pass on server events. Raises UpstreamLost as the inner upstream does."""
        async for event in self._inner.events():
            self.came(event)
            yield event

    def came(self, event: WireEvent) -> None:
        """Take note of a server event before it is passed on."""

    async def close(self) -> None:
        """Close the inner upstream."""
        await self._inner.close()
