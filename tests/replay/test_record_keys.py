"""Keys that were pressed in a recorded call are pressed again, and those of a sensitive value are in no file."""

from __future__ import annotations

import doctest
import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from desk_stories import say
from recording_rig import recorded
from replay_rig import failures, story, turn
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay import record
from rtbridge.replay.run import play
from rtbridge.replay.story import Anchor, Start
from rtbridge.settings import Settings
from rtbridge.upstream import scrub_keys
from rtbridge.upstream.scrub import Scrubber
from rtbridge.upstream.scrub_keys import mask_keys
from scripted_engine import last_text, scripted
from session_rig import AGENTS, scenario_in

SENSITIVE = AGENTS.replace(
    '"""Two desks."""', '"""Two desks."""\n\nfrom typing import Annotated\n\nfrom pydantic import Field'
).replace("order: str", 'order: Annotated[str, Field(json_schema_extra={"x-sensitive": True})]')
PRESSED = replace(turn("keys", after=Anchor.CALL_START, delay_ms=3000), sound=None, press="2*4711#")
TOLD = story(PRESSED, say("after", "hello there", Start(Anchor.CALL_START, 9000)))


def answer(told: Turn) -> Iterable[Act]:
    text = last_text(told)
    if text.startswith("The caller pressed"):
        return [Call("look_up", json.dumps({"order": "4711"}))]
    return [Say(f"You said {text}." if text else "Key in your order.")]


def nobody(told: Turn) -> Iterable[Act]:
    raise AssertionError("the engine was asked, and the cassette was to answer")


def pressed(home: Path) -> str:
    events = [json.loads(line) for line in (home / "events.jsonl").read_text().splitlines()]
    return "".join(event["digit"] for event in events if event["event"] == "dtmf.received")


def test_keys_are_pressed_again_in_their_time(tmp_path: Path) -> None:
    home = tmp_path / "rtc_1"
    recorded(TOLD, home, scenario=scenario_in(tmp_path), parts=scripted(answer))
    assert pressed(home) == "2*4711#"
    (tmp_path / "out").mkdir()
    told = record.write(home, record.target_of(tmp_path / "out", "rtc_1"), Settings())
    keys = [one for one in told.turns if one.press]
    assert "".join(one.press or "" for one in keys) == "2*4711#"
    starts = [one.start.delay_ms for one in keys]
    assert [after - before for before, after in itertools.pairwise(starts)] == [200] * 6
    again = play(told, scenario=scenario_in(tmp_path), parts=scripted(nobody), settings=Settings())
    assert failures(again) == []
    assert again.mismatches == ()


def test_a_number_that_was_keyed_in_is_in_no_file_and_the_call_still_replays(tmp_path: Path) -> None:
    home = tmp_path / "rtc_1"
    recorded(TOLD, home, scenario=scenario_in(tmp_path, SENSITIVE), parts=scripted(answer))
    assert pressed(home) == "2*0000#"
    for file in home.glob("*.json*"):
        text = file.read_text()
        assert "4711" not in text, file.name
        assert "4 7 1 1" not in text, file.name
    told = record.write(home, record.target_of(tmp_path / "one.toml", ""), Settings())
    assert "".join(one.press or "" for one in told.turns) == "2*0000#"
    scenario = scenario_in(tmp_path, SENSITIVE)
    again = play(told, scenario=scenario, parts=scripted(nobody), settings=Settings())
    assert failures(again) == []
    assert again.uncompared == 1


def test_keys_that_the_page_sent_at_once_are_hidden_alike() -> None:
    scrubber = Scrubber()
    scrubber.taint("pin", 4711)
    messages = [
        {"t": 1.0, "text": json.dumps({"type": "rtbridge.dtmf", "digits": digits})}
        for digits in ("47", "11#", "47#")
    ]
    messages += [{"t": 2.0, "text": "no JSON"}, {"t": 2.0, "text": "[1]"}]
    mask_keys([], messages, scrubber)
    assert [json.loads(one["text"])["digits"] for one in messages[:3]] == ["00", "00#", "47#"]  # type: ignore[arg-type]
    assert doctest.testmod(scrub_keys).failed == 0
