"""A bridge whose one agent needs an approval for its one tool, to be run as a process of its own.

Prints where it listens and ends when its input does. A process, since a browser names addresses beyond loopback
that a test's process may not send to.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

from live_rig import SineVoice
from rtbridge import logs
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.rtc.config import PeerConfig
from rtbridge.rtc.peer import Peer
from rtbridge.server import page as pages
from rtbridge.server.app import Bridge
from rtbridge.server.run import listening
from rtbridge.settings import Settings
from rtbridge.switchboard import Switchboard
from rtbridge.upstream.port import Capabilities
from scripted_engine import last_text, scripted
from session_rig import scenario_in

ORDER = "A-1 <img src=x onerror=\\\"document.title='owned'\\\">"
AGENTS = '''"""A till."""

from agents import function_tool
from agents.realtime import RealtimeAgent

approval = "page"


@function_tool(needs_approval=True)
def refund(order: str, cents: int) -> str:
    """Give money back."""
    return "refunded"


start = RealtimeAgent(name="till", instructions="You are the till.", tools=[refund])
'''


def cashier(turn: Turn) -> Iterable[Act]:
    """Refunds on request."""
    heard = last_text(turn)
    if heard == "refund please":
        yield Call("refund", f'{{"order": "{ORDER}", "cents": 900}}')
    elif heard.startswith("result"):
        yield Say("It is done." if heard == "result refunded" else "It was not done.")
    else:
        yield Say("Welcome.")


async def serve(folder: Path) -> None:
    settings = Settings(approval_timeout_s=6.0)
    capabilities = Capabilities(is_engine=True, word_times=True)
    board = Switchboard(
        settings=settings,
        scenarios={"desks": scenario_in(folder, AGENTS)},
        dial=lambda: MemoryUpstream(scripted(cashier, voice=SineVoice()), capabilities=capabilities),
        record=logs.record,
    )
    async with board:
        bridge = Bridge(
            settings,
            board=board,
            make_leg=lambda: Peer(PeerConfig.of(settings)),
            page=pages.Page(pages.default_root()),
            demo=True,
            now_s=asyncio.get_running_loop().time,
        )
        async with listening(bridge.web, "127.0.0.1", 0) as port:
            print(f"http://127.0.0.1:{port}", flush=True)
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
