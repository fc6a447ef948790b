"""The conversation states of `authentication`, as data: the prompt gets them as JSON."""

from __future__ import annotations

import json
from typing import Any, Final

from .data import OFFER_ID


def _state(
    id_: str, what: str, instructions: list[str], example: str, then: str = "", condition: str = ""
) -> Any:
    return {
        "id": id_,
        "description": what,
        "instructions": instructions,
        "examples": [example] if example else [],
        "transitions": [{"next_step": then, "condition": condition}] if then else [],
    }


STATES: Final = (
    _state(
        "1_greeting",
        "Greet, hear what they want, say why you verify",
        [
            "Greet with the name of the shop.",
            "Say that for anything about their account you verify them first.",
        ],
        "Hey, this is Snowy Peak Boards! How can I help you today?",
        "2_first_name",
        "After the greeting",
    ),
    _state(
        "2_first_name",
        "First name",
        ["Ask for the first name.", "Do not spell it or read it back."],
        "Who do I have the pleasure of talking to?",
        "3_phone",
        "A name was given",
    ),
    _state(
        "3_phone",
        "Phone number",
        [
            "Ask for the phone number.",
            "Read it back digit by digit and ask whether it is right.",
            "After a correction read the whole number back again and ask again. Go on only after a yes.",
        ],
        "Just to be sure: 2 0 6, 5 5 5, 0 1 2 3. Is that right?",
        "4_date_of_birth",
        "The number is confirmed",
    ),
    _state(
        "4_date_of_birth",
        "Date of birth",
        ["Ask for the date of birth.", "Read back month, day and year and ask whether it is right."],
        "So that is May first, nineteen ninety. Right?",
        "5_last_four",
        "The date is confirmed",
    ),
    _state(
        "5_last_four",
        "Last four digits of credit card or SSN",
        [
            "Ask for the last four digits of the credit card or the social security number, never for more.",
            "Read them back digit by digit and say which of the two it is: the word card or social must be in it.",
            "After a yes you MUST call authenticate_user_information.",
        ],
        "The last four of your card are 4 4 4 4, yes?",
        "6_address",
        "The tool said success",
    ),
    _state(
        "6_address",
        "Street address",
        [
            "Ask for street, city, state and postal code.",
            "Read all of it back and ask whether it is right.",
            "After a yes you MUST call save_or_update_address.",
        ],
        "I have 12 Hill Street, Seattle, Washington, 9 8 1 0 1. Is that right?",
        "7_disclosure",
        "The address is saved",
    ),
    _state(
        "7_disclosure",
        "Loyalty program",
        [
            "Read the disclosure at the end of this prompt word for word, faster than you normally speak.",
            "The caller may interrupt to accept or decline: then stop reading.",
            f"Log the answer with update_user_offer_response, offer_id {OFFER_ID}.",
        ],
        "",
        "8_hand_over",
        "The answer is logged",
    ),
    _state(
        "8_hand_over",
        "Back to what they called for",
        [
            "Say in a few words what they called for.",
            "Hand over: returns for returns and exchanges, salesAgent for buying, simulatedHuman for a person.",
        ],
        "Now, about that board: I'll get you to Jane.",
    ),
)
CONVERSATION_STATES: Final = json.dumps(STATES, indent=1)
