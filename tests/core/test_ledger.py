"""Which words were heard: cut between words, never above the audio."""

from __future__ import annotations

import numpy as np

from rtbridge.core import pcm
from rtbridge.core.ledger import Ledger, Words

WINDOW = 240


def tone(ms: int) -> bytes:
    """Return a sound that is equally loud all the time."""
    return np.full(pcm.samples_of_ms(ms), 3_000, "<i2").tobytes()


def timed(*words: tuple[str, int]) -> Ledger:
    ledger = Ledger(word_times=True)
    for text, samples in words:
        ledger.add_text("a", text)
        ledger.add_audio("a", pcm.silence(samples))
    return ledger


def test_with_word_times_a_word_is_heard_when_the_next_has_begun() -> None:
    ledger = timed(("one", 100), (" two", 100), (" three", 100))
    assert ledger.words("a", 99) == Words("", "one two three")
    assert ledger.words("a", 100) == Words("one", " two three")
    assert ledger.words("a", 150) == Words("one", " two three")
    assert ledger.words("a", 299) == Words("one two", " three")
    assert ledger.words("a", 300) == Words("one two three", "")


def test_within_a_piece_of_several_words_they_lie_in_proportion_to_their_length() -> None:
    ledger = timed(("aaa bbb ", 80), ("ccc", 40))
    assert ledger.words("a", 40) == Words("aaa ", "bbb ccc")
    assert ledger.words("a", 79) == Words("aaa bbb ", "ccc")


def test_text_that_came_before_any_audio_is_unheard_until_its_audio_was() -> None:
    ledger = Ledger(word_times=True)
    ledger.add_text("a", "one")
    ledger.add_text("a", " two")
    ledger.add_audio("a", pcm.silence(100))
    assert ledger.words("a", 50) == Words("one", " two")


def test_where_nothing_sounds_words_lie_along_the_audio_in_proportion() -> None:
    ledger = Ledger(word_times=False)
    ledger.add_text("a", "aaaa bbbb")
    ledger.add_audio("a", pcm.silence(100 * WINDOW))
    assert ledger.words("a", 49 * WINDOW) == Words("", "aaaa bbbb")
    assert ledger.words("a", 50 * WINDOW) == Words("aaaa ", "bbbb")
    assert ledger.words("a", 99 * WINDOW) == Words("aaaa ", "bbbb")


def test_blanks_at_the_end_belong_to_the_last_word_and_those_before_the_first_to_none() -> None:
    ledger = Ledger(word_times=False)
    ledger.set_text("a", "  hi yo      ")
    ledger.add_audio("a", pcm.silence(10 * WINDOW))
    assert ledger.words("a", 1 * WINDOW) == Words("", "  hi yo      ")
    assert ledger.words("a", 5 * WINDOW) == Words("  hi ", "yo      ")
    assert ledger.words("a", 10 * WINDOW) == Words("  hi yo      ", "")


def test_a_transcript_that_differs_from_its_deltas_replaces_them() -> None:
    ledger = timed(("wun", 10 * WINDOW), (" too", 10 * WINDOW))
    ledger.set_text("a", "one two")
    assert ledger.text("a") == "one two"
    assert ledger.words("a", 10 * WINDOW) == Words("one ", "two")
    ledger.set_text("a", "one two")
    assert ledger.text("a") == "one two"


def test_of_text_that_runs_ahead_of_its_audio_no_more_is_heard_than_can_have_sounded() -> None:
    ledger = Ledger(word_times=False)
    ledger.add_text(
        "a", "There are so many more words here than one can say in a second of time, whoever speaks."
    )
    ledger.add_audio("a", tone(1_000))
    heard = ledger.words("a", 24_000).heard
    assert 2 <= len(heard.split()) <= 6, "all of the audio was heard, and not all of the text"
    ledger.set_text("a", ledger.text("a"))
    ledger.end_audio("a")
    assert ledger.words("a", 24_000).unheard == "", "until one knows that this is all of both"


