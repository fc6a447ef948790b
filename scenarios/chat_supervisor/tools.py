"""The supervisor's three tools. What a caller has not said is refused here, whatever the model makes up."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from agents import function_tool

from . import data


@function_tool(name_override="lookupPolicyDocument")
def look_up_policy_document(
    topic: Annotated[
        str, Field(description="What the caller wants to know about, in a few words.", min_length=2)
    ],
) -> dict[str, Any]:
    """Find NewTelco's policy documents on a topic, the best first, each with its name, id and citation."""
    return data.find_policies(topic)


@function_tool(name_override="getUserAccountInfo")
def get_user_account_info(
    phone_number: Annotated[
        str,
        Field(
            description="The caller's own words in the form (xxx) xxx-xxxx. Ask for it if it was not said.",
            pattern=r"^\(\d{3}\) \d{3}-\d{4}$",
        ),
    ],
) -> dict[str, Any]:
    """Read the account of a phone number: plan, balance, last payment and the last bill in detail. Changes nothing."""
    return data.find_account(phone_number)


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
