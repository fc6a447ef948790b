"""A recorded call with a supervisor replays offline: what text models answered comes out of the cassette, too."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agents.testing import assistant_message, function_call

from agents import ModelResponse, Usage
from live_rig import LiveBridge, SineVoice, until
from moderation_rig import SaidModel
from recording_rig import recorded
from replay_rig import failures, story
from rtbridge.agents.supervisor import FAILED, TOOL_NAME
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay import record
from rtbridge.replay.evidence import look
from rtbridge.replay.read_story import load_story
from rtbridge.replay.result import RunResult
from rtbridge.replay.run import play
from rtbridge.replay.sessions import load_session
from rtbridge.replay.story import Anchor, Start, Story, TurnExpect, UpstreamChoice, UpstreamKind
from rtbridge.replay.story import Turn as Told
from rtbridge.replay.wire import play_on_wire
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities
from scripted_engine import last_text, scripted
from session_rig import scenario_in

AGENTS = '''"""A desk with a supervisor behind it."""

from agents import function_tool
from agents.realtime import RealtimeAgent

from rtbridge.agents.supervisor import Supervisor


@function_tool
def look_up(order: str) -> str:
    """Look an order up."""
    return f"{order} is on its way"


desk = Supervisor("desk", "You know orders.\\nNever guess.\\nBe brief.", (look_up,))
front = RealtimeAgent(name="front", instructions="You are the front desk.", tools=[desk.as_tool("Ask the desk.")])
start = front
'''
SENSITIVE = AGENTS.replace(
    "from agents import function_tool",
    "from typing import Annotated\n\nfrom agents import function_tool\nfrom pydantic import Field",
).replace("order: str", 'order: Annotated[str, Field(json_schema_extra={"x-sensitive": True})]')


def answer(turn: Turn) -> Iterable[Act]:
    """Greet; ask the supervisor what to say to whatever is typed, and say that."""
    text = last_text(turn)
    if text.startswith("result "):
        given = json.loads(text.removeprefix("result "))
        return [Say(given.get("nextResponse") or given["error"])]
    if not text:
        return [Say("Welcome to the front desk.")]
    return [Call(TOOL_NAME, json.dumps({"relevantContextFromLastUserMessage": text}))]


class Desk(SaidModel):
    """The text model of a call: judges as harmless, looks an order up, and takes two seconds for each thought."""

    def __init__(self, name: str = "", order: str = "A7") -> None:
        super().__init__("")
        self.order = order

    async def get_response(self, system_instructions: Any, input: Any, *rest: Any, **_: Any) -> ModelResponse:
        if isinstance(input, str):
            said = json.dumps({"rationale": "Harmless.", "category": "NONE"})
            return ModelResponse(output=[assistant_message(said)], usage=Usage(), response_id=None)
        await self.think()
        last = input[-1]
        output: list[Any] = [function_call("look_up", json.dumps({"order": self.order}), call_id="c1")]
        if last.get("type") == "function_call_output":
            output = [assistant_message(f"I see that {last['output']}.")]
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    async def think(self) -> None:
        await asyncio.sleep(2.0)


class NeverDesk(Desk):
    async def think(self) -> None:
        await asyncio.Event().wait()


class BrokenDesk(Desk):
    async def think(self) -> None:
        raise ConnectionError("the far end is away: Bearer not-for-you")


class NoText:
    def respond(self, *_: Any) -> Any:
        raise AssertionError("a text model was asked, and the cassette was to answer")


TOLD = story(Told("ask", 1, None, "Where is my order?", False, Start(), TurnExpect()))


def call(folder: Path, desk: Callable[[str], Desk] = Desk, agents: str = AGENTS) -> Path:
    home = folder / "sessions" / "rtc_1"
    home.parent.mkdir()
    scenario = scenario_in(folder, agents)
    made = recorded(TOLD, home, scenario=scenario, parts=scripted(answer), text_model=desk)
    assert made.cut is None
    return home


def again(told: Path | Story, folder: Path, agents: str = AGENTS) -> RunResult:
    def nobody(_: Turn) -> Iterable[Act]:
        raise AssertionError("the engine was asked, and the cassette was to answer")

    told = told if isinstance(told, Story) else load_session(told, {"desks": ["front"]})
    parts = scripted(nobody, text=NoText())
    return play(told, scenario=scenario_in(folder, agents), parts=parts, settings=Settings())


def text_rows(home: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (home / "cassette.jsonl").read_text().splitlines()]
    return [row for row in rows if row["event"]["type"].startswith("rtbridge.text.")]


def test_a_call_with_a_supervisor_replays_from_its_cassette_with_the_same_words_and_tools(
    tmp_path: Path,
) -> None:
    home = call(tmp_path)
    one = again(home, tmp_path)
    assert failures(one) == []
    assert one.mismatches == ()
    seen = look(one)
    assert [name for _, name, _ in seen.tools] == [TOOL_NAME, "look_up"]
    assert seen.items[-1].text == "I see that A7 is on its way."
    wanted = [
        (e["event"], e.get("name"), e.get("output")) for e in events(home) if e["event"] == "tool.ended"
    ]
    assert [
        (e.event, e.fields["name"], e.fields["output"]) for e in one.journal if e.event == "tool.ended"
    ] == wanted
    judged = [(e["state"], e.get("text")) for e in events(home) if e["event"] == "guardrail.judged"]
    assert [
        (e.fields["state"], e.fields.get("text")) for e in one.journal if e.event == "guardrail.judged"
    ] == judged
    (asked,) = [e.at_ms for e in one.journal if e.event == "tool.started" and e.fields["name"] == TOOL_NAME]
    (ended,) = [e.at_ms for e in one.journal if e.event == "tool.ended" and e.fields["name"] == TOOL_NAME]
    assert ended - asked == 4000, "two thoughts of two seconds, on a clock that waits for nobody"

    story_file = record.write(home, record.target_of(tmp_path / "kept.toml", "x"), Settings()).file
    assert '{name = "look_up", args = {order = "A7"}}' in story_file.read_text()
    two = again(load_story(story_file), tmp_path)
    assert failures(two) == []
    assert (gist(two), two.heard) == (gist(one), one.heard)


def gist(result: RunResult) -> list[object]:
    """Return the journal without the name of the cassette."""
    return [entry for entry in result.journal if entry.event not in ("upstream.opened", "call.opened")]


def events(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "events.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "Never guess.",
            "Guess well.",
            ["text request #1 of desk: instructions changed: '- Never guess.' '+ Guess well.'"],
        ),
        (
            "order: str",
            "order_number: str",
            [
                "text request #1 of desk: tools.look_up.parameters.properties.order removed",
                "tools.look_up.parameters.properties.order_number added",
            ],
        ),
        (
            "Look an order up.",
            "Find an order.",
            ['tools.look_up.description was "Look an order up.", is "Find'],
        ),
        (
            "is on its way",
            "is lost",
            ["text request #2 of desk: input[", 'output was "A7 is on its way", is "A7 is lost"'],
        ),
    ],
)
def test_a_changed_supervisor_is_told_as_what_was_changed(
    tmp_path: Path, old: str, new: str, told: list[str]
) -> None:
    home = call(tmp_path)
    changed = AGENTS.replace(old, new).replace(
        'f"{order} ', f'f"{{{"order_number" if "number" in new else "order"}}} '
    )
    found = failures(again(home, tmp_path, changed))
    for one in told:
        assert any(one in failure for failure in found), (one, found)
    assert sum("instructions changed" in failure for failure in found) <= 1, "told once, not at every request"


def test_a_supervisor_that_was_never_answered_or_failed_is_so_again(tmp_path: Path) -> None:
    for desk in (NeverDesk, BrokenDesk):
        folder = tmp_path / desk.__name__
        folder.mkdir()
        home = call(folder, desk)
        one = again(home, folder)
        assert failures(one) == []
        ended = [e["output"] for e in events(home) if e["event"] == "tool.ended"]
        assert [e.fields["output"] for e in one.journal if e.event == "tool.ended"] == ended
        assert "error" in json.loads(ended[0])
    failed = [
        row["event"]["error"] for row in text_rows(home) if row["event"]["type"] == "rtbridge.text.failed"
    ]
    assert failed == [{"type": "ConnectionError", "message": "the far end is away: Bearer [masked key]"}]


def test_a_sensitive_value_that_only_a_supervisor_handles_is_in_no_file_and_the_call_still_replays(
    tmp_path: Path,
) -> None:
    home = call(tmp_path, lambda name: Desk(name, order="206-555-0101"), SENSITIVE)
    for file in home.iterdir():
        if file.suffix in (".json", ".jsonl"):
            assert not re.search("206|555|(?<!event_)0101", file.read_text()), file.name
    assert any("[masked order]" in json.dumps(row) for row in text_rows(home))
    one = again(home, tmp_path, SENSITIVE)
    assert failures(one) == []
    assert one.uncompared == 1


def test_a_request_that_is_not_asked_again_and_a_new_one_are_both_told(tmp_path: Path) -> None:
    home = call(tmp_path)
    renamed = AGENTS.replace('Supervisor("desk"', 'Supervisor("backoffice"')
    found = failures(again(home, tmp_path, renamed))
    assert any("text request of backoffice: not in the recording: got" in one for one in found)
    assert any("text request #1 of desk: missing: it was asked at" in one for one in found)


def test_words_that_another_ear_heard_a_little_longer_are_the_same_question(tmp_path: Path) -> None:
    home = call(tmp_path)
    told = load_session(home)
    assert told.upstream.file is not None
    text = told.upstream.file.read_text()
    whole = '"role": "assistant", "content": "Welcome to the front desk. "'
    assert whole in text
    shorter = text.replace(whole, '"role": "assistant", "content": "Welcome to the"')
    told.upstream.file.write_text(shorter)
    assert again(home, tmp_path).mismatches == ()
    other = text.replace(whole, '"role": "assistant", "content": "Welcome to the back office."')
    told.upstream.file.write_text(other)
    assert any("input[0]" in one for one in again(home, tmp_path).mismatches)


def test_a_cassette_from_before_text_models_were_recorded_leaves_them_to_the_engine(tmp_path: Path) -> None:
    home = call(tmp_path)
    file = home / "cassette.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    del rows[0]["event"]["texts"]
    kept = [row for row in rows if not row["event"]["type"].startswith("rtbridge.text.")]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in kept))
    one = again(home, tmp_path)
    assert one.mismatches
    assert [json.loads(e.fields["output"]) for e in one.journal if e.event == "tool.ended"] == [
        {"error": FAILED}
    ]


def test_without_text_models_there_are_none_in_the_replay_either(tmp_path: Path) -> None:
    home = tmp_path / "sessions" / "rtc_1"
    home.parent.mkdir()
    recorded(TOLD, home, scenario=scenario_in(tmp_path, AGENTS), parts=scripted(answer))
    one = again(home, tmp_path)
    assert failures(one) == []
    assert text_rows(home) == []
    assert "error" in next(e.fields["output"] for e in one.journal if e.event == "tool.ended")


def test_a_story_on_the_engine_keeps_its_text_models_in_its_cassette(tmp_path: Path) -> None:
    parts = scripted(answer)
    first = play(TOLD, scenario=scenario_in(tmp_path, AGENTS), parts=parts, settings=Settings())
    file = tmp_path / "x.jsonl"
    file.write_bytes(first.cassette)
    choice = UpstreamChoice(UpstreamKind.CASSETTE, file=file)
    second = again(replace(TOLD, upstream=choice), tmp_path)
    assert failures(second) == []
    assert (second.heard, second.journal[-1]) == (first.heard, first.journal[-1])


class ThinkingBridge(LiveBridge):
    """A bridge in real time with this desk, and an engine that asks it."""

    def dial(self) -> MemoryUpstream[Capabilities]:  # type: ignore[override]
        parts = scripted(answer, voice=SineVoice())
        return MemoryUpstream(parts, capabilities=Capabilities(is_engine=True, word_times=True))


@pytest.mark.wire
def test_a_call_with_a_supervisor_over_the_wire_replays_offline_as_it_went(tmp_path: Path) -> None:
    """The caller breaks in, too: where an agent was cut off is not the same to the word on two clocks."""
    more = Told(
        "more", 2, None, "And my other one?", False, Start(Anchor.AGENT_SPEECH_START, 300), TurnExpect()
    )

    async def carried() -> tuple[RunResult, Path]:
        made = ThinkingBridge(Settings(record_dir=tmp_path / "sessions"), tmp_path)
        made.agents, made.text_model = AGENTS, Desk
        told = replace(TOLD, scenario="desks", turns=(*TOLD.turns, more))
        async with made.up() as bridge:
            result = await play_on_wire(told, url=f"http://127.0.0.1:{bridge.port}")
            (home,) = (tmp_path / "sessions").iterdir()
            await until((home / "session.json").is_file, "the recording")
        return result, home

    result, home = asyncio.run(carried())
    (tmp_path / "desks" / "stories").mkdir()
    told = record.write(home, record.target_of(tmp_path / "desks", "kept"), Settings())
    one = again(told, tmp_path)
    assert failures(one) == []
    assert one.mismatches == ()
    before, now = look(result), look(one)
    assert sorted(tool[1:] for tool in now.tools) == sorted(tool[1:] for tool in before.tools)
    assert sorted(name for _, name, _ in now.tools) == sorted([TOOL_NAME, "look_up"] * 2)
    assert [item.agent for item in now.items] == [item.agent for item in before.items]
    assert now.items[-1].text == before.items[-1].text == "I see that A7 is on its way."
    assert [text for _, text in now.caller_said] == ["Where is my order?", "And my other one?"]
    changed = again(told, tmp_path, AGENTS.replace("Never guess.", "Guess well."))
    assert any(
        "of desk: instructions changed: '- Never guess.' '+ Guess well.'" in one for one in failures(changed)
    )
