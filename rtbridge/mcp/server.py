"""The MCP server itself: six tools over stdio. Its stdout belongs to the protocol; what we log goes to stderr.

Errors on purpose become results with `isError`, in our words. Nothing here can write but a replay, into `out`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from rtbridge.agents.scenario import default_root
from rtbridge.errors import RtbridgeError
from rtbridge.mcp import scenarios
from rtbridge.mcp.bridge import BridgeCalls, url_of
from rtbridge.mcp.replays import Replays
from rtbridge.settings import Settings

T = TypeVar("T")

INSTRUCTIONS: Final = (
    "rtbridge carries voice calls between WebRTC and realtime models. A scenario is a folder with agents.py, "
    "brain.toml and stories/*.toml. After changing one: check_scenario, then run_replay on its stories, and read "
    "what failed."
)


def make(settings: Settings, *, root: Path, out: Path, bridge: str) -> MCPServer[Any]:
    """Return the server for the scenarios in `root`, replays into `out`, and the calls of the bridge at `bridge`."""
    server: MCPServer[Any] = MCPServer(
        "rtbridge", instructions=INSTRUCTIONS, log_level="WARNING", lifespan=_quiet_stdout
    )
    replays = Replays(root, out, timeout_s=settings.mcp_replay_timeout_s)
    key = settings.api_keys[0].get_secret_value() if settings.api_keys else ""
    live = BridgeCalls(bridge, key)
    wait_s = settings.mcp_connect_timeout_s

    async def described() -> list[dict[str, Any]]:
        return await _told(asyncio.to_thread(scenarios.described, root, connect_timeout_s=wait_s))

    @server.tool()
    async def list_scenarios() -> dict[str, Any]:
        """List all scenarios: id, title, agents with their tools and handoffs, and stories to replay."""
        found = await described()
        return {"root": str(root), "scenarios": [_without(one, "graph") for one in found]}

    @server.tool()
    async def show_graph(scenario: str) -> str:
        """Draw one scenario's agents, tools and handoffs as a Mermaid flowchart."""
        for one in await described():
            if one["id"] == scenario:
                return str(one.get("graph") or "\n".join(one["problems"]))
        raise ToolError(f"there is no scenario {scenario[:64]!r}; list_scenarios shows what there is")

    @server.tool()
    async def check_scenario(scenario: str) -> dict[str, Any]:
        """Check one scenario and its stories; each problem names file, what is wrong and what to do."""
        found = await _told(asyncio.to_thread(scenarios.problems, root, scenario, connect_timeout_s=wait_s))
        return {"scenario": scenario, "ok": not found, "problems": found}

    @server.tool()
    async def run_replay(path: str) -> dict[str, Any]:
        """Play one story (`simple_handoff/stories/haiku.toml`) or all of a scenario (`simple_handoff`), offline.

        Returns the verdict, each expectation that failed, and where recordings and journals lie.
        """
        return await _told(replays.run(await _told(_within(root, path))))

    @server.tool()
    async def list_calls() -> dict[str, Any]:
        """List the calls of the running bridge (running and ended ones) and of replays, newest first."""
        listed: dict[str, Any] = {"bridge": live.url, "replays": await asyncio.to_thread(replays.calls)}
        try:
            listed["calls"] = await live.calls()
        except RtbridgeError as error:
            listed |= {"calls": [], "trouble": str(error)}
        return listed

    @server.tool()
    async def read_transcript(call: str) -> dict[str, Any]:
        """Read what was said and heard in one call of list_calls, by its id (`rtc_...` or `replay:...`)."""
        if not call.startswith("replay:"):
            return await _told(live.transcript(call))
        found = await asyncio.to_thread(replays.transcript, call)
        if found is None:
            raise ToolError(f"there is no call {call[:100]!r}; list_calls shows what there is")
        return found

    return server


@asynccontextmanager
async def _quiet_stdout(_server: MCPServer[Any]) -> AsyncIterator[None]:
    """Let what scenarios print go to stderr. The transport points fd 1 there, but Python would flush later."""
    with redirect_stdout(sys.stderr):
        yield


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve over stdio until the client leaves; return 0."""
    root = (settings.scenarios or default_root()).resolve()
    make(settings, root=root, out=args.out.resolve(), bridge=args.bridge or url_of(settings)).run()
    return 0


async def _within(root: Path, path: str) -> Path:
    return await asyncio.to_thread(scenarios.within, root, path)


async def _told(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` does; an error on purpose becomes the tool's, in its own words."""
    try:
        return await work
    except RtbridgeError as error:
        raise ToolError(str(error)) from error


def _without(one: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != key}
