"""A till whose refunds a person must allow, the agent that answers there, and a story's answer for them."""

from __future__ import annotations

from collections.abc import Iterable

from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay import story as tale
from rtbridge.replay.story import Anchor, Start, TurnExpect
from scripted_engine import last_text

AGENTS = '''"""A till."""

from agents import function_tool
from agents.realtime import RealtimeAgent

approval = "page"


@function_tool(needs_approval=True)
def refund() -> str:
    """Give money back."""
    return "refunded"


start = RealtimeAgent(name="till", instructions="You are the till.", tools=[refund])
'''


def cashier(turn: Turn) -> Iterable[Act]:
    heard = last_text(turn)
    if heard == "yes please":
        yield Call("refund", "{}")
    elif heard.startswith("result"):
        yield Say("It is done." if heard == "result refunded" else "It was not done.")
    else:
        yield Say("Welcome to the till.")


def answer(approve: bool, delay_ms: int = 300, heard: str | None = None) -> tale.Turn:
    start = Start(Anchor.APPROVAL, delay_ms)
    return tale.Turn("answer", 1, None, None, False, start, TurnExpect(heard=heard), approve=approve)
