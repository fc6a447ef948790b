"""A story against a cassette: what was recorded answers again, and a bridge that asks otherwise is told how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from desk_stories import WHOLE, answer
from replay_rig import failures
from rtbridge.replay.evidence import look
from rtbridge.replay.read_story import load_story
from rtbridge.replay.result import RunResult
from rtbridge.replay.run import play
from rtbridge.replay.story import Story, UpstreamChoice, UpstreamKind
from rtbridge.settings import Settings
from scripted_engine import scripted
from session_rig import AGENTS, scenario_in


def deaf(turn: object) -> list[object]:
    raise AssertionError("the engine was asked, and a cassette was to answer")


def recorded(folder: Path) -> RunResult:
    return play(WHOLE, scenario=scenario_in(folder), parts=scripted(answer), settings=Settings())


def again(
    folder: Path, cassette: bytes, *, agents: str = AGENTS, story: Story = WHOLE, name: str = "whole.jsonl"
) -> RunResult:
    """Play the story against the cassette, with an engine that must not be asked."""
    file = folder / name
    file.write_bytes(cassette)
    told = replace(story, upstream=UpstreamChoice(UpstreamKind.CASSETTE, file=file))
    parts = scripted(deaf)  # type: ignore[arg-type]
    return play(told, scenario=scenario_in(folder, agents), parts=parts, settings=Settings())


def gist(result: RunResult) -> object:
    """Return what was said and done, without times."""
    seen = look(result)
    said = [(item.agent, item.text, item.unheard) for item in seen.items]
    return said, seen.handoffs, [tool[1:] for tool in seen.tools], [text for _, text in seen.caller_said]


def test_a_recorded_story_replays_from_its_cassette_to_the_same_sound(tmp_path: Path) -> None:
    first = recorded(tmp_path)
    second = again(tmp_path, first.cassette)
    assert failures(second) == []
    assert second.mismatches == ()
    assert gist(second) == gist(first)
    assert second.heard == first.heard
    assert second.said == first.said


def test_a_replay_from_a_cassette_records_the_same_frames_and_repeats_to_the_byte(tmp_path: Path) -> None:
    first = again(tmp_path, recorded(tmp_path).cassette)
    second = again(tmp_path, recorded(tmp_path).cassette)
    assert (second.journal, second.heard, second.cassette) == (first.journal, first.heard, first.cassette)
    third = again(tmp_path, first.cassette)
    assert third.heard == first.heard
    assert third.mismatches == ()


def test_a_changed_prompt_is_told_line_by_line(tmp_path: Path) -> None:
    first = recorded(tmp_path)
    changed = AGENTS.replace("You are billing.", "You are billing. Never offer discounts.")
    second = again(tmp_path, first.cassette, agents=changed)
    wanted = 'instructions was "You are billing.", is "You are billing. Never offer discounts."'
    assert any(one.startswith("session.update #2: ") and wanted in one for one in second.mismatches)
    assert any(wanted in one and "does not ask what the cassette answers" in one for one in failures(second))
    assert gist(second) == gist(first), "a run tells all: it goes on after a mismatch"


def test_a_changed_tool_schema_is_told_by_its_path(tmp_path: Path) -> None:
    first = recorded(tmp_path)
    changed = AGENTS.replace("def look_up(order: str)", "def look_up(order: str, urgent: bool)")
    changed = changed.replace("Look an order up.", "Find an order.")
    (first_told, *_) = again(tmp_path, first.cassette, agents=changed).mismatches
    assert first_told.startswith("session.update #1: ")
    assert 'tools.look_up.description was "Look an order up.", is "Find an order."' in first_told
    assert "tools.look_up.parameters.properties.urgent added" in first_told


def test_a_changed_tool_result_is_told(tmp_path: Path) -> None:
    first = recorded(tmp_path)
    changed = AGENTS.replace("is on its way", "is lost")
    (told,) = again(tmp_path, first.cassette, agents=changed).mismatches
    assert "output of " in told
    assert 'output was "A7 is on its way", is "A7 is lost"' in told


def test_a_request_that_never_comes_and_one_too_many_are_told(tmp_path: Path) -> None:
    first = recorded(tmp_path)
    shorter = replace(WHOLE, turns=WHOLE.turns[:2])
    longer = replace(WHOLE, turns=(*WHOLE.turns, replace(WHOLE.turns[3], id="more", typed="and another")))
    two = again(tmp_path, first.cassette, story=longer)
    assert any("not in the recording here: got" in one and "and another" in one for one in two.mismatches)
    one = again(tmp_path, first.cassette, story=shorter)
    assert one.reason
    assert gist(one) != gist(first)


@pytest.mark.parametrize(
    ("upstream", "message"),
    [
        ("cassette:gone.jsonl", 'no cassette "gone.jsonl"'),
        ("cassette:../../gone.jsonl", "no cassette"),
        ("cassette:", 'no cassette ""'),
        ("engin", "did you mean `engine`?"),
        ("http://example.org", 'write "engine", "cassette:FILE.jsonl"'),
    ],
)
def test_an_upstream_that_is_none_is_refused_with_its_line(
    tmp_path: Path, upstream: str, message: str
) -> None:
    home = tmp_path / "desks" / "stories"
    home.mkdir(parents=True)
    (tmp_path / "gone.jsonl").write_text("outside")
    file = home / "one.toml"
    file.write_text(f'scenario = "desks"\nupstream = "{upstream}"\n[[turn]]\ntype = "hello"\n')
    with pytest.raises(Exception, match=r"one\.toml:2: .*" + message.replace("?", r"\?")):
        load_story(file)
