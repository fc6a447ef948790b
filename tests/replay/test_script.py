"""When the caller of a story speaks, and when it gives up: anchors are in what was heard."""

from __future__ import annotations

import json

import numpy as np

from replay_rig import Agent, quiet, run, starts_ms, story, tone, turn
from rtbridge.core import pcm
from rtbridge.replay.hearing import bursts_of
from rtbridge.replay.script import PATIENCE_MS, QUIET_MS, TAIL_MS, Script
from rtbridge.replay.story import Anchor


def test_a_turn_starts_its_delay_after_the_agents_first_audible_sample() -> None:
    script = Script(story(turn("cut", after=Anchor.AGENT_SPEECH_START, delay_ms=1200)))
    run(script, Agent([(505, 4000)]))
    assert starts_ms(script) == [1720]  # the first whole frame after 505 + 1200


def test_the_end_of_speech_is_its_last_sample_and_is_believed_after_1200_ms_of_silence() -> None:
    for delay_ms, expected in ((300, 2000 + QUIET_MS), (QUIET_MS, 2000 + QUIET_MS), (1500, 3500)):
        script = Script(story(turn("answer", delay_ms=delay_ms)))
        run(script, Agent([(500, 1200), (1600, 2000)]))
        assert starts_ms(script) == [expected]


def test_what_was_heard_before_the_callers_turn_is_no_answer_to_it() -> None:
    one = turn("one", after=Anchor.CALL_START, delay_ms=1000, ms=400)
    two = turn("two", after=Anchor.AGENT_SPEECH_END, delay_ms=1500)
    script = Script(story(one, two))
    run(script, Agent([(500, 1250), (2600, 3000)]))  # the first is interrupted, the second is the answer
    assert starts_ms(script) == [1000, 4500]


def test_a_turn_after_a_turn_counts_from_the_end_of_its_speech() -> None:
    one = turn("one", after=Anchor.CALL_START, delay_ms=0, ms=400)
    two = turn("two", after=Anchor.TURN_END, delay_ms=600)
    script = Script(story(one, two))
    run(script, Agent([(3000, 3500)]))
    assert starts_ms(script) == [0, 1000]
    assert script.played[0].speech_end == pcm.samples_of_ms(400)


def test_a_handoff_is_anchored_at_the_first_word_of_the_new_agent() -> None:
    script = Script(story(turn("over", after=Anchor.HANDOFF, delay_ms=100)))
    agent = Agent([(0, 1000), (1500, 3000)])
    for n in range(300):
        if n == 55:
            script.message(json.dumps({"type": "rtbridge.agent.handed_off", "from": "a", "to": "b"}))
        script.tick(agent.frame(n))
    assert starts_ms(script) == [1600]


def test_a_typed_turn_goes_out_as_an_item_and_a_request_for_an_answer() -> None:
    script = Script(story(turn("typed", after=Anchor.CALL_START, delay_ms=500, typed="snow")))
    run(script, Agent([(900, 1500)]))
    create, ask = (json.loads(text) for text in script.outbox)
    assert create["item"] == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "snow"}],
    }
    assert ask == {"type": "response.create"}
    assert bursts_of(bytes(script.said)) == ()
    assert script.played[0].speech_end == script.played[0].start == pcm.samples_of_ms(500)


def test_a_switch_is_one_moment_and_asks_for_the_agent_on_the_data_channel() -> None:
    script = Script(story(turn("pick", switch="poet", delay_ms=300), turn("next", after=Anchor.HANDOFF)))
    run(script, Agent([(100, 200), (2500, 3000)]), ms=2300)
    (event,) = [json.loads(text) for text in script.outbox]
    assert event == {"type": "rtbridge.agent.switch", "agent": "poet"}
    assert script.played[0].speech_end == script.played[0].start
    assert bursts_of(bytes(script.said)) == ()
    script.message('{"type": "rtbridge.agent.handed_off", "from": "greeter", "to": "poet", "took_ms": 9}')
    run(script, Agent([(200, 700)]), ms=2000)
    assert [played.turn.label for played in script.played] == ["switch to poet", "next"]


