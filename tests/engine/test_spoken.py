"""Text for the voice: what is said for what is shown."""

from __future__ import annotations

import pytest

from rtbridge.engine.spoken import LINE_PAUSE_MS, digit_by_digit, pieces, sentences


def said(text: str) -> str:
    return " ".join(sentence.said for sentence in sentences(text)).strip()


@pytest.mark.parametrize(
    ("shown", "spoken"),
    [
        ("Call (206) 555-0142.", "Call two zero six, five five five, zero one four two."),
        ("Call 206-555-0142, please", "Call two zero six, five five five, zero one four two, please"),
        ("Dial +1 206 555 0142", "Dial one, two zero six, five five five, zero one four two"),
        (
            "Order SNP-20230914-001 came",
            "Order S N P, two zero two three zero nine one four, zero zero one came",
        ),
        ("account NT-123456", "account N T, one two three four five six"),
        ("Order 31245 is here", "Order three one two four five is here"),
        ("the card ending in 1234", "the card ending in one two three four"),
        ("zip code 98101", "zip code nine eight one zero one"),
        ("10% off [Family Plan](ID-010).", "10% off ."),
        ("It was 1984.", "It was 1984."),
        ("$42.17 and 31,245 items", "$42.17 and 31,245 items"),
        ("On 2024-05-15 at 7:30 pm", "On 2024-05-15 at 7:30 pm"),
        ("**Bold** and `code`", "Bold and code"),
        ("See https://example.com/pay/7.", "See example dot com slash pay slash 7."),
    ],
)
def test_what_is_shown_is_said_as_people_say_it(shown: str, spoken: str) -> None:
    assert said(shown) == spoken
    assert "".join(piece.shown for piece in pieces(shown)) == shown


def test_digits_and_letters_are_read_one_by_one() -> None:
    assert digit_by_digit("A-10") == "A, one zero"


def test_sentences_end_at_full_stops_but_not_after_titles_initials_or_before_small_letters() -> None:
    text = "Dr. J. Smith is in. Ask e.g. him! Really? Yes… maybe. 5 p.m. today."
    assert [sentence.said for sentence in sentences(text)] == [
        "Dr. J. Smith is in.",
        "Ask e.g. him!",
        "Really?",
        "Yes… maybe.",
        "5 p.m. today.",
    ]


def test_a_line_end_is_a_sentence_with_a_longer_pause_and_the_last_has_none() -> None:
    assert [(one.said, one.pause_ms) for one in sentences("one two\nthree\n\nfour\n")] == [
        ("one two", LINE_PAUSE_MS),
        ("three", LINE_PAUSE_MS),
        ("four", 0),
    ]


def test_an_endless_sentence_is_parted_and_nothing_is_lost() -> None:
    text = "word " * 300
    parted = sentences(text)
    assert max(len(one.said) for one in parted) <= 250
    assert "".join(piece.shown for one in parted for piece in one.pieces) == text
