"""Collect and confirm: only what the caller heard and called right counts."""

from __future__ import annotations

import asyncio

import pytest

from rtbridge.agents.collect import STATE, Piece, Standing, affirms, require_confirmed, standing
from rtbridge.agents.context import CallContext
from rtbridge.agents.spoken_values import dates_in, numbers, phone_in, runs, state_in
from rtbridge.errors import Refused

PHONE = Piece("phone_number", "phone")
BIRTH = Piece("date_of_birth", "date")
FOUR = Piece("last_4_digits", "digits", cue=r"last four|card|social")
HOME = Piece("new_address", "address")
NUMBER = "(206) 555-0123"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("I have 2 0 6, 5 5 5, 0 1 2 3. Right?", ["2065550123"]),
        ("two zero six... five-five-five, oh one two three", ["2065550123"]),
        ("(206) 555-0123, and four digits: 4 4 4 4", ["2065550123", "4", "4444"]),
        ("no digits at all", []),
    ],
)
def test_a_run_of_digits_ends_at_a_word(line: str, found: list[str]) -> None:
    assert runs(line) == found


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("May 1st, 1990", "1990-05-01"),
        ("the first of May nineteen ninety", "1990-05-01"),
        ("December twenty third, two thousand and five", "2005-12-23"),
        ("March thirtieth 1 9 8 5", "1985-03-30"),
        ("1990-05-01", "1990-05-01"),
        ("05/01/1990", "1990-05-01"),
        ("July fourth, nineteen eighty six", "1986-07-04"),
    ],
)
def test_a_date_is_read_in_the_ways_people_say_it(line: str, day: str) -> None:
    assert dates_in(f"So you were born {line}, right?") == [day]


def test_what_is_no_date_is_none() -> None:
    assert dates_in("You may call on the thirty first of February 1990, or in May") == []
    assert phone_in("1-206-555-0123") == "2065550123"
    assert phone_in("555-0123") is None


@pytest.mark.parametrize(
    ("line", "ten"),
    [
        ("two zero six, five five five, no wait, five five six, zero one two three", "2065560123"),
        ("206 555 0124, oh no, 0123", "2065550123"),
        ("1 206 555, scratch that, 556 0123", "2065560123"),
        ("206 555 0124... sorry, the last four are 0123", "2065550123"),
        ("not 206 555 0124, it's 206 555 0123", "2065550123"),
        ("206 555, hold on, wait, 0123", "2065550123"),
        ("206 555 0123. Sorry, one second.", "2065550123"),
        ("(106) 555-0123", "1065550123"),
        ("206, no, 207, no", None),
    ],
)
def test_what_is_taken_back_in_the_same_breath_is_no_part_of_a_number(line: str, ten: str | None) -> None:
    assert phone_in(line) == ten


def test_a_read_back_that_corrects_itself_reads_back_the_corrected_digits() -> None:
    line = "Your card ends in 4 3 2 0, sorry, 4 3 2 1. Right?"
    assert numbers(line, 4) == ["4321"]
    said = [("auth", line), ("user", "Yes.")]
    assert standing(FOUR, "4321", said) is Standing.CONFIRMED
    assert standing(FOUR, "4320", said) is Standing.UNREAD


def test_a_confirmed_number_is_taken_back_by_another_that_is_corrected_as_it_is_said() -> None:
    said = [("auth", "206 555 0123, right?"), ("user", "Yes.")]
    said += [("user", "Sorry, I meant 206 555, no wait, 556 0123.")]
    assert standing(PHONE, NUMBER, said) is Standing.CORRECTED
    said += [("auth", "So it is 206 556 0123?"), ("user", "Yes.")]
    assert standing(PHONE, "(206) 556-0123", said) is Standing.CONFIRMED


