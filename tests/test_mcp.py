"""`rtbridge mcp` as a coding assistant drives it: the MCP SDK's own client, over stdio, to a real process."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters, stdio_client

from rtbridge.agents.scaffold import new_scenario
from rtbridge.errors import ReplayError
from rtbridge.history import CallRecord
from rtbridge.mcp.bridge import BridgeCalls, url_of
from rtbridge.mcp.replays import MOST_RUNS, Replays
from rtbridge.settings import Settings
from server_rig import running

ROOT = Path(__file__).resolve().parent.parent
NOBODY = "http://127.0.0.1:9"  # the discard port


@asynccontextmanager
async def assistant(
    scenarios: Path, out: Path, *, bridge: str = NOBODY, **env: str
) -> AsyncIterator[ClientSession]:
    command = ["-m", "rtbridge", "mcp", "--scenarios", str(scenarios), "--out", str(out), "--bridge", bridge]
    server = StdioServerParameters(
        command=sys.executable, args=command, env={"PYTHONPATH": str(ROOT), **env}, cwd=ROOT
    )
    with (out.parent / "stderr.txt").open("w") as errors:
        async with (
            stdio_client(server, errlog=errors) as (read, write),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            yield session


async def ask(session: ClientSession, tool: str, **arguments: Any) -> Any:
    """Return a tool's structured result."""
    result = await session.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


