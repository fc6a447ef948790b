"""The supervisor's three tools. What a caller has not said is refused here, whatever the model makes up."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from agents import RunContextWrapper, function_tool
from rtbridge.agents.collect import Piece, Standing, heard, standing
from rtbridge.agents.context import CallContext
from rtbridge.agents.spoken_values import phone_in, runs
from rtbridge.errors import Refused

from . import data

PHONE = Piece("phone_number", "phone")


@function_tool(name_override="lookupPolicyDocument")
def look_up_policy_document(
    topic: Annotated[
        str, Field(description="What the caller wants to know about, in a few words.", min_length=2)
    ],
) -> dict[str, Any]:
    """Find NewTelco's policy documents on a topic, the best first, each with its name, id and citation."""
    return data.find_policies(topic)


@function_tool(name_override="getUserAccountInfo")
async def get_user_account_info(
    ctx: RunContextWrapper[CallContext],
    phone_number: Annotated[
        str,
        Field(
            description="The caller's own words in the form (xxx) xxx-xxxx. Ask for it if it was not said.",
            pattern=r"^\(\d{3}\) \d{3}-\d{4}$",
        ),
    ],
) -> dict[str, Any]:
    """Read the account of a phone number: plan, balance, last payment and the last bill in detail. Changes nothing."""
    if data.placeholder_phone(phone_number) is None:
        await require_said(ctx.context, phone_number)
    return data.find_account(phone_number)


async def require_said(context: CallContext, phone_number: str) -> None:
    """Refuse a number that the caller neither said nor confirmed: a text may name any, and a model may follow it."""
    await heard(context)
    said = context.transcript()
    lines = [line for who, line in said if who == "user"]
    number = phone_in(phone_number)
    in_pieces = "".join(run for line in lines for run in runs(line))
    if number in (phone_in(line) for line in lines):  # also as put right in the same breath
        return
    if "".join(runs(phone_number)) in in_pieces or standing(PHONE, phone_number, said) is Standing.CONFIRMED:
        return
    raise Refused(
        "The caller has not said this phone number. Ask for it, or have it read back and confirmed."
    )


@function_tool(name_override="findNearestStore")
def find_nearest_store(
    zip_code: Annotated[
        str,
        Field(
            description="The caller's five-digit zip code. Ask for it if it was not said.", pattern=r"^\d{5}$"
        ),
    ],
) -> dict[str, Any]:
    """Find the NewTelco stores nearest to a zip code, nearest first, with address, phone number and hours."""
    return data.find_stores(zip_code)
