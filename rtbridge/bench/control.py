"""The control of `rtbridge bench media`: an idle paced process, to tell the machine's lateness from a bridge's.

It sends one packet every 20 ms to the client on an absolute schedule and does nothing else. What it is late, the
scheduler, the client and the neighbours are late; only what a bridge is late beyond that is the bridge's.
"""

from __future__ import annotations

import asyncio
import socket
import sys

from rtbridge.bench.child import announce
from rtbridge.rtc.rtp import build_rtp

PAYLOAD = bytes(160)


async def _pace(port: int) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", port))
        announce(udp.getsockname()[1])
        ended = loop.run_in_executor(None, sys.stdin.read)
        begin_s, sent = loop.time(), 0
        while not ended.done():
            await asyncio.sleep(begin_s + sent * 0.020 - loop.time())
            udp.send(build_rtp(111, False, sent & 0xFFFF, sent * 960 & 0xFFFFFFFF, 1, PAYLOAD))
            sent += 1


if __name__ == "__main__":
    asyncio.run(_pace(int(sys.argv[1])))
