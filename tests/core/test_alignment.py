"""Words laid along their sound by its pauses and by their length."""

from __future__ import annotations

import numpy as np

from rtbridge.core import pcm
from rtbridge.core.alignment import Word, lay, levels_of, pace_of, runs_of, weight

LOUD, QUIET = 3_000.0, 1.0


def levels(*spans: tuple[float, int]) -> list[float]:
    """Return levels: each span is a level and for how many windows."""
    return [level for level, windows in spans for _ in range(windows)]


def said(*windows: int, pause: int = 30) -> list[float]:
    """Return the levels of runs of so many windows, with pauses between them."""
    spans: list[tuple[float, int]] = []
    for run in windows:
        spans += [(LOUD, run), (QUIET, pause)]
    return levels(*spans[:-1])


def ends(words: list[Word]) -> list[int | None]:
    return [None if word.ends is None else round(word.ends) for word in words]


def test_a_level_is_that_of_ten_milliseconds_and_a_rest_has_none() -> None:
    tone = np.full(pcm.samples_of_ms(25), 500, "<i2").tobytes()
    assert levels_of(tone) == [500.0, 500.0]
    assert levels_of(b"") == []


def test_what_sounds_is_parted_at_pauses_that_are_longer_than_a_mouth_is_shut_within_a_word() -> None:
    assert runs_of([]) == []
    assert runs_of(levels((QUIET, 50))) == []
    assert runs_of(levels((QUIET, 5), (LOUD, 20), (QUIET, 10), (LOUD, 20), (QUIET, 20), (LOUD, 9))) == [
        (5, 55),
        (75, 84),
    ]


def test_a_figure_takes_as_long_as_a_word_and_marks_take_nothing() -> None:
    assert [weight(word) for word in ("cat", "cat's,", "7", "-")] == [4.0, 5.0, 6.0, 1.0]


def test_the_pace_is_letters_a_window_that_sounds() -> None:
    assert pace_of("abc abc", said(20, 20)) == 0.2
    assert pace_of("abc", levels((QUIET, 9))) is None
    assert pace_of(" ", said(20)) is None


def test_sentences_end_at_pauses_even_where_their_words_are_not_as_long_as_they_look() -> None:
    text = "I do. Considerations notwithstanding. So be it, then."
    words = lay(text, said(60, 120, 100), whole=True)
    assert [text[word.start : word.end] for word in words] == text.split()
    assert ends(words)[1] == 60
    assert ends(words)[3] == 60 + 30 + 120
    assert ends(words)[-1] == 60 + 30 + 120 + 30 + 100
    assert words[2].begins == 90


def test_a_sentence_that_is_said_slowly_still_ends_at_the_pause() -> None:
    words = lay("No no. Absolutely not.", said(86, 64), whole=True)
    assert ends(words)[1] == 86, "by length alone the third word would be there too"


def test_within_a_run_words_lie_in_proportion_to_their_length() -> None:
    assert ends(lay("abc abc abcdefg", said(160), whole=True)) == [40, 80, 160]


def test_a_pause_in_the_middle_of_a_sentence_is_not_taken_for_its_end() -> None:
    words = lay("one two three four five six. Seven.", said(100, 110, 70), whole=True)
    assert ends(words)[5] == 100 + 30 + 110
    assert ends(words)[6] == 100 + 30 + 110 + 30 + 70


def test_a_number_is_said_in_groups() -> None:
    text = "Call 206-135-1246."
    words = lay(text, said(30, 50, 50, 60), whole=True)
    assert [text[word.start : word.end] for word in words] == ["Call", "206-", "135-", "1246."]
    assert ends(words)[-1] == 30 + 50 + 50 + 60 + 3 * 30


def test_text_that_runs_ahead_has_no_place_yet() -> None:
    words = lay("one two three four. Five six seven eight.", said(40), pace=0.1, whole=False)
    assert ends(words) == [40] + [None] * 7
    words = lay("one two. three four. Five six seven eight.", said(85, 50), pace=0.1, whole=False)
    assert ends(words)[1:3] == [85, 85 + 30 + 60], "at its pace: the sound has ended within a word"
    assert ends(words)[-1] is None


def test_sound_that_runs_ahead_holds_the_text_at_its_beginning() -> None:
    words = lay("one two.", said(200, 200, 200), pace=0.1, whole=False)
    assert ends(words) == [40, 80]
    assert ends(lay("one two.", said(50, 200), pace=0.1, whole=False)) == [50, 80 + 40]
    assert ends(lay("one two.", said(500), pace=0.1, whole=False)) == [40, 80]


def test_where_nothing_sounds_length_alone_decides_and_no_text_has_no_words() -> None:
    assert ends(lay("abc abc", levels((QUIET, 80)), whole=False)) == [40, 80]
    assert lay("  ", said(50), whole=True) == []
    assert ends(lay("abc abc", [], whole=True)) == [0, 0]


def test_a_long_text_is_laid_word_by_word_and_no_word_is_lost() -> None:
    chance = np.random.default_rng(5)
    sentences = [
        " ".join("x" * int(n) for n in chance.integers(1, 9, int(chance.integers(2, 12)))) + "."
        for _ in range(80)
    ]
    runs = [
        round(sum(weight(word) for word in one.split()) / 0.15 * chance.uniform(0.85, 1.15))
        for one in sentences
    ]
    words = lay(" ".join(sentences), said(*runs), whole=True)
    over, at = 0, 0
    for sentence, run in zip(sentences, runs, strict=True):
        at += len(sentence.split())
        over += run
        end = ends(words)[at - 1]
        assert end is not None
        assert abs(end - over) < 60, sentence
        over += 30
    assert len(words) == at
