"""Words that did not pass a guardrail, and silences while tools run: measured in what the caller heard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replay_rig import failures, logged, played_through, story, tone, turn
from rtbridge.core import pcm
from rtbridge.replay.checks import judge
from rtbridge.replay.dead_air import longest_gap
from rtbridge.replay.evidence import look
from rtbridge.replay.flagged import flagged
from rtbridge.replay.result import Logged, RunResult
from rtbridge.replay.story import Anchor, CallExpect, GuardrailExpect, ToolExpect

NICE, RUDE = "Your order is on its way. ", "You are a fool."
ASKED = turn("ask", after=Anchor.CALL_START, delay_ms=0)


def speech(ms: int, *, low: int = 200) -> bytes:
    """Return a sound that is nowhere like itself."""
    return b"".join(tone(20, hz=low + 7 * n) for n in range(ms // 20))


MADE = speech(3000)  # of which the last second is RUDE
PIECES = ((0, NICE), (pcm.samples_of_ms(2000), " " + RUDE))


def said(
    heard_ms: int, *, expect: GuardrailExpect, pieces: tuple[tuple[int, str], ...] = PIECES
) -> RunResult:
    """Return a call in which `heard_ms` of an item were heard that did not pass for its second sentence."""
    journal = [
        logged(900, "item.begun", item_id="item_1", agent="greeter"),
        verdict(1100, "fail", category="OFFENSIVE", text=RUDE.strip()),
        logged(
            1000 + heard_ms,
            "item.heard",
            item_id="item_1",
            heard_ms=heard_ms,
            total_ms=3000,
            heard_text="",
            unheard_text="",
        ),
    ]
    told = story(ASKED, expect=CallExpect(guardrail=expect))
    result = played_through(
        told, [(1000, 1000 + heard_ms)], journal, made={"item_1": MADE}, pieces={"item_1": pieces}
    )
    track = bytearray(len(result.heard))
    at, length = pcm.samples_of_ms(1000) * 2, pcm.samples_of_ms(heard_ms) * 2
    track[at : at + length] = MADE[:length]
    return replace(result, heard=bytes(track))


def verdict(at_ms: int, state: str, *, category: str, text: str, who: str = "agent") -> Logged:
    return logged(
        at_ms, "guardrail.judged", item_id="item_1", state=state, category=category, text=text, who=who
    )


SILENT = GuardrailExpect("OFFENSIVE", 0)


@pytest.mark.parametrize(("heard_ms", "audible_ms"), [(1000, 0), (2000, 0), (2200, 200), (3000, 1000)])
def test_what_was_audible_of_the_flagged_words_is_measured_in_the_recording(
    heard_ms: int, audible_ms: int
) -> None:
    result = said(heard_ms, expect=SILENT)
    (one,) = flagged(result)
    assert one.audible_ms == audible_ms
    assert failures(result) == (
        [f'expected at most 0 ms of "{RUDE}" to be audible, heard {audible_ms} ms of it']
        if audible_ms
        else []
    )


def test_words_that_are_not_in_the_transcript_are_looked_for_in_all_of_the_item() -> None:
    (one,) = flagged(said(1000, expect=SILENT, pieces=((0, "something else"),)))
    assert one.audible_ms == 1000


def test_without_word_times_words_lie_in_proportion_to_their_length() -> None:
    whole = ((0, "a" * 19 + " " + RUDE[:7] + "bad"),)
    result = said(3000, expect=SILENT, pieces=whole)
    result = replace(result, journal=(verdict(1, "fail", category="OFFENSIVE", text=RUDE[:7] + "bad"),))
    (one,) = flagged(result)
    assert one.audible_ms == pytest.approx(1000, abs=20)


def test_a_guardrail_that_did_not_trip_names_those_that_did() -> None:
    result = said(1000, expect=GuardrailExpect("VIOLENCE"))
    assert failures(result) == [
        f'expected a guardrail to trip over VIOLENCE, seen OFFENSIVE over "{RUDE}" at 1.10 s'
    ]
    passed = replace(result, journal=(verdict(1, "pass", category="NONE", text=NICE),))
    caller = replace(result, journal=(verdict(1, "fail", category="VIOLENCE", text="x", who="caller"),))
    for other in (passed, caller):
        assert failures(other) == ["expected a guardrail to trip over VIOLENCE, seen none that tripped"]


def test_a_road_that_cannot_tell_what_was_audible_says_so() -> None:
    result = replace(said(3000, expect=SILENT), made={})
    judged = judge(result, look(result))
    assert [str(failure) for failure in judged.failures] == []
    assert judged.notes == ("audible_ms: what was heard of an item is only measured on the virtual road",)


# -- dead air ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sounds", "longest"),
    [
        ([], 1000),
        ([(0, 3000)], 0),
        ([(900, 1100), (1900, 2500)], 800),
        ([(1200, 1300), (1250, 1700)], 300),
        ([(1400, 1500)], 500),
        ([(100, 900), (2000, 2100)], 1000),
    ],
)
def test_the_longest_silence_is_found_between_sounds_and_at_both_ends(
    sounds: list[tuple[float, float]], longest: float
) -> None:
    assert longest_gap(sounds, 1000, 2000) == longest


def lookup(start_ms: int, end_ms: int | None, call_id: str = "c1") -> list[Logged]:
    facts = {"call_id": call_id, "name": "lookup", "arguments": "{}"}
    ended = [] if end_ms is None else [logged(end_ms, "tool.ended", **facts, output="", took_ms=0)]
    return [logged(start_ms, "tool.started", **facts), *ended]


def dead_air(journal: list[Logged], spans: list[tuple[int, int]], most_ms: int = 1500) -> list[str]:
    tools = (ToolExpect("lookup", {}, most_ms),)
    return failures(played_through(story(ASKED, expect=CallExpect(tools=tools)), spans, journal))


def test_dead_air_is_what_the_caller_hears_while_a_tool_runs() -> None:
    journal = lookup(1000, 4000)
    assert dead_air(journal, [(2200, 3000), (4200, 5000)]) == []
    assert dead_air(journal, [(2600, 3000), (4200, 5000)]) == [
        "expected at most 1500 ms of silence while lookup ran, heard nothing for 1600 ms of the call at 1.00 s"
    ]


def test_a_caller_who_talks_on_is_no_dead_air() -> None:
    assert dead_air(lookup(0, 2000), [(2200, 3000)], most_ms=1600) == []
    assert dead_air(lookup(0, 2000), [(2200, 3000)], most_ms=1500) != []


def test_a_tool_that_never_ended_ran_to_the_end_of_the_call() -> None:
    (failure,) = dead_air(lookup(1000, None), [(1100, 1500)])
    assert "heard nothing for" in failure


def test_each_call_is_held_to_its_own_silence() -> None:
    journal = [*lookup(500, 2500, "c1"), *lookup(3000, 3200, "c2")]
    tools = (ToolExpect("lookup", {}), ToolExpect("lookup", {}, 300))
    told = story(ASKED, expect=CallExpect(tools=tools))
    assert failures(played_through(told, [(4000, 4500)], journal)) == []