def test_a_noise_is_no_turn_that_could_be_answered() -> None:
    noise = turn("cough", after=Anchor.AGENT_SPEECH_START, delay_ms=500, ms=200, is_noise=True)
    after = turn("after", after=Anchor.AGENT_SPEECH_END, delay_ms=1500)
    script = Script(story(noise, after))
    run(script, Agent([(100, 3000), (6000, 6500)]))
    assert starts_ms(script) == [600, 4500]


def test_the_caller_hangs_up_after_the_last_answer_and_a_quiet_tail() -> None:
    script = Script(story(turn("bye", after=Anchor.CALL_START, delay_ms=0, ms=400)))
    run(script, Agent([(1000, 1500), (2500, 3000)]))
    assert script.is_over
    assert (script.reason, script.stuck) == ("the caller hung up", None)
    assert script.now_ms == 3000 + TAIL_MS + pcm.FRAME_MS
    assert len(script.heard) == len(script.said)


def test_a_last_turn_without_an_answer_ends_after_the_callers_patience() -> None:
    script = Script(story(turn("bye", after=Anchor.CALL_START, delay_ms=0, ms=400)))
    run(script, Agent([]))
    assert script.now_ms == 400 + PATIENCE_MS + pcm.FRAME_MS
    assert script.stuck is None


def test_an_anchor_that_never_comes_says_what_was_waited_for_and_what_was_heard() -> None:
    script = Script(story(turn("one"), turn("two")))
    run(script, Agent([(500, 1000)]))
    assert script.is_over
    assert script.reason == "the caller gave up"
    assert script.stuck == (
        'waited for agent_speech_end of turn "two" (line 1) until 22600 ms; heard nothing since 2600 ms'
    )
    assert len(script.played) == 1


def test_what_was_heard_in_vain_is_named_by_its_times() -> None:
    script = Script(story(turn("over", after=Anchor.HANDOFF)))
    run(script, Agent([(500, 1000), (1500, 1750)]))
    assert script.stuck is not None
    assert script.stuck.endswith("heard sound at 500-1000 ms, 1500-1750 ms") or script.stuck.endswith(
        "heard sound at 500-999 ms, 1500-1749 ms"
    )


def test_a_call_that_the_bridge_ends_says_which_turn_was_left() -> None:
    script = Script(story(turn("one"), turn("two")))
    run(script, Agent([(500, 1000)]), ms=5000)
    script.ended_by_peer("upstream lost")
    assert script.stuck == 'the call was ended (upstream lost) before turn "two" was over'
    script.ended_by_peer("again")
    assert script.reason == "upstream lost"


def test_a_quiet_caller_gives_a_noise_floor_that_is_the_same_every_time() -> None:
    first, second = (Script(story(turn("never"))) for _ in range(2))
    for script in (first, second):
        run(script, Agent([]), ms=3000)
    said = np.frombuffer(bytes(first.said), dtype="<i2")
    assert first.said == second.said
    assert said.any()
    assert int(np.abs(said).max()) <= 2


def test_the_callers_recording_holds_the_sound_at_its_place() -> None:
    script = Script(story(turn("one", after=Anchor.CALL_START, delay_ms=210, ms=330)))
    run(script, Agent([(2000, 2500)]))
    (burst,) = bursts_of(bytes(script.said))
    assert burst.start == pcm.samples_of_ms(220)
    assert abs(burst.end - pcm.samples_of_ms(550)) <= 1
    assert script.played[0].end == pcm.samples_of_ms(550)


def test_a_sound_with_silence_around_it_is_timed_by_what_is_audible() -> None:
    one = turn("one", after=Anchor.CALL_START, delay_ms=0)
    assert one.sound is not None
    padded = type(one.sound)("padded", quiet(100) + tone(300) + quiet(900))
    script = Script(story(type(one)("one", 1, padded, None, False, one.start, one.expect)))
    run(script, Agent([(700, 1200)]))  # it answers while the file's silence still plays
    (played,) = script.played
    assert (played.speech_start, played.end) == (pcm.samples_of_ms(100), pcm.samples_of_ms(1300))
    assert abs(played.speech_end - pcm.samples_of_ms(400)) <= 1
    assert script.reason == "the caller hung up"
    assert script.now_ms == 1300 + TAIL_MS + pcm.FRAME_MS  # the tail begins where the file ends
