"""A story answers for a tool call that waits: read, sent over the data channel, and carried through a whole call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from replay_rig import Agent, failures, run, starts_ms, story
from rtbridge.errors import StoryError
from rtbridge.replay import story as tale
from rtbridge.replay.read_story import load_story
from rtbridge.replay.run import play
from rtbridge.replay.script import Script
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import Anchor, Budget, CallExpect, Start, ToolExpect, TurnExpect
from rtbridge.settings import Settings
from scripted_engine import scripted, speech
from session_rig import scenario_in
from till_rig import AGENTS, answer, cashier


@pytest.mark.parametrize(("approve", "heard"), [(True, "It is done"), (False, "It was not done")])
def test_a_story_approves_or_rejects_and_hears_what_came_of_it(
    tmp_path: Path, approve: bool, heard: str
) -> None:
    asks = tale.Turn("ask", 1, Sound("yes", speech("yes please")), None, False, Start(), TurnExpect())
    told = story(
        asks,
        answer(approve, heard=heard),
        expect=CallExpect(tools=(ToolExpect("refund", {}),)),
        budget=Budget(protocol_errors=0, leaked_tasks=0),
    )
    scenario = scenario_in(tmp_path, AGENTS)
    result = play(told, scenario=scenario, parts=scripted(cashier), settings=Settings())
    assert failures(result) == []
    outcome = "tool.approved" if approve else "tool.rejected"
    (entry,) = [one for one in result.journal if one.event == outcome]
    assert entry.fields["by"] == "page"


def test_an_answer_is_for_the_call_that_waits_longest_and_for_each_once() -> None:
    script = Script(story(answer(True), answer(False)))
    for call_id in ("c1", "c2", "c3"):
        asked = {"type": "rtbridge.tool.approval_requested", "call_id": call_id}
        script.message(json.dumps(asked))
    script.message(json.dumps({"type": "rtbridge.tool.approval_expired", "call_id": "c1"}))
    run(script, Agent([(100, 200)]), ms=2000)
    assert [json.loads(text) for text in script.outbox] == [
        {"type": "rtbridge.tool.approve", "call_id": "c2"},
        {"type": "rtbridge.tool.reject", "call_id": "c3"},
    ]
    assert starts_ms(script)[0] == 300
    assert [played.turn.label for played in script.played] == ["approve", "reject"]


def test_an_approval_that_is_never_asked_for_is_waited_for_in_vain() -> None:
    script = Script(story(answer(True)))
    run(script, Agent([(100, 200)]))
    assert script.stuck is not None
    assert "waited for approval" in script.stuck


def test_an_answer_is_read_with_its_own_anchor_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "story.toml"
    file.write_text('scenario = "s"\n[[turn]]\napprove = false\n')
    (read,) = load_story(file).turns
    assert (read.approve, read.start) == (False, Start(Anchor.APPROVAL))
    for wrong, words in (
        ('approve = "yes"', "`approve` takes"),
        ('approve = true\nstart = { after = "turn_end" }', "comes after `approval`"),
        ('approve = true\ntype = "x"', "has `type` and `approve` to do"),
    ):
        file.write_text(f'scenario = "s"\n[[turn]]\ntype = "a"\n[[turn]]\n{wrong}\n')
        with pytest.raises(StoryError, match=words):
            load_story(file)
