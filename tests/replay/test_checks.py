"""What a failed expectation says: the turn, what was expected, what was heard or seen, and when."""

from __future__ import annotations

from typing import Any

import pytest

from replay_rig import failures, item_heard, logged, played_through, quiet, story, tone, turn, turn_ended
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.metrics import metrics, percentile
from rtbridge.replay.script import Message
from rtbridge.replay.story import (
    Anchor,
    Budget,
    CallExpect,
    EffectExpect,
    Start,
    ToolExpect,
    TranscriptExpect,
    Turn,
    TurnExpect,
)

START = Anchor.CALL_START


def one(**expect: Any) -> Turn:
    """A turn from 0 to 400 ms."""
    return turn("ask", after=START, delay_ms=0, ms=400, expect=TurnExpect(**expect))


def answered(expect: TurnExpect, *, journal: Any = ()) -> list[str]:
    asked = turn("ask", after=START, delay_ms=0, ms=400, expect=expect)
    return failures(played_through(story(asked), [(1300, 2300)], journal))


HAIKU = (
    turn_ended(1300, agent="greeter", respond_ms=880),
    item_heard(1280, 420, "Lovely.", item="item_1"),
    logged(1500, "agent.handed_off", from_="greeter", to="haikuWriter", took_ms=0),
    logged(1500, "agent.said", item_id="item_2", agent="haikuWriter", text="What about?"),
    item_heard(1700, 600, "What about?", item="item_2"),
)


def test_a_late_answer_names_both_witnesses() -> None:
    assert answered(TurnExpect(respond_within_ms=900), journal=HAIKU) == []
    assert answered(TurnExpect(respond_within_ms=899), journal=HAIKU) == [
        'turn "ask": expected an answer within 899 ms of the end of "ask" at 0.40 s; the first sound came after '
        "900 ms, at 1.30 s; the journal says respond_ms 880 (endpoint_ms 860, playout_ms 20)"
    ]


def test_a_missing_answer_is_told_as_such() -> None:
    result = played_through(story(one(respond_within_ms=900)), [])
    assert failures(result) == [
        'turn "ask": expected an answer within 900 ms of the end of "ask" at 0.40 s; nothing was heard; '
        "the journal has no turn.ended for it"
    ]


def test_words_are_those_that_were_heard_of_the_whole_answer() -> None:
    assert answered(TurnExpect(heard="lovely.*WHAT", agent="haikuWriter"), journal=HAIKU) == []
    assert answered(TurnExpect(heard="ocean"), journal=HAIKU) == [
        'turn "ask": expected to hear /ocean/; heard "Lovely." from greeter at 1.28 s, '
        '"What about?" from haikuWriter at 1.70 s'
    ]
    assert answered(TurnExpect(heard="ocean")) == ['turn "ask": expected to hear /ocean/; heard no words']


def test_the_agent_of_an_answer_is_the_one_who_spoke_last() -> None:
    (failure,) = answered(TurnExpect(agent="greeter"), journal=HAIKU)
    assert failure.startswith('turn "ask": expected greeter to answer; heard "Lovely." from greeter')


def test_what_nobody_heard_does_not_count_as_said() -> None:
    cut = item_heard(1300, 500, "Waves lean", total_ms=900, unheard="on the shore")
    assert answered(TurnExpect(heard="shore"), journal=(cut,)) == [
        'turn "ask": expected to hear /shore/; heard "Waves lean" from greeter at 1.30 s'
    ]


# -- interruptions ----------------------------------------------------------------------------------------
def interrupted(
    *, agent_until_ms: int, told_ms: int | None, delay_ms: int = 1000, **expect: Any
) -> list[str]:
    """The agent speaks from 500 ms, the caller cuts in `delay_ms` later, the flush is at `agent_until_ms`."""
    cut = turn("cut", after=Anchor.AGENT_SPEECH_START, delay_ms=delay_ms, expect=TurnExpect(**expect))
    heard_ms = agent_until_ms - 500
    journal = [
        logged(agent_until_ms, "barge_in.confirmed", item_id="item_1", heard_ms=heard_ms),
        item_heard(500, heard_ms, "Waves", total_ms=5000, unheard="lean on the shore"),
    ]
    if told_ms is not None:
        journal.insert(1, logged(agent_until_ms, "item.truncated", item_id="item_1", heard_ms=told_ms))
    result = played_through(
        story(cut), [(500, agent_until_ms)], journal, made={"item_1": tone(5000) + quiet(10)}
    )
    return failures(result)


