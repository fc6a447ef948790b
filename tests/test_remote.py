"""`rtbridge approvals`, `approve` and `reject` against a bridge that listens on loopback, with whole calls in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from live_rig import until
from rtbridge import __main__ as cli
from rtbridge.core import journal
from rtbridge.core.leg import LegGone, LegUp
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.remote import MOST_SHOWN, _plain
from rtbridge.server.app import Bridge
from rtbridge.server.page import Page
from rtbridge.server.run import listening
from rtbridge.settings import Settings
from rtbridge.switchboard import Switchboard
from rtbridge.upstream.port import Capabilities
from scripted_engine import last_text, scripted
from server_rig import OFFER, SDP
from session_rig import TestLeg, scenario_in

KEY = "a-caller-key-of-good-length"
AGENTS = '''"""A till."""

from agents import function_tool
from agents.realtime import RealtimeAgent


@function_tool(needs_approval=True)
def refund(note: str) -> str:
    """Give money back."""
    return f"refunded {note}"


start = RealtimeAgent(name="till", instructions="You are the till.", tools=[refund])
'''


def cashier(turn: Turn) -> Iterable[Act]:
    """Calls the tool at once, with a terminal's escape in its arguments."""
    if not turn.items:
        yield Call("refund", '{"note": "\\u001b[2J"}')
    else:
        yield Say(last_text(turn))


class AnsweringLeg(TestLeg):
    """A leg in memory that an offer over HTTP can set up."""

    async def answer(self, offer: str, /) -> str:
        self.inbox.put_nowait(LegUp())
        return "v=0\r\n"

    async def add_candidates(self, fragment: str, /) -> None:
        raise AssertionError("no candidates here")


class Till:
    """A served bridge with one call whose tool waits."""

    def __init__(self, url: str, call_id: str) -> None:
        self.url = url
        self.call_id = call_id
        self.journal: list[journal.Entry] = []

    async def entry(self, kind: type[journal.Entry]) -> journal.Entry:
        await until(lambda: any(isinstance(one, kind) for one in self.journal), kind.event)
        return next(one for one in self.journal if isinstance(one, kind))

    async def run(self, *argv: str, url: str | None = None) -> int:
        return await asyncio.to_thread(cli.main, [*argv, "--url", url or self.url])


@asynccontextmanager
async def served(folder: Path, **given: object) -> AsyncIterator[Till]:
    settings = Settings(**given)  # type: ignore[arg-type]
    legs: list[AnsweringLeg] = []
    till = Till("", "")

    def make_leg() -> AnsweringLeg:
        legs.append(AnsweringLeg())
        return legs[-1]

    board = Switchboard(
        settings=settings,
        scenarios={"till": scenario_in(folder, AGENTS)},
        dial=lambda: MemoryUpstream(
            scripted(cashier), capabilities=Capabilities(is_engine=True, word_times=True)
        ),
        record=lambda _call_id, _at_ms, entry: till.journal.append(entry),
    )
    async with board:
        bridge = Bridge(
            settings,
            board=board,
            make_leg=make_leg,
            page=Page(folder),
            demo=True,
            now_s=asyncio.get_running_loop().time,
        )
        async with listening(bridge.web, "127.0.0.1", 0) as port, aiohttp.ClientSession() as client:
            till.url = f"http://127.0.0.1:{port}"
            headers = {**SDP, "Authorization": f"Bearer {KEY}"}
            async with client.post(till.url + "/v1/realtime/calls", data=OFFER, headers=headers) as got:
                till.call_id = got.headers["Location"].rsplit("/", 1)[1]
            yield till
            legs[0].inbox.put_nowait(LegGone("over"))


async def test_the_operator_lists_and_approves_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(tmp_path) as till:
        asked = await till.entry(journal.ToolApprovalRequested)
        assert isinstance(asked, journal.ToolApprovalRequested)
        assert await till.run("approvals") == 0
        first, second = capsys.readouterr().out.splitlines()
        assert first in [f"{till.call_id} {asked.call_id}  {left} s left" for left in range(20, 31)]
        assert second == '  till: refund {"note": "\\u001b[2J"}'
        assert await till.run("approve", till.call_id, asked.call_id) == 0
        assert capsys.readouterr().out == f"approved: {asked.call_id}\n"
        ended = await till.entry(journal.ToolEnded)
        assert isinstance(ended, journal.ToolEnded)
        assert ended.output == "refunded \x1b[2J"
        assert journal.ToolApproved(asked.call_id, "operator") in till.journal
        assert await till.run("approve", till.call_id, asked.call_id) == 2
        assert "approved by the operator" in capsys.readouterr().err
        assert await till.run("approvals") == 0
        assert capsys.readouterr().out == "No tool call waits for approval.\n"


async def test_the_operator_rejects_with_a_reason_and_shows_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, api_keys=(KEY,)) as till:
        monkeypatch.setenv("RTBRIDGE_PORT", till.url.rsplit(":", 1)[1])
        assert await asyncio.to_thread(cli.main, ["approvals"]) == 2  # the bridge of these settings
        assert "needs a key" in capsys.readouterr().err
        asked = await till.entry(journal.ToolApprovalRequested)
        assert isinstance(asked, journal.ToolApprovalRequested)
        assert await till.run("approvals") == 2
        assert "needs a key" in capsys.readouterr().err
        monkeypatch.setenv("RTBRIDGE_API_KEYS", KEY)
        assert await till.run("reject", till.call_id, asked.call_id, "--message", "not today") == 0
        assert capsys.readouterr().out == f"rejected: {asked.call_id}\n"
        assert await till.entry(journal.ToolRejected) == journal.ToolRejected(
            asked.call_id, "operator", "not today"
        )
        assert await till.run("reject", "rtc_unknown", asked.call_id) == 2
        assert "no such call" in capsys.readouterr().err


async def test_a_tool_that_the_operator_leaves_waiting_is_refused_in_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(tmp_path, approval_timeout_s=0.2) as till:
        expired = await till.entry(journal.ToolApprovalExpired)
        assert isinstance(expired, journal.ToolApprovalExpired)
        assert await till.run("approve", till.call_id, expired.call_id) == 2
        assert "not answered within 0.2 s" in capsys.readouterr().err


async def test_what_is_no_bridge_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for url, words in (
        ("http://127.0.0.1:9", "no bridge answers at http://127.0.0.1:9"),
        ("file:///etc/hosts", "is not the URL of a bridge"),
    ):
        assert await asyncio.to_thread(cli.main, ["approvals", "--url", url]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1


async def test_another_server_is_not_taken_for_a_bridge_and_a_key_follows_no_redirection(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from aiohttp import web

    seen: list[str] = []

    async def away(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPFound("/elsewhere")

    app = web.Application()
    app.router.add_get("/{name:.*}", away)
    async with listening(app, "127.0.0.1", 0) as port:
        assert await asyncio.to_thread(cli.main, ["approvals", "--url", f"http://127.0.0.1:{port}"]) == 2
    assert seen == ["/v1/realtime/approvals"]
    assert "answered HTTP 302" in capsys.readouterr().err


def test_long_arguments_are_cut_and_say_so() -> None:
    assert _plain("x" * (MOST_SHOWN + 5)) == "x" * MOST_SHOWN + "… (+5 characters)"
    assert _plain("a\x1b[0m\u202eb") == "a\\x1b[0m\\u202eb"
