"""The same story over real WebRTC in real time: same anchors, same checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from live_rig import live
from replay_rig import story
from rtbridge.core import pcm
from rtbridge.errors import ReplayError
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.story import Anchor, Budget, Start, Story, Turn, TurnExpect
from rtbridge.replay.wire import MAX_BACKLOG, Ears, play_on_wire
from rtbridge.replay.witnesses import witnessed

pytestmark = pytest.mark.wire


def told(scenario: str = "desks") -> Story:
    asked = Turn(
        "typed",
        1,
        None,
        "good day to you",
        False,
        Start(Anchor.AGENT_SPEECH_END, 0),
        TurnExpect(respond_within_ms=1500, heard="good day to you", agent="front"),
    )
    one = story(asked, budget=Budget(protocol_errors=0, underruns=0))
    return Story(one.file, one.name, scenario, None, one.turns, one.expect, one.budget)


async def test_a_story_is_played_in_real_time_and_checked_on_what_was_decoded(tmp_path: Path) -> None:
    async with live(tmp_path) as bridge:
        result = await play_on_wire(told(), url=f"http://127.0.0.1:{bridge.port}")
        seen = look(result)
        verdict = witnessed(judge(result, seen), result, seen)
        assert [str(failure) for failure in verdict.failures] == []
        assert verdict.notes == ("underruns: not told over the wire",)
        assert result.reason == "the caller hung up"
        assert result.stuck is None
        assert len(result.said) == len(result.heard)
        (turn,) = seen.turns
        assert turn.respond_ms is not None
        assert 0 < turn.respond_ms < 1500
        await bridge.settled()
        assert bridge.board.live == 0


async def test_a_bridge_that_refuses_the_call_says_why(tmp_path: Path) -> None:
    async with live(tmp_path) as bridge:
        with pytest.raises(ReplayError, match=r"the bridge refused the call: 404 .*nowhere"):
            await play_on_wire(told("nowhere"), url=f"http://127.0.0.1:{bridge.port}")


async def test_no_bridge_at_all_is_told_with_its_address() -> None:
    with pytest.raises(ReplayError, match=r"http://127\.0\.0\.1:9: the call could not be carried out"):
        await play_on_wire(told(), url="http://127.0.0.1:9")


def test_what_has_not_come_is_heard_as_silence_and_what_waits_too_long_is_lost() -> None:
    ears = Ears()
    assert ears.frame() == pcm.SILENT_FRAME
    ears.hear(b"\1\0" * 480 + b"\2\0" * 10)
    assert ears.frame() == b"\1\0" * 480
    assert ears.frame() == b"\2\0" * 10 + bytes(2 * 470)
    ears.hear(b"\1\0" * 480)
    ears.hear(b"\3\0" * MAX_BACKLOG)
    assert ears.frame() == b"\3\0" * 480