def test_an_interruption_that_goes_well_has_no_failures() -> None:
    assert (
        interrupted(
            agent_until_ms=1700,
            told_ms=1200,
            stop_within_ms=200,
            truncate_error_ms=1,
            unheard_in_context=False,
        )
        == []
    )


def test_an_agent_that_talks_on_is_told_with_its_time() -> None:
    assert interrupted(agent_until_ms=1900, told_ms=1400, stop_within_ms=300) == [
        'turn "cut": expected the agent to be silent within 300 ms; '
        'the agent was heard for another 400 ms after "cut" began at 1.50 s'
    ]


def test_a_wrong_truncation_is_found_in_the_recording() -> None:
    (failure,) = interrupted(agent_until_ms=1700, told_ms=3000, truncate_error_ms=20)
    assert failure.startswith(
        'turn "cut": expected item item_1 to be cut within 20 ms of what was heard; '
        "the upstream was told 3000 ms, and "
    )
    assert 1199 <= float(failure.split("and ")[-1].split(" ms")[0]) <= 1201


def test_what_stays_in_the_upstreams_context_is_quoted() -> None:
    assert interrupted(agent_until_ms=1700, told_ms=None, unheard_in_context=False) == [
        'turn "cut": expected nothing unheard to stay in the upstream\'s context; '
        'the upstream still has "lean on the shore" of item item_1'
    ]


def test_an_interruption_of_nobody_is_told() -> None:
    late = turn("cut", after=Anchor.AGENT_SPEECH_START, delay_ms=2000, expect=TurnExpect(stop_within_ms=300))
    assert failures(played_through(story(late), [(500, 1000)])) == [
        'turn "cut": expected to interrupt the agent; the agent was silent when "cut" began at 2.50 s'
    ]


def test_a_truncation_within_a_pause_of_the_item_is_true_anywhere_in_the_pause() -> None:
    made = tone(1000) + quiet(500) + tone(1000)
    cut = turn("cut", after=Anchor.AGENT_SPEECH_START, delay_ms=1100, expect=TurnExpect(truncate_error_ms=0))
    for told_ms, count in ((1000, 0), (1300, 0), (1500, 0), (1510, 1), (980, 1)):
        journal = [
            logged(1800, "barge_in.confirmed", item_id="item_1", heard_ms=1300),
            logged(1800, "item.truncated", item_id="item_1", heard_ms=told_ms),
            logged(
                1800,
                "item.heard",
                item_id="item_1",
                heard_ms=told_ms,
                total_ms=2500,
                heard_text="",
                unheard_text="",
            ),
        ]
        result = played_through(story(cut), [(500, 1500)], journal, made={"item_1": made})
        assert len(failures(result)) == count, told_ms


def test_over_the_wire_the_truncation_error_is_a_note_and_the_acknowledgement_is_the_witness() -> None:
    cut = turn(
        "cut",
        after=Anchor.AGENT_SPEECH_START,
        delay_ms=1000,
        expect=TurnExpect(truncate_error_ms=20, unheard_in_context=False),
    )
    journal = [
        logged(1700, "barge_in.confirmed", item_id="item_1", heard_ms=1200),
        item_heard(500, 1200, "Waves", total_ms=5000, unheard="lean"),
    ]
    truncated = {"type": "conversation.item.truncated", "item_id": "item_1", "audio_end_ms": 1200}
    told = [Message(1705, truncated)]
    result = played_through(story(cut), [(500, 1700)], journal, messages=told, road="wire")
    verdict = judge(result, look(result))
    assert verdict.passed
    assert verdict.notes == (
        "truncate_error_ms: what was heard of an item is only measured on the virtual road",
    )


# -- noises -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(500, 4000)], None),
        ([(500, 1100), (1450, 4000)], None),
        ([(500, 1100), (1700, 4000)], "the agent paused for 600 ms, 400 ms are the most"),
        ([(500, 1100)], "the agent did not go on"),
    ],
)
def test_a_noise_may_pause_the_agent_for_at_most_400_ms(
    spans: list[tuple[int, int]], message: str | None
) -> None:
    cough = turn(
        "cough",
        after=Anchor.AGENT_SPEECH_START,
        delay_ms=500,
        ms=200,
        is_noise=True,
        expect=TurnExpect(ignore=True),
    )
    expected = [] if message is None else [f'turn "cough": expected "cough" to be ignored; {message}']
    assert failures(played_through(story(cough), spans)) == expected


