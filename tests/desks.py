"""A scenario of two to four agents that hand over to each other, with tools that behave well and badly."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rtbridge.agents.scenario import Scenario, load_scenario

NAMES: Final = ("ada", "bob", "cleo", "dan")

HEAD: Final = '''"""Some desks that hand over to each other."""

import asyncio

from agents import function_tool
from agents.realtime import RealtimeAgent, realtime_handoff

from rtbridge.errors import Refused


@function_tool
async def work(seconds: float, end: str) -> object:
    """Take a while, or for ever, and end well or badly."""
    await asyncio.sleep(seconds)
    return ending(end)


@function_tool
def plain(end: str) -> object:
    """Work in a thread."""
    return ending(end)


def ending(end):
    if end == "raises":
        raise RuntimeError("secret inside")
    if end == "refuses":
        raise Refused("Ask for the order first.")
    return {"text": "done", "huge": "x" * 10_000_000, "odd": {("a", 1), object()}, "none": None}[end]


async def hesitate(ctx):
    await asyncio.sleep(0.9)


async def refuse(ctx):
    raise Refused("Verify the caller first.")


'''


def scenario_of(folder: Path, desks: int, *, moderated: bool = True) -> Scenario:
    """Write and load a scenario of so many agents, each of which can hand over to each; the last ones are awkward."""
    names = NAMES[:desks]
    text = [HEAD]
    text += [
        f'{name} = RealtimeAgent(name="{name}", instructions="You are {name}.", tools=[work, plain])\n'
        for name in names
    ]
    how = {"cleo": ", on_handoff=hesitate", "dan": ", on_handoff=refuse"}
    for name in names:
        others = ", ".join(
            f"realtime_handoff({other}{how.get(other, '')})" for other in names if other != name
        )
        text.append(f"{name}.handoffs = [{others}]\n")
    text.append(f"start = {names[0]}\n")
    if not moderated:
        text.append("guardrails = []\n")
    home = folder / f"desks{desks}"
    home.mkdir(exist_ok=True)
    (home / "agents.py").write_text("".join(text))
    return load_scenario(home)
