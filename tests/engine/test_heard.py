"""What was heard, made comparable."""

from __future__ import annotations

import pytest

from rtbridge.engine.heard import content, day, digits, leaning, number, phone, plain, yes_no


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ("206-135-1246", "2061351246"),
        ("Two oh six, one three five, one two four six.", "2061351246"),
        ("two oh six one thirty five twelve forty six", "2061351246"),
        ("double five, triple zero", "55000"),
        ("five hundred", "500"),
        ("it is 31,245", "31245"),
        ("oh, I don't know", ""),
        ("nothing", ""),
    ],
)
def test_digits_are_found_in_figures_and_words(heard: str, found: str) -> None:
    expected = found if heard != "oh, I don't know" else "0"
    assert digits(heard) == expected


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ("It's 206 135 1246.", "(206) 135-1246"),
        ("plus one, two oh six, one three five, one two four six", "(206) 135-1246"),
        ("one, 206 135 1246", "(206) 135-1246"),
        ("206 135 124", None),
        ("Two of six, one three five, one two four six.", "(206) 135-1246"),
        ("Two zero zix, one three five, one to for six", "(206) 135-1246"),
        ("It is for my wife, 206 135 1246", "(206) 135-1246"),
        ("for six of you", None),
    ],
)
def test_a_phone_number_has_ten_digits(heard: str, found: str | None) -> None:
    assert phone(heard) == found


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ("two oh six, five five five, no wait, five five six, oh one two three", "(206) 556-0123"),
        ("Two zero six, five five five, no weight, five five six, zero one two three.", "(206) 556-0123"),
        ("206 555 0124, oh no, 0123", "(206) 555-0123"),
        ("206 555 0124, no, the last four are 0123", "(206) 555-0123"),
        ("two oh six, one three five, twelve sixty four, sorry, forty six", "(206) 135-1246"),
        ("206 135 1264, I mean 206 135 1246", "(206) 135-1246"),
        ("one two oh six, five five five, scratch that, five five six, oh one two three", "(206) 556-0123"),
        ("No, it's not 206 555 0124, it's 206 555 0123", "(206) 555-0123"),
        ("206 555 0123, not 0124", "(206) 555-0123"),
        ("206, hold on, wait, 555 0123", "(206) 555-0123"),
        ("206 135 1246, wait one second", "(206) 135-1246"),
        ("206 135 1246, sorry, I have two phones", None),
        ("206, no, 207, no, 206", None),
        ("206 135 12, no, 1246", "(206) 135-1246"),
        ("2 ozix, one three five, one two six four, no, one two four six", None),
        ("206, no, 135 1246", None),
        ("It's to ozix, 135 1264, no, 1246", None),
        ("2 ozicks, 555, no, wait, 556, or 123", None),
    ],
)
def test_what_is_taken_back_in_the_same_breath_is_no_part_of_the_number(
    heard: str, found: str | None
) -> None:
    assert phone(heard) == found


def test_four_digits_are_corrected_like_a_phone_number() -> None:
    assert number("four three two oh, no, four three two one", 4) == "4321"
    assert number("not 4320 but 4321", 4) == "4321"
    assert number("the last four are 4321", 4) == "4321"
    assert number("4321 and 4320", 4) is None


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ("May 1st, 1990", "1990-05-01"),
        ("May first nineteen ninety", "1990-05-01"),
        ("the first of May 1990", "1990-05-01"),
        ("December twenty fifth, nineteen eighty four", "1984-12-25"),
        ("It's 5/1/1990.", "1990-05-01"),
        ("1990-05-01", "1990-05-01"),
        ("May first, no wait, May second, nineteen ninety", "1990-05-02"),
        ("May 1st 1990, sorry, 1991", None),
        ("Sorry, May 1st 1990, one second", "1990-05-01"),
        ("february 30 1990", None),
        ("March 3rd", None),
        ("tomorrow", None),
    ],
)
def test_a_date_needs_month_day_and_year(heard: str, found: str | None) -> None:
    assert day(heard) == found


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ("Yes, please.", "yes"),
        ("Sure, go ahead.", "yes"),
        ("Please do.", "yes"),
        ("yes, thank you", "yes"),
        ("Okay, thank you.", None),
        ("No, thank you.", "no"),
        ("Not now.", "no"),
        ("No.", "no"),
        ("Yes, no.", None),
        ("No, write one about snow.", None),
        ("The ocean.", None),
        ("", None),
    ],
)
def test_only_a_short_answer_is_yes_or_no(heard: str, found: str | None) -> None:
    assert yes_no(heard) == found


def test_a_longer_answer_leans_to_the_yes_or_no_at_its_ends() -> None:
    assert leaning("You know what, yes.") == "yes"
    assert leaning("No, forget about it.") == "no"
    assert leaning("yes and no") is None
    assert leaning("the ocean") is None


def test_plain_text_keeps_words_and_drops_marks_and_hesitations() -> None:
    assert plain("Well — it's uh-huh, 'quoted'!") == "well it's uh-huh quoted"
    assert content("Um, well, the ocean") == "the ocean"
    assert content("um") == "um"