def test_a_noise_taken_for_speech_is_an_interruption() -> None:
    cough = turn(
        "cough",
        after=Anchor.AGENT_SPEECH_START,
        delay_ms=500,
        ms=200,
        is_noise=True,
        expect=TurnExpect(ignore=True),
    )
    journal = [logged(1150, "barge_in.confirmed", item_id="item_1", heard_ms=600)]
    assert failures(played_through(story(cough), [(500, 4000)], journal)) == [
        'turn "cough": expected "cough" to be ignored; the agent was interrupted by it'
    ]


def test_whose_words_an_item_holds_is_known_although_the_handoff_was_told_after_its_first_sound() -> None:
    """As over a bad network, where an event is sent again and a packet is not waited for."""
    journal = (
        turn_ended(1300, agent="greeter", respond_ms=880),
        item_heard(1280, 420, "Lovely.", item="item_1"),
        logged(1500, "item.begun", item_id="item_2", agent="haikuWriter"),
        logged(1900, "agent.handed_off", from_="greeter", to="haikuWriter", took_ms=0),
        item_heard(1700, 600, "What about?", item="item_2"),
    )
    assert answered(TurnExpect(agent="haikuWriter"), journal=journal) == []


# -- the whole call ---------------------------------------------------------------------------------------
def call(expect: CallExpect, *journal: Any, budget: Budget | None = None, **rest: Any) -> list[str]:
    return failures(
        played_through(story(one(), expect=expect, budget=budget), [(800, 1800)], journal, **rest)
    )


def test_the_handoffs_are_an_exact_path() -> None:
    over = logged(900, "agent.handed_off", from_="greeter", to="haikuWriter", took_ms=0)
    assert call(CallExpect(handoffs=("haikuWriter",)), over) == []
    assert call(CallExpect(handoffs=("haikuWriter", "greeter")), over) == [
        "expected the handoffs haikuWriter -> greeter, seen haikuWriter (haikuWriter at 0.90 s)"
    ]
    assert call(CallExpect(handoffs=("haikuWriter",))) == ["expected the handoffs haikuWriter, seen (none)"]
    assert call(CallExpect(handoffs=()), over) == [
        "expected the handoffs (none), seen haikuWriter (haikuWriter at 0.90 s)"
    ]


def test_tools_are_called_in_order_with_at_least_the_given_arguments() -> None:
    first = logged(
        900, "tool.started", call_id="c1", name="lookup", arguments='{"id": 7, "deep": {"a": 1, "b": 2}}'
    )
    second = logged(950, "tool.started", call_id="c2", name="book", arguments="not json")
    wanted = ToolExpect("lookup", {"deep": {"a": 1}})
    assert call(CallExpect(tools=(wanted, ToolExpect("book", {}))), first, logged(1, "x"), second)[:1] == [
        "expected the call book({}) in its place, seen lookup("
        '{"id": 7, "deep": {"a": 1, "b": 2}}) at 0.90 s; book(not json) at 0.95 s'
    ]
    assert call(CallExpect(tools=(wanted,)), first, second) == []
    assert call(CallExpect(tools=(ToolExpect("lookup", {"id": 8}),)), first) == [
        'expected the call lookup({"id": 8}) in its place, seen '
        'lookup({"id": 7, "deep": {"a": 1, "b": 2}}) at 0.90 s'
    ]
    assert call(CallExpect(tools=(ToolExpect("lookup", {}),))) == [
        "expected the call lookup({}) in its place, seen no tool"
    ]
    assert call(CallExpect(tools=()), second) == [
        "expected no tool to be called, seen book(not json) at 0.95 s"
    ]


def test_effects_are_counted_exactly_and_a_tool_that_is_not_named_has_none() -> None:
    first, again = logged(900, "effect.done", tool="refund"), logged(950, "effect.done", tool="refund")
    once = CallExpect(effects=(EffectExpect("refund", 1),))
    assert call(once, first) == []
    assert call(once, first, again) == ["expected 1 effects of refund, seen 2 (0.90 s, 0.95 s)"]
    assert call(once) == ["expected 1 effects of refund, seen 0 (never)"]
    assert call(CallExpect(effects=()), first) == ["expected 0 effects of refund, seen 1 (0.90 s)"]
    assert call(CallExpect(), first) == []


