"""An MCP server over stdio for tests: it answers, crashes, hangs and floods, each when asked to."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("orders")


@server.tool()
def find_order(order: str) -> str:
    """Find an order."""
    return f"{order} is on its way"


@server.tool()
def fail() -> str:
    """Fail, and tell why in words that are the server's own."""
    raise ValueError("secret inside")


@server.tool()
def crash() -> str:
    """Die in the middle of the call."""
    os._exit(3)


@server.tool()
async def hang() -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return ""


@server.tool()
def flood() -> str:
    """Answer with a megabyte."""
    return "x" * 1_000_000


if __name__ == "__main__":
    print("desk is up", file=sys.stderr)
    server.run()
