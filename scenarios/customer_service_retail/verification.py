"""Who the caller is and what is done, kept in the call's context: whoever speaks, these decide what is allowed.

The steps of `authentication` in their order: the identity, the address, the answer to the offer. Each is written here
by the tool that did it and by nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from agents import RunContextWrapper
from rtbridge.agents.collect import Piece, affirms, heard, require_confirmed
from rtbridge.agents.context import CallContext, Said
from rtbridge.agents.spoken_values import words_of
from rtbridge.errors import Refused

PHONE: Final = Piece("phone_number", "phone")
BIRTH: Final = Piece("date_of_birth", "date")
LAST_FOUR: Final = {
    "credit_card": Piece("last_4_digits", "digits", cue=r"\bcard\b"),
    "ssn": Piece("last_4_digits", "digits", cue=r"\bsocial\b|\bssn\b|\bs\.s\.n\b"),
}
ADDRESS: Final = Piece("new_address", "address")

Args = Any

AUTHENTICATED: Final = "authenticated_phone"
ADDRESS_SAVED: Final = "address_saved"
OFFER_ANSWERED: Final = "offer_answered"

_WANTS_IN: Final = re.compile(
    r"(?i)\b(yes|yeah|yep|sure|okay|ok|please|sign me up|i('d| would) (like|love)|count me in|sounds good|absolutely|"
    r"of course)\b"
)
# The disclosure, from its first words on: whoever interrupts it has heard those.
_OFFERED: Final = re.compile(r"(?i)loyalty|\bprogram|sign (you )?up|snowy peak boards, the people")
_CHOOSES: Final = re.compile(
    r"(?i)\b(add|take|buy|get|order|put|please|first|second|third|last|former|latter|cheaper|both|this one|that one|"
    r"these|those|want|i'd like)\b"
)
_REFUSES: Final = re.compile(r"(?i)\b(no|nope|nah|neither|none|nothing|don't want|do not want)\b")
_WANTS_OUT: Final = re.compile(r"(?i)\b(no|nope|nah|not|don't|later|never|skip)\b")


async def identity_confirmed(context: CallContext, given: Args) -> None:
    """Refuse to verify with anything that was not read back and confirmed."""
    last_four = LAST_FOUR[given["last_4_digits_type"]]
    await require_confirmed(
        context,
        [
            (PHONE, given["phone_number"]),
            (BIRTH, given["date_of_birth"]),
            (last_four, given["last_4_digits"]),
        ],
    )


async def address_confirmed(context: CallContext, given: Args) -> None:
    """Refuse to save an address of an unverified number, or one that was not read back and confirmed."""
    require_verified(context, given["phone_number"])
    await require_confirmed(context, [(ADDRESS, given["new_address"])])


async def offer_answered(context: CallContext, given: Args) -> None:
    """Refuse to log an answer before its turn, for another offer, or one that the caller did not give."""
    require_verified(context, given["phone"])
    if not context.state.get(ADDRESS_SAVED):
        raise Refused("The address comes first: ask for it, read it back, and call save_or_update_address.")
    if given["offer_id"] != "a-592":
        raise Refused("There is no such offer. The loyalty programme is offer_id a-592.")
    await heard(context)
    answer = _answer_to_the_offer(context)
    if answer is None:
        raise Refused(
            "The caller has not been offered the programme and answered yet. Read the disclosure, then log their words."
        )
    wants_in = bool(_WANTS_IN.search(answer) and not _WANTS_OUT.search(answer))
    if wants_in != (given["user_response"] == "ACCEPTED"):
        said = "has not said yes" if not wants_in else "has said yes"
        raise Refused(f"The caller {said} to the offer in their last words. Ask them plainly, then log it.")


def _answer_to_the_offer(context: CallContext) -> str | None:
    """Return the caller's last words when what they answer is the offer."""
    said = [(who, line) for who, line in context.transcript() if line.strip()]
    at = next((n for n in reversed(range(len(said))) if said[n][0] == "user"), 0)
    before = next((line for who, line in reversed(said[:at]) if who != "user"), "")
    return said[at][1] if _OFFERED.search(before) else None


def require_verified(context: CallContext, phone_number: str | None = None) -> None:
    """Refuse when the caller is not verified, or verified with another number."""
    known = context.state.get(AUTHENTICATED)
    if known is None:
        raise Refused(
            "The caller is not verified, so no account data can be seen or changed. Tell them that you need to verify "
            "them first, and hand them over with transfer_to_authentication (if you are authentication: go on with it)."
        )
    if phone_number is not None and PHONE.normal(phone_number) != known:
        raise Refused("That is not the phone number that was verified in this call. Use the verified one.")


def chosen(name: str, transcript: Sequence[Said]) -> bool:
    """Return whether the caller's last words choose the sale item `name`: they say it, or agree to what was named."""
    parts = set(words_of(name))
    said = [(who, line) for who, line in transcript if line.strip()]
    at = next((n for n in reversed(range(len(said))) if said[n][0] == "user"), None)
    if at is None or _REFUSES.search(said[at][1]):
        return False
    if parts & set(words_of(said[at][1])):
        return True
    named = next((line for who, line in reversed(said[:at]) if who != "user"), "")
    return parts <= set(words_of(named)) and bool(affirms(said[at][1]) or _CHOOSES.search(said[at][1]))


def leave_authentication(ctx: RunContextWrapper[CallContext]) -> None:
    """Refuse a handoff out of `authentication` before its steps are done; the human has no such gate."""
    state = ctx.context.state
    if AUTHENTICATED not in state:
        raise Refused(
            "Not yet: the caller is not verified. Collect phone number, date of birth and last four digits, read each "
            "back, then call authenticate_user_information."
        )
    if ADDRESS_SAVED not in state:
        raise Refused("Not yet: ask for the street address, read it back, then call save_or_update_address.")
    if OFFER_ANSWERED not in state:
        raise Refused(
            "Not yet: read the loyalty disclosure and log the caller's answer with update_user_offer_response."
        )