def test_the_transcript_is_what_was_heard_of_either_side() -> None:
    said = logged(700, "caller.said", item_id="i", text="Yes, please.", typed=False)
    heard = item_heard(800, 900, "As an AI I love haiku")
    like = CallExpect(
        transcript=(TranscriptExpect("caller", "yes", None), TranscriptExpect("agent", "HAIKU", None))
    )
    assert call(like, said, heard) == []
    wrong = CallExpect(
        transcript=(
            TranscriptExpect("caller", "no", None),
            TranscriptExpect("agent", None, "as an ai"),
            TranscriptExpect("agent", "ocean", None),
        )
    )
    assert call(wrong, said, heard) == [
        'expected /no/ from the caller, heard "Yes, please."',
        'expected never to hear /as an ai/, greeter said "As an AI I love haiku" at 0.80 s',
        'expected /ocean/ from the agent, heard "As an AI I love haiku"',
    ]
    assert call(CallExpect(transcript=(TranscriptExpect("agent", "x", None),))) == [
        "expected /x/ from the agent, heard nothing"
    ]


def test_over_the_wire_the_caller_is_understood_from_the_stock_events() -> None:
    understood = {
        "type": "conversation.item.input_audio_transcription.completed",
        "transcript": "Yes, please.",
    }
    expect = CallExpect(transcript=(TranscriptExpect("caller", "yes", None),))
    assert call(expect, messages=[Message(700, understood)], road="wire") == []


def test_budgets_are_kept_or_told() -> None:
    budget = Budget(bridge_added_p95_ms=10, underruns=0, protocol_errors=0, leaked_tasks=0)
    erred = [
        logged(900, "upstream.erred", code="bad", message="no such item", benign=False),
        logged(901, "upstream.erred", code="race", message="nothing to cancel", benign=True),
    ]
    refused = Message(950, {"type": "error", "error": {"message": "not allowed"}})
    found = call(
        CallExpect(), turn_ended(820), *erred, budget=budget, messages=[refused], underruns=2, leaked_tasks=1
    )
    assert found == [
        "expected at most 0 protocol errors, seen 2: upstream: bad: no such item at 0.90 s; "
        "caller: not allowed at 0.95 s",
        "expected at most 0 underruns, seen 2",
        "expected at most 0 leaked tasks, seen 1",
        "expected the bridge to add at most 10 ms (p95), it added 20 ms",
    ]
    assert call(CallExpect(), budget=Budget(bridge_added_p95_ms=10)) == [
        "expected latencies, the journal has no turn.ended"
    ]


def test_a_budget_that_the_road_cannot_tell_is_a_note() -> None:
    budget = Budget(underruns=0, leaked_tasks=0)
    result = played_through(story(one(), budget=budget), [(800, 1800)], road="wire")
    assert judge(result, look(result)).notes == (
        "underruns: not told over the wire",
        "leaked_tasks: not told over the wire",
    )


def test_a_story_that_was_not_played_to_its_end_names_the_turn_it_waited_at() -> None:
    (failure,) = failures(played_through(story(turn("one"), turn("two")), [(500, 1000)]))
    assert failure.startswith('turn "two": waited for agent_speech_end of turn "two"')


# -- figures ----------------------------------------------------------------------------------------------
def test_figures_go_by_both_spellings() -> None:
    cut = turn("cut", after=Anchor.AGENT_SPEECH_START, delay_ms=1000)
    journal = [
        logged(1700, "barge_in.confirmed", item_id="item_1", heard_ms=1200),
        item_heard(500, 1200, "Waves", total_ms=5000),
    ]
    seen = look(played_through(story(cut), [(500, 1700), (2500, 3000)], journal))
    figures = metrics(seen)
    assert figures["L_R"] == figures["respond_p50_ms"] == 600.0
    assert figures["L_Y"] == figures["stop_p50_ms"] == 200.0
    assert (figures["R_R"], figures["R_Y"]) == (1.0, 1.0)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert [percentile([3, 1, 2, 4], p) for p in (0, 25, 50, 90, 100)] == [1, 1, 2, 4, 4]


def test_an_answer_that_comes_before_the_turn_is_over_is_none() -> None:
    early = turn("ask", after=START, delay_ms=0, ms=1000, expect=TurnExpect(respond_within_ms=500))
    result = played_through(story(early), [(500, 1500), (2200, 2500)])
    (failure,) = failures(result)
    assert "the first sound came after 1200 ms" in failure


def test_start_defaults_are_what_the_reader_gives() -> None:
    assert Start() == Start(Anchor.AGENT_SPEECH_END, 300)
