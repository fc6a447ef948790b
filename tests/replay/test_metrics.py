"""Figures of a call: under both spellings, from what was heard, and none where there is nothing to count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replay_rig import failures, item_heard, logged, played_through, quiet, story, tone, turn
from rtbridge.core import pcm
from rtbridge.replay.evidence import look
from rtbridge.replay.failure import Verdict
from rtbridge.replay.metrics import metrics
from rtbridge.replay.report import Report, turns
from rtbridge.replay.result import RunResult
from rtbridge.replay.story import Anchor, NoiseKind, Start, Turn, TurnExpect
from rtbridge.replay.words import word_errors


def noise(name: str, kind: NoiseKind | None, at_ms: int, ms: int = 200) -> Turn:
    made = turn(name, ms=ms, is_noise=True, expect=TurnExpect(ignore=True))
    return replace(made, kind=kind, start=Start(Anchor.CALL_START, at_ms))


def asked(at_ms: int, ms: int = 500, words: str | None = None) -> Turn:
    return replace(turn("ask", ms=ms), words=words, start=Start(Anchor.CALL_START, at_ms))


def heard_as(result: RunResult, *pieces: tuple[int, bytes]) -> RunResult:
    """Return the call with these sounds heard at these ms, and nothing else."""
    track = bytearray(len(result.heard))
    for at_ms, sound in pieces:
        at = pcm.samples_of_ms(at_ms) * pcm.SAMPLE_BYTES
        track[at : at + len(sound)] = sound
    return replace(result, heard=bytes(track))


def test_a_call_with_nothing_to_count_has_no_figures() -> None:
    figures = metrics(look(played_through(story(turn("typed", typed="hi", after=Anchor.CALL_START)), [])))
    nothing = (
        "ignore_rate",
        "response_p50_ms",
        "stop_rate",
        "talk_over_ms",
        "wer",
        "I_A",
        "S_BC",
        "S_VT",
        "S_ND",
    )
    assert {key: figures[key] for key in nothing} == dict.fromkeys(nothing)
    assert (figures["respond_rate"], figures["false_barge_ins"]) == (0.0, 0)


def test_both_spellings_tell_the_same() -> None:
    cut = turn("cut", after=Anchor.AGENT_SPEECH_START, delay_ms=1000)
    journal = [logged(1700, "barge_in.confirmed", item_id="item_1", heard_ms=1200)]
    figures = metrics(look(played_through(story(cut), [(500, 1700), (2500, 3000)], journal)))
    for one, other in (
        ("respond_rate", "R_R"),
        ("stop_rate", "R_Y"),
        ("response_p50_ms", "L_R"),
        ("barge_in_stop_p50_ms", "L_Y"),
        ("response_p90_ms", "respond_p90_ms"),
    ):
        assert figures[one] is not None
        assert figures[one] == figures[other]
    assert figures["talk_over_ms"] == 200.0
    assert figures["false_barge_ins"] == 0


def test_an_agent_who_begins_while_the_caller_speaks_has_cut_in() -> None:
    figures = metrics(look(played_through(story(asked(1000, 1000)), [(1400, 2600)])))
    assert (figures["I_A"], figures["talk_over_ms"]) == (1.0, 600.0)


def test_noises_are_counted_by_what_they_are() -> None:
    told = story(
        noise("cough", NoiseKind.COUGH, 1000),
        noise("laugh", NoiseKind.LAUGH, 2000),
        noise("mhm", NoiseKind.BACKCHANNEL, 3000),
        noise("to the dog", NoiseKind.NON_DIRECTED, 4000),
        noise("keys", NoiseKind.TYPING, 5000),
        noise("something", None, 6000),
    )
    journal = [
        logged(2300, "barge_in.confirmed", item_id="item_1", heard_ms=1800),
        logged(4900, "turn.changed", from_="caller_speaking", to="thinking", cause="speech_stopped"),
    ]
    figures = metrics(look(played_through(told, [(500, 8000)], journal)))
    assert (figures["S_VT"], figures["S_BC"], figures["S_ND"]) == (0.5, 1.0, 0.0)
    assert figures["ignore_rate"] == pytest.approx(4 / 6, abs=1e-4)
    assert figures["false_barge_ins"] == 1


def speech(ms: int) -> bytes:
    """Return a sound that is nowhere like itself."""
    return bytes(pcm.silence(0)) + b"".join(tone(20, hz=200 + 7 * n) for n in range(ms // 20))


MADE = speech(3000)


def over_speech(*pieces: tuple[int, bytes], heard_ms: int = 3000) -> RunResult:
    """Return a call in which a cough comes at 1,000 ms over an item that began at 500 ms."""
    cough = noise("cough", NoiseKind.COUGH, 1000)
    end_ms = pieces[-1][0] + pcm.ms_of_samples(pcm.samples_of(pieces[-1][1]))
    entry = item_heard(end_ms - heard_ms, heard_ms, "words", total_ms=3000)
    return heard_as(played_through(story(cough), [(500, 3500)], [entry], made={"item_1": MADE}), *pieces)


def cut(ms: int) -> int:
    return pcm.samples_of_ms(ms) * pcm.SAMPLE_BYTES


@pytest.mark.parametrize(
    ("pieces", "paused_ms", "lost_ms", "complaint"),
    [
        (((500, MADE),), 0.0, 0.0, None),
        (((500, MADE[: cut(700)]), (1560, MADE[cut(700) :])), 360.0, 0.0, None),
        (
            ((500, MADE[: cut(700)]), (1700, MADE[cut(700) :])),
            500.0,
            0.0,
            "the agent paused for 500 ms, 400 ms are the most",
        ),
        (
            ((500, MADE[: cut(700)]), (1500, MADE[cut(720) :])),
            300.0,
            20.0,
            "20 ms of the agent's words were lost",
        ),
        (((500, MADE[: cut(700)]),), None, 2300.0, "the agent did not go on"),
    ],
    ids=["nothing", "a pause", "a long pause", "a loss", "the end"],
)
def test_what_a_cough_did_is_measured_to_the_sample(
    pieces: tuple[tuple[int, bytes], ...], paused_ms: float | None, lost_ms: float, complaint: str | None
) -> None:
    result = over_speech(*pieces)
    (seen,) = look(result).turns
    assert seen.noise is not None
    assert (seen.noise.paused_ms, seen.noise.lost_ms) == (paused_ms, lost_ms)
    told = [] if complaint is None else [f'turn "cough": expected "cough" to be ignored; {complaint}']
    assert failures(result) == told
    written = turns(Report(result, look(result), Verdict((), ())))["turns"][0]
    assert (written["kind"], written["ignored"], written["paused_ms"]) == ("cough", not told, paused_ms)


def test_silence_of_the_agents_own_is_no_pause() -> None:
    made = speech(800) + quiet(1000) + speech(800)
    cough = noise("cough", NoiseKind.COUGH, 1500)
    entry = item_heard(500, 2600, "words")
    result = heard_as(
        played_through(story(cough), [(500, 1300)], [entry], made={"item_1": made}), (500, made)
    )
    (seen,) = look(result).turns
    assert seen.noise is not None
    assert (seen.noise.paused_ms, seen.ignored) == (0.0, True)


def test_a_noise_that_becomes_a_turn_is_not_ignored() -> None:
    cough = noise("cough", NoiseKind.COUGH, 1000)
    changed = logged(1700, "turn.changed", from_="listening", to="thinking", cause="speech_stopped")
    result = played_through(story(cough), [(3000, 3500)], [changed])
    assert failures(result) == [
        'turn "cough": expected "cough" to be ignored; it was taken for a turn of the caller'
    ]


@pytest.mark.parametrize(
    ("said", "understood", "wrong"),
    [
        ("Why was my last bill so high?", "why was my last bill so high", 0),
        ("It's me.", "its me", 0),
        ("one two three", "one three", 1),
        ("one two three", "one two two three", 1),
        ("one two three", "one too three", 1),
        ("one two three", "", 3),
        ("yes", "oh yes I do", 3),
    ],
)
def test_word_errors_are_the_least_number_of_changes(said: str, understood: str, wrong: int) -> None:
    errors = word_errors(said, understood)
    assert (errors.wrong, errors.said) == (wrong, len(said.split()))


def test_wer_is_over_the_words_of_all_turns_whose_words_are_known() -> None:
    told = story(asked(500, words="one two three four"), replace(asked(6000, words="five"), id="again"))
    journal = [
        logged(1500, "caller.said", item_id="i1", text="One, two, tree, four."),
        logged(7000, "caller.said", item_id="i2", text="five"),
    ]
    result = played_through(told, [(1800, 2500), (7500, 8000)], journal)
    assert metrics(look(result))["wer"] == 0.2
    first, second = turns(Report(result, look(result), Verdict((), ())))["turns"]
    assert (first["wer"], first["understood"], second["wer"]) == (0.25, "One, two, tree, four.", 0.0)


def test_a_pause_is_part_of_an_items_time_in_the_journal() -> None:
    journal = [
        logged(1560, "barge_in.dismissed", reason="noise", paused_ms=360),
        logged(
            3860,
            "item.heard",
            item_id="item_1",
            heard_ms=3000,
            total_ms=3000,
            heard_text="words",
            unheard_text="",
        ),
    ]
    cough = noise("cough", NoiseKind.COUGH, 1000)
    (item,) = look(played_through(story(cough), [(500, 3860)], journal)).items
    assert (item.start_ms, item.end_ms) == (500, 3860)
    journal[0] = logged(3860, "barge_in.confirmed", item_id="item_1", heard_ms=3000, paused_ms=240)
    (item,) = look(played_through(story(cough), [(500, 3860)], journal)).items
    assert (item.start_ms, item.end_ms) == (620, 3620)