async def refusal(session: ClientSession, tool: str, **arguments: Any) -> str:
    result = await session.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of scenarios with one that prints to stdout when it is loaded, and a story outside of it."""
    root = tmp_path / "scenarios"
    folder = new_scenario("cafe", root)
    agents = folder / "agents.py"
    agents.write_text(agents.read_text() + '\nprint("what a scenario prints is no message")\n')
    shutil.copytree(folder, tmp_path / "secret")
    (root / "way_out").symlink_to(tmp_path / "secret")
    return root


async def test_scenarios_are_listed_drawn_and_checked(home: Path, tmp_path: Path) -> None:
    (home / "way_out").unlink()
    async with assistant(home, tmp_path / "out") as session:
        offered = {tool.name for tool in (await session.list_tools()).tools}
        assert offered == {
            "list_scenarios",
            "show_graph",
            "check_scenario",
            "run_replay",
            "list_calls",
            "read_transcript",
        }
        (cafe,) = (await ask(session, "list_scenarios"))["scenarios"]
        assert (cafe["id"], cafe["start"]) == ("cafe", "host")
        assert [(one["name"], one["tools"], one["handoffs"]) for one in cafe["agents"]] == [
            ("host", ["openingHours"], ["bookings"]),
            ("bookings", [], cafe["agents"][1]["handoffs"]),
        ]
        assert "cafe/stories/first_call.toml" in cafe["stories"]
        assert (await ask(session, "show_graph", scenario="cafe"))["result"].startswith("flowchart LR")
        assert "no scenario 'nope'" in await refusal(session, "show_graph", scenario="nope")
        assert await ask(session, "check_scenario", scenario="cafe") == {
            "scenario": "cafe",
            "ok": True,
            "problems": [],
        }
        # What was written meanwhile is what is checked.
        (home / "cafe" / "agents.py").write_text('"""Broken."""\nstart = 7\n')
        (home / "cafe" / "stories" / "bad.toml").write_text("name = 1")
        broken = await ask(session, "check_scenario", scenario="cafe")
        assert not broken["ok"]
        assert "agents.py: `start` is a int" in broken["problems"][0]
        assert "`start` is a int" in (await ask(session, "show_graph", scenario="cafe"))["result"]
        assert "no scenario '../secret'" in await refusal(session, "check_scenario", scenario="../secret")


@pytest.mark.models
async def test_a_replay_is_run_and_its_verdict_and_transcript_come_back(home: Path, tmp_path: Path) -> None:
    (home / "way_out").unlink()
    out = tmp_path / "out"
    story = home / "cafe" / "stories" / "first_call.toml"
    async with assistant(home, out) as session:
        good = await ask(session, "run_replay", path="cafe/stories/first_call.toml")
        assert good["verdict"] == "passed", good
        (played,) = good["stories"]
        assert played["passed"] is True
        assert (Path(played["artifacts"]) / "call.wav").is_file()
        assert Path(played["artifacts"]).parent == out / "replay_0001"

        (call,) = (await ask(session, "list_calls"))["replays"]
        assert call["id"] == played["id"] == "replay:replay_0001/first_call"
        told = (await ask(session, "read_transcript", call=call["id"]))["transcript"]
        assert told[0]["who"] == "agent"
        assert {one["who"] for one in told} >= {"user", "host"}

        story.write_text(story.read_text().replace('heard = "ten to four"', 'heard = "midnight"'))
        bad = await ask(session, "run_replay", path="cafe")
        assert bad["verdict"] == "failed"
        (failure,) = bad["stories"][0]["failures"]
        assert failure.startswith('turn "hours": expected to hear /midnight/; ')
        assert f"{story}:5: {failure}" in bad["printed"]

        story.write_text("name = 1")
        invalid = await ask(session, "run_replay", path="cafe/stories/first_call.toml")
        assert invalid["verdict"] == "invalid"
        assert "first_call.toml" in invalid["printed"]


async def test_a_replay_that_takes_too_long_is_stopped(home: Path, tmp_path: Path) -> None:
    replays = Replays(home, tmp_path / "out", timeout_s=0.2)
    with pytest.raises(ReplayError, match=r"took longer than 0.2 s and was stopped; play fewer stories"):
        await replays.run(home / "cafe")


async def test_a_replay_outside_the_scenarios_is_refused(home: Path, tmp_path: Path) -> None:
    async with assistant(home, tmp_path / "out") as session:
        for path in (
            "../secret",
            str(tmp_path / "secret"),
            "way_out/stories/first_call.toml",
            "/etc/passwd",
            "a\0b",
        ):
            assert "outside the scenarios" in (said := await refusal(session, "run_replay", path=path)) or (
                "is no path" in said
            )
        assert "is not in" in await refusal(session, "run_replay", path="--out")
        for call in ("replay:../secret", "replay:../../etc", "replay:nothing"):
            assert "there is no call" in await refusal(session, "read_transcript", call=call)
    assert not (tmp_path / "out").exists()


async def test_calls_of_a_running_bridge_are_listed_and_read_with_its_key(home: Path, tmp_path: Path) -> None:
    key = "a-caller-key-of-32-characters-000"
    async with running(api_keys=key) as bridge:
        await bridge.call(headers={"Authorization": f"Bearer {key}"})
        principal = bridge.board.asked[0][2]
        bridge.board.records.append(
            CallRecord(
                "rtc_1", "cafe", "host", principal, 4200, (("host", "Hello."), ("user", "Hi.")), "hung up"
            )
        )
        async with assistant(home, tmp_path / "out", bridge=bridge.origin, RTBRIDGE_API_KEYS=key) as session:
            (call,) = (await ask(session, "list_calls"))["calls"]
            assert (call["id"], call["live"], call["ended"], call["messages"]) == (
                "rtc_1",
                False,
                "hung up",
                2,
            )
            told = await ask(session, "read_transcript", call="rtc_1")
            assert told["transcript"] == [{"who": "host", "text": "Hello."}, {"who": "user", "text": "Hi."}]
            assert "answered 404: There is no such call." in await refusal(
                session, "read_transcript", call="rtc_2"
            )


async def test_without_a_bridge_the_list_says_so_and_the_log_stays_off_stdout(
    home: Path, tmp_path: Path
) -> None:
    async with assistant(home, tmp_path / "out") as session:
        listed = await ask(session, "list_calls")
        assert listed["calls"] == []
        assert f"no bridge answers at {NOBODY}" in listed["trouble"]
        await ask(session, "check_scenario", scenario="cafe")
    assert "what a scenario prints is no message" in (tmp_path / "stderr.txt").read_text()


def test_the_bridge_is_looked_for_where_these_settings_would_serve_it() -> None:
    assert url_of(Settings()) == "http://127.0.0.1:8080"
    assert url_of(Settings(host="0.0.0.0", port=90)) == "http://127.0.0.1:90"
    assert url_of(Settings(host="::1")) == "http://[::1]:8080"


async def test_a_bridge_that_refuses_or_says_nonsense_is_named() -> None:
    async with running(api_keys="a-caller-key-of-32-characters-000") as bridge:
        with pytest.raises(Exception, match=r"answered 401: This bridge needs a key"):
            await BridgeCalls(bridge.origin, "").calls()


def test_old_runs_make_room_and_nothing_else_is_touched(tmp_path: Path) -> None:
    for number in range(1, MOST_RUNS + 3):
        (tmp_path / f"replay_{number:04d}").mkdir()
    (tmp_path / "replay_of_mine").mkdir()
    replays = Replays(tmp_path, tmp_path, timeout_s=1)
    assert replays._new_folder().name == f"replay_{MOST_RUNS + 3:04d}"
    left = sorted(folder.name for folder in tmp_path.iterdir())
    assert len(left) == MOST_RUNS + 1
    assert left[0] == "replay_0004"
    assert "replay_of_mine" in left


def test_artifacts_that_are_broken_are_listed_as_far_as_they_tell(tmp_path: Path) -> None:
    for name, text in (("half", "{"), ("list", "[]"), ("whole", json.dumps({"story": "s", "passed": True}))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "turns.json").write_text(text)
    found = {call["id"]: call["story"] for call in Replays(tmp_path, tmp_path, timeout_s=1).calls()}
    assert found == {"replay:half": "", "replay:list": "", "replay:whole": "s"}