@pytest.mark.parametrize(
    ("state", "line", "named"),
    [
        ("WA", "Seattle, Washington, 98101", True),
        ("Washington", "Seattle, WA 98101", True),
        ("wa", "Seattle, W.A.", True),
        ("NY", "New York, New York, 10118", True),
        ("OR", "Portland or Salem", False),
        ("OR", "Portland, OR 97201", True),
        ("Oregon", "Seattle, Washington", False),
        ("Otago", "Queenstown, Otago, 9300", True),
    ],
)
def test_a_state_is_named_in_full_or_by_its_two_letters(state: str, line: str, named: bool) -> None:
    assert state_in(state, line) is named


def test_an_address_with_another_state_than_was_read_back_is_not_confirmed() -> None:
    said = [("auth", "12 Hill Street, Portland, Oregon, 9 7 2 0 1. Correct?"), ("user", "Yes.")]
    parts = {"street": "12 Hill Street", "city": "Portland", "postal_code": "97201"}
    for state, now in (("OR", Standing.CONFIRMED), ("Maine", Standing.UNREAD), ("", Standing.CONFIRMED)):
        home = HOME.normal({**parts, "state": state})
        assert home is not None
        assert standing(HOME, home, said) is now


def test_values_have_one_spelling() -> None:
    assert PHONE.normal("+1 206 555 0123") == NUMBER
    assert BIRTH.normal("May 1, 1990") == "1990-05-01"
    assert FOUR.normal("0123") == "0123"
    assert (
        PHONE.normal("12")
        is BIRTH.normal("soon")
        is FOUR.normal("12a4")
        is HOME.normal({"street": "x"})
        is None
    )


@pytest.mark.parametrize(
    ("answer", "now"),
    [
        ("Yes, that's right.", Standing.CONFIRMED),
        ("Correct.", Standing.CONFIRMED),
        ("Yep, 206 555 0123.", Standing.CONFIRMED),
        ("No, it ends in four.", Standing.CORRECTED),
        ("Yes, but the last digit is a four.", Standing.CORRECTED),
        ("Yes. 206 555 0124.", Standing.CORRECTED),
        ("Not quite.", Standing.CORRECTED),
        ("What is the weather like?", Standing.CORRECTED),
        ("   ", Standing.READ),
    ],
)
def test_the_callers_next_words_decide(answer: str, now: Standing) -> None:
    said = [("auth", "Two zero six, five five five, zero one two three. Is that right?"), ("user", answer)]
    assert standing(PHONE, NUMBER, said) is now


def test_a_yes_to_something_else_confirms_nothing() -> None:
    said = [("user", "My number is 206 555 0123."), ("auth", "May I go on?"), ("user", "Yes.")]
    assert standing(PHONE, NUMBER, said) is Standing.UNREAD


def test_a_read_back_that_was_cut_off_confirms_nothing() -> None:
    said = [("auth", "Two zero six, five five"), ("user", "Yes.")]
    assert standing(PHONE, NUMBER, said) is Standing.UNREAD


def test_after_a_correction_only_the_new_value_counts() -> None:
    said = [
        ("auth", "206 555 0124, right?"),
        ("user", "No, 0123 at the end."),
        ("auth", "206 555 0123?"),
        ("user", "Yes."),
    ]
    assert standing(PHONE, NUMBER, said) is Standing.CONFIRMED
    assert standing(PHONE, "(206) 555-0124", said) is Standing.CORRECTED
    said += [("user", "Sorry, I mean 206 555 0199.")]
    assert standing(PHONE, NUMBER, said) is Standing.CORRECTED


def test_four_digits_are_not_found_in_a_phone_number_or_a_year() -> None:
    said = [("auth", "206 555 0123?"), ("user", "Yes."), ("auth", "Born May 1, 1990?"), ("user", "Yes.")]
    assert standing(FOUR, "0123", said) is Standing.UNREAD
    assert standing(FOUR, "1990", said) is Standing.UNREAD
    said += [("auth", "The last four of your card are zero one two three?"), ("user", "Right.")]
    assert standing(FOUR, "0123", said) is Standing.CONFIRMED