def test_a_number_of_which_a_part_was_heard_was_not_heard() -> None:
    ledger = Ledger(word_times=False)
    ledger.set_text("a", "Call 206-135.")
    ledger.add_audio("a", tone(300) + pcm.silence(7_200) + tone(500) + pcm.silence(7_200) + tone(500))
    ledger.end_audio("a")
    assert ledger.words("a", pcm.samples_of_ms(1_500)) == Words("Call ", "206-135.")
    assert ledger.words("a", pcm.samples_of_ms(1_899)) == Words("Call ", "206-135.")
    assert ledger.words("a", pcm.samples_of_ms(1_900)) == Words("Call 206-135.", "")


def test_the_pace_of_what_was_said_whole_is_that_of_what_is_still_being_said() -> None:
    slow, quick = Ledger(word_times=False), Ledger(word_times=False)
    for ledger, ms in ((slow, 4_000), (quick, 1_000)):
        ledger.add_audio("a", tone(ms))
        ledger.end_audio("a")
        ledger.set_text("a", "one two three four five six")
        ledger.add_text("b", "one two three four five six one two three four five six")
        ledger.add_audio("b", tone(1_000))
    assert len(slow.words("b", 23_999).heard.split()) == 1
    assert len(quick.words("b", 23_999).heard.split()) == 6


def test_an_item_that_nobody_knows_has_no_words_and_costs_nothing() -> None:
    ledger = Ledger(word_times=True)
    assert ledger.text("nobody") == ""
    assert ledger.words("nobody", 5) == Words("", "")
    ledger.add_text("a", "one")
    ledger.forget("a")
    ledger.forget("a")
    assert ledger.text("a") == ""


def test_the_end_of_the_word_that_sounds_is_where_the_next_one_begins() -> None:
    timed = Ledger(word_times=True)
    for word in ("one ", "two ", "three"):
        timed.add_text("a", word)
        timed.add_audio("a", pcm.silence(100))
    assert [timed.word_end("a", samples) for samples in (1, 100, 101, 250)] == [100, 100, 200, 300]


def test_where_nothing_sounds_words_end_in_proportion_to_their_length() -> None:
    ledger = Ledger(word_times=False)
    ledger.add_text("a", "one two three")
    ledger.add_audio("a", pcm.silence(14 * WINDOW))
    spots = [4 * WINDOW, 8 * WINDOW, 14 * WINDOW, 14 * WINDOW]
    assert [ledger.word_end("a", n * WINDOW) for n in (1, 5, 9, 14)] == spots
    assert ledger.word_end("unknown", 5) == 0


def test_with_word_times_cleared_text_reaches_to_where_the_next_piece_begins() -> None:
    ledger = timed(("One", 100), (" two.", 100), (" Three", 100))
    assert [ledger.reach("a", chars) for chars in (0, 1, 3, 8, 9)] == [0, 0, 100, 200, 200]
    assert ledger.reach("a", 14) == 300  # all that there is, and what comes next is of it until text comes
    assert ledger.reach("unknown", 5) == 0


def test_audio_without_any_text_is_never_reached() -> None:
    ledger = Ledger(word_times=True)
    ledger.add_audio("a", pcm.silence(500))
    assert ledger.reach("a", 0) == 0
    ledger.set_text("a", "")
    assert ledger.reach("a", 0) == 0


def test_without_word_times_cleared_text_reaches_as_far_as_the_fastest_speech_until_it_is_whole() -> None:
    ledger = Ledger(word_times=False)
    ledger.add_text("a", "x" * 60)
    ledger.add_audio("a", pcm.silence(100_000))
    assert ledger.reach("a", 30) == 24_000
    assert ledger.reach("a", 60) == 48_000
    ledger.set_text("a", "x" * 60)
    assert ledger.reach("a", 30) == 24_000
    assert ledger.reach("a", 60) == 100_000
    short = Ledger(word_times=False)
    short.add_text("a", "x" * 60)
    short.add_audio("a", pcm.silence(100))
    assert short.reach("a", 30) == 100
