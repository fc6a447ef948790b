"""What the tests of the peer share: a loopback configuration, a silent caller, and what a call left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from rtbridge.rtc.peer import PeerConfig

LOOPBACK = PeerConfig(media_addresses=("127.0.0.1",))
Connect = Callable[..., Any]
PATIENCE_S = 30.0  # how long a test waits for what must come, on a busy machine too; never how long it takes


def bytes_of_silence(samples: int) -> bytes:
    return bytes(samples * 2)


async def settled_tasks(baseline: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Return the tasks beyond the baseline once the loop has had time to reap what is done."""
    for _ in range(100):
        left = asyncio.all_tasks() - baseline
        if not left:
            return left
        await asyncio.sleep(0.01)
    return left