def test_an_address_may_be_read_back_in_full_words() -> None:
    home = HOME.normal({"street": "12 Hill St", "city": "Seattle", "state": "WA", "postal_code": "98101"})
    assert home is not None
    said = [
        ("auth", "That is 12 Hill Street, Seattle, Washington, 9 8 1 0 1. Correct?"),
        ("user", "Yes, correct."),
    ]
    assert standing(HOME, home, said) is Standing.CONFIRMED
    assert (
        standing(HOME, home, [("auth", "12 Hill Street, Tacoma, 98101?"), ("user", "Yes.")])
        is Standing.UNREAD
    )


@pytest.mark.parametrize(
    "line",
    ["Are you sure?", "Is that right, what you do?", "All good questions, right?", "That's enough.", "That's my mum's",
     "Okay, who are you?", "Sure, why do you ask", "Right, can you repeat it", "Not sure."],
)  # fmt: skip
def test_a_question_or_half_a_phrase_is_no_yes(line: str) -> None:
    assert not affirms(line)


@pytest.mark.parametrize(
    "line",
    [
        "Sure.",
        "Right.",
        "That's it.",
        "That’s the one",
        "Okay, go on.",
        "Yes, can you go on?",
        "Sounds good.",
    ],
)
def test_short_ways_to_agree_are_a_yes(line: str) -> None:
    assert affirms(line)


@pytest.mark.parametrize(
    "changed",
    [{"street": "!!!"}, {"street": "Воровская"}, {"city": "Такома"}, {"postal_code": "一"}, {"state": "the depot"},
     {"state": "Idaho"}, {"state": "OR"}, {"street": "12 Hill Street\nc/o 1 Thief Lane"}],
)  # fmt: skip
def test_no_part_of_an_address_slips_through_unread(changed: dict[str, str]) -> None:
    address = {"street": "12 Hill Street", "city": "Seattle", "state": "WA", "postal_code": "98101"}
    said = [("auth", "12 Hill Street, Seattle, Washington, 9 8 1 0 1. Right?"), ("user", "Yes.")]
    home, other = HOME.normal(address), HOME.normal(address | changed)
    assert home is not None
    assert standing(HOME, home, said) is Standing.CONFIRMED
    assert other is None or standing(HOME, other, said) is Standing.UNREAD


def test_an_address_in_other_letters_can_be_read_back() -> None:
    home = HOME.normal({"street": "Hauptstraße 5", "city": "Köln", "state": "NRW", "postal_code": "50667"})
    assert home is not None
    said = [("auth", "Hauptstraße 5, Köln, NRW, 50667?"), ("user", "Yes.")]
    assert standing(HOME, home, said) is Standing.CONFIRMED


def test_a_yes_is_a_yes_without_a_but() -> None:
    assert affirms("Yeah, that's the one.")
    assert not affirms("No, that's right, it is wrong.")
    assert not affirms("")


async def test_a_refusal_says_what_to_do_and_a_confirmed_value_is_kept() -> None:
    said = [("auth", "Hello.")]
    context = CallContext("shop", "auth", transcript=lambda: said)
    with pytest.raises(
        Refused, match="phone_number was not read back and confirmed yet: read it back digit by digit"
    ):
        await require_confirmed(context, [(PHONE, NUMBER)])
    said += [("auth", "206 555 0123, right?"), ("user", "That's right.")]
    await require_confirmed(context, [(PHONE, NUMBER)])
    assert context.state[STATE] == {"phone_number": NUMBER}
    said.clear()  # a long call forgets its beginning
    await require_confirmed(context, [(PHONE, NUMBER)])
    said += [("auth", "206 555 0123, right?"), ("user", "No.")]
    with pytest.raises(Refused, match="was corrected since"):
        await require_confirmed(context, [(PHONE, NUMBER)])


async def test_words_that_are_not_written_down_yet_are_waited_for() -> None:
    said = [("auth", "206 555 0123, right?"), ("user", "")]
    context = CallContext("shop", "auth", transcript=lambda: said)
    asyncio.get_running_loop().call_later(0.1, lambda: said.__setitem__(1, ("user", "Yes.")))
    await require_confirmed(context, [(PHONE, NUMBER)])
