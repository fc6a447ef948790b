"""A call over real WebRTC is recorded, and replays offline from its cassette as it went."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desk_stories import answer
from live_rig import LiveBridge, SineVoice, sine, until
from replay_rig import failures, story
from rtbridge.core import pcm
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import Act, Call, EngineParts, Turn
from rtbridge.replay import story as tale
from rtbridge.replay.evidence import look
from rtbridge.replay.result import RunResult
from rtbridge.replay.run import play
from rtbridge.replay.sessions import load_session
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import Start, Story, TurnExpect
from rtbridge.replay.wire import play_on_wire
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities
from scripted_engine import scripted
from session_rig import AGENTS, scenario_in

SENSITIVE = AGENTS.replace(
    '"""Two desks."""', '"""Two desks."""\n\nfrom typing import Annotated\n\nfrom pydantic import Field'
).replace("order: str", 'order: Annotated[str, Field(json_schema_extra={"x-sensitive": True})]')


class LengthEars:
    """Knows two phrases by how long they take: a codec changes levels, and leaves time as it is."""

    def transcribe(self, sound: bytes) -> str:
        loud = np.flatnonzero(np.abs(np.frombuffer(sound, "<i2").astype(np.int32)) > 1000)
        length_ms = (loud[-1] - loud[0]) / 24 if len(loud) else 0
        return "billing please" if length_ms > 900 else "hello there"


def engine() -> EngineParts:
    return scripted(answer, voice=SineVoice(), ears=LengthEars())


def nobody(turn: Turn) -> Iterable[Act]:
    raise AssertionError("the engine was asked, and the cassette was to answer")


class RecordingBridge(LiveBridge):
    """A bridge with an engine that hears, for callers who speak."""

    def dial(self) -> MemoryUpstream[Capabilities]:  # type: ignore[override]
        return MemoryUpstream(engine(), capabilities=Capabilities(is_engine=True, word_times=True))


def say(turn_id: str, ms: int) -> tale.Turn:
    sound = Sound(turn_id, sine(pcm.samples_of_ms(ms), level=8000))
    return tale.Turn(turn_id, 1, sound, None, False, Start(), TurnExpect())


def typed(words: str) -> tale.Turn:
    return tale.Turn(words, 1, None, words, False, Start(), TurnExpect())


SPOKEN = story(say("tool", 600), say("handoff", 1200), typed("one more thing"))


async def call(folder: Path, told: Story = SPOKEN, agents: str = AGENTS) -> tuple[RunResult, Path]:
    """Have a call over the wire and return what the caller has of it, and its recording."""
    told = Story(told.file, told.name, "desks", None, told.turns, told.expect, told.budget)
    made = RecordingBridge(Settings(record_dir=folder / "sessions"), folder)
    made.agents = agents
    async with made.up() as bridge:
        result = await play_on_wire(told, url=f"http://127.0.0.1:{bridge.port}")
        (home,) = (folder / "sessions").iterdir()
        await until((home / "session.json").is_file, "the recording")
    return result, home


def replayed(home: Path, folder: Path, agents: str = AGENTS) -> RunResult:
    told = load_session(home, {"desks": ["front", "billing"]})
    parts = scripted(nobody)
    return play(told, scenario=scenario_in(folder, agents), parts=parts, settings=Settings())


Gist = tuple[list[tuple[str, str]], tuple[str, ...], list[tuple[str, str]], list[str]]


def gist(result: RunResult) -> Gist:
    seen = look(result)
    said = [(item.agent, item.text) for item in seen.items]
    return (
        said,
        seen.handoffs,
        [(name, arguments) for _, name, arguments in seen.tools],
        [text for _, text in seen.caller_said],
    )


@pytest.mark.wire
def test_a_recorded_call_replays_offline_with_the_same_transcript_handoffs_and_tools(tmp_path: Path) -> None:
    result, home = asyncio.run(call(tmp_path))
    assert [m.event["on"] for m in result.messages if m.event["type"] == "rtbridge.recording"] == [True]
    assert sorted(file.name for file in home.iterdir()) == [
        "caller.wav",
        "cassette.jsonl",
        "events.jsonl",
        "heard.wav",
        "messages.jsonl",
        "session.json",
    ]
    again = replayed(home, tmp_path)
    assert failures(again) == []
    assert again.mismatches == ()
    assert gist(again) == gist(result)
    said, handoffs, tools, caller = gist(again)
    assert handoffs == ("billing",)
    assert [name for name, _ in tools] == ["look_up"]
    assert caller == ["hello there", "billing please", "one more thing"]
    assert ("billing", "Billing speaks here now, and at some length.") in said

    prompt = AGENTS.replace("You are the front desk.", "You are the front desk. Be brief.")
    changed = replayed(home, tmp_path, prompt)
    assert any("session.update #1: instructions was" in failure for failure in failures(changed))
    schema = AGENTS.replace("order: str", "order_number: str").replace("order ==", "order_number ==")
    schema = schema.replace("{order} is", "{order_number} is")
    changed = replayed(home, tmp_path, schema)
    assert any(
        "tools.look_up.parameters.properties.order removed" in failure for failure in failures(changed)
    )


def told_in(file: Path) -> str:
    """Return all that a file of a recording tells but for times and random ids, which may hold any four digits."""

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key: one for key, one in value.items() if key not in ("t", "at_ms", "id")}
            return {key: told(one) for key, one in kept.items() if not key.endswith("_id")}
        return [told(one) for one in value] if isinstance(value, list) else value

    text = file.read_text()
    rows = text.splitlines() if file.suffix == ".jsonl" else [text]
    return "\n".join(json.dumps(told(json.loads(row)), ensure_ascii=False) for row in rows)


@pytest.mark.wire
def test_a_sensitive_value_is_in_no_file_of_a_recorded_call_and_it_still_replays(tmp_path: Path) -> None:
    def tell(turn: Turn) -> Iterable[Act]:
        acts = list(answer(turn))
        return [
            Call("look_up", '{"order": "206-555-0101"}') if isinstance(act, Call) else act for act in acts
        ]

    told = story(typed("hello there"), typed("It is two oh six, five five five, oh one oh one"))

    class Bridge(RecordingBridge):
        def dial(self) -> MemoryUpstream[Capabilities]:  # type: ignore[override]
            parts = scripted(tell, voice=SineVoice())
            return MemoryUpstream(parts, capabilities=Capabilities(is_engine=True, word_times=True))

    async def carried() -> Path:
        made = Bridge(Settings(record_dir=tmp_path / "sessions"), tmp_path)
        made.agents = SENSITIVE
        one = Story(told.file, told.name, "desks", None, told.turns, told.expect, told.budget)
        async with made.up() as bridge:
            await play_on_wire(one, url=f"http://127.0.0.1:{bridge.port}")
            (home,) = (tmp_path / "sessions").iterdir()
            await until((home / "session.json").is_file, "the recording")
        return home

    home = asyncio.run(carried())
    files = [file for file in home.iterdir() if file.suffix in (".json", ".jsonl")]
    texts = {file.name: file.read_text() for file in files}
    for name, text in texts.items():
        for canary in ("206-555", "555-0101", "5550101", "five five five", "two oh six"):
            assert canary not in text, name
    for file in files:
        assert "0101" not in told_in(file), file.name
    assert "[masked order]" in texts["messages.jsonl"]
    assert "[masked order]" in texts["events.jsonl"]
    again = replayed(home, tmp_path, SENSITIVE)
    assert failures(again) == []
    assert again.uncompared == 1
