"""The tools of the four agents: names and arguments are the wire's, what is allowed is verification.py's."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from agents import RunContextWrapper, function_tool
from rtbridge.agents.collect import heard
from rtbridge.agents.context import CallContext
from rtbridge.agents.effect_book import canonical
from rtbridge.agents.effects import NOT_DONE, caller_turn, effect, once
from rtbridge.errors import Refused

from .data import OFFER_ID, ORDERS, POLICY, SALES, TODAY, ordered_item, sale
from .returns_desk import judge
from .verification import (
    ADDRESS_SAVED,
    AUTHENTICATED,
    OFFER_ANSWERED,
    address_confirmed,
    chosen,
    identity_confirmed,
    offer_answered,
    require_verified,
)

Context = RunContextWrapper[CallContext]
Phone = Annotated[
    str,
    Field(
        description="The caller's phone number, formatted (xxx) xxx-xxxx.", pattern=r"^\(\d{3}\) \d{3}-\d{4}$"
    ),
]
RETURNS = "returns"  # in CallContext.state: item id -> the return that was recorded
CART = "cart"
CHECK = "checkEligibilityAndPossiblyInitiateReturn"
CHECK_LIMIT_S = 120.0  # of the tool around a check, which ends itself long before (`reasoning_timeout_s`)


class Address(BaseModel):
    """A street address."""

    street: str = Field(description="House number and street.")
    city: str = Field(description="City.")
    state: str = Field(description="State or province.")
    postal_code: str = Field(description="Postal code.")


@effect("idempotent", require=identity_confirmed)
@function_tool(name_override="authenticate_user_information")
async def authenticate_user_information(
    ctx: Context,
    phone_number: Phone,
    date_of_birth: Annotated[
        str, Field(description="Date of birth, YYYY-MM-DD.", pattern=r"^\d{4}-\d{2}-\d{2}$")
    ],
    last_4_digits: Annotated[str, Field(description="Last four digits of the credit card or of the SSN.")],
    last_4_digits_type: Annotated[
        Literal["credit_card", "ssn"], Field(description="Which of the two it is.")
    ],
) -> dict[str, Any]:
    """Verify the caller. Only with values that were read back to the caller and confirmed."""
    if len(last_4_digits) != 4:
        raise Refused("last_4_digits are four digits: ask for them again.")
    ctx.context.state[AUTHENTICATED] = phone_number
    return {"success": True}


def _change(context: CallContext, given: Any) -> str:
    """Return which change of the address this is: saying the same again is none, changing it back is one."""
    history: list[Any] = context.state.setdefault("addresses", [])
    address = canonical(given["new_address"])
    if not history or history[-1] != address:
        history.append(address)
    return str(len(history))


async def _address_saved(context: CallContext, given: Any) -> Any:
    return {"success": True} if context.state.get(ADDRESS_SAVED) == given["new_address"] else NOT_DONE


@effect("effectful", require=address_confirmed, confirmation=_change, look_up=_address_saved)
@function_tool(name_override="save_or_update_address")
async def save_or_update_address(
    ctx: Context,
    phone_number: Annotated[str, Field(description="The verified phone number.")],
    new_address: Annotated[Address, Field(description="The address as read back and confirmed.")],
) -> dict[str, Any]:
    """Save the address of a verified caller, new or changed. Only an address that was read back and confirmed."""
    ctx.context.state[ADDRESS_SAVED] = new_address.model_dump()
    return {"success": True}


@effect("effectful", require=offer_answered)
@function_tool(name_override="update_user_offer_response")
async def update_user_offer_response(
    ctx: Context,
    phone: Annotated[str, Field(description="The verified phone number.")],
    offer_id: Annotated[str, Field(description=f"The offer; the loyalty programme is {OFFER_ID}.")],
    user_response: Annotated[
        Literal["ACCEPTED", "DECLINED", "REMIND_LATER"], Field(description="What the caller said to it.")
    ],
) -> dict[str, Any]:
    """Log what the caller said to an offer."""
    ctx.context.state[OFFER_ANSWERED] = user_response
    return {"success": True}


@function_tool(name_override="lookupOrders")
async def lookup_orders(
    ctx: Context,
    phoneNumber: Annotated[str, Field(description="The caller's verified phone number.")],
) -> dict[str, Any]:
    """Look up the orders of a verified phone number: items, prices, dates and status."""
    require_verified(ctx.context, phoneNumber)
    ctx.context.state["orders"] = ORDERS
    return {"orders": ORDERS}


@function_tool(name_override="retrievePolicy")
async def retrieve_policy(
    ctx: Context,
    region: Annotated[str, Field(description="Where the caller is, as far as it is known.")],
    itemCategory: Annotated[str, Field(description="What kind of item it is: snowboard, boots, ...")],
) -> dict[str, Any]:
    """Retrieve the return policy. Always before an eligibility check."""
    ctx.context.state["policy_seen"] = True
    return {"region": region, "item_category": itemCategory, "today": TODAY.isoformat(), "policy": POLICY}


@function_tool(name_override=CHECK, timeout=CHECK_LIMIT_S)
async def check_eligibility(
    ctx: Context,
    userDesiredAction: Annotated[str, Field(description="What the caller wants done, and with which item.")],
    question: Annotated[str, Field(description="What to decide, with everything known about the issue.")],
) -> dict[str, Any]:
    """Decide whether the return or exchange may be made, and start it when it may. Call it again with new facts."""
    context = ctx.context
    require_verified(context)
    if "orders" not in context.state:
        raise Refused("Call lookupOrders first and confirm with the caller which item it is.")
    if "policy_seen" not in context.state:
        raise Refused("Call retrievePolicy first: the check goes by the policy.")
    decision = await judge(context, userDesiredAction, question)
    if decision.eligible != "true" or decision.item_id is None:
        return decision.as_output()
    return {**decision.as_output(), **await _record(context, decision.item_id)}


async def _record(context: CallContext, item_id: str) -> dict[str, Any]:
    """Write the return down, once for a customer and an item, whichever call it is; return what the caller is told."""
    order, item = ordered_item(item_id)
    phone = context.state[AUTHENTICATED]
    made: list[dict[str, str]] = []

    async def write() -> dict[str, str]:
        made.append({"return_id": f"RET-{order['order_id']}-{item_id}", "order_id": order["order_id"]})
        return made[0]

    async def look_up() -> Any:
        return NOT_DONE  # the row with its result is the return: there is no other place where it could be

    answer = await once(
        context,
        CHECK,
        {"order_id": order["order_id"], "item_id": item_id},
        scope=f"customer {phone}",
        act=write,
        look_up=look_up,
    )
    found = json.loads(answer)
    if "return_id" not in found:  # not on disk, or its fate unknown: the answer says which, for the model
        return {"eligible": "unknown", "next_steps": answer}
    context.state.setdefault(RETURNS, {})[item_id] = found
    return {
        **found,
        "item_name": item["item_name"],
        "already_recorded": not made,
        "next_steps": (
            f"We send a text message to {phone} with a prepaid label for the {item['item_name']} (item {item_id}, "
            f"order {order['order_id']}). Pack it and hand it in within 14 days; inspection takes up to 5 business "
            "days, then the money goes back to the original payment method."
        ),
    }


@function_tool(name_override="lookupNewSales")
async def lookup_new_sales(
    ctx: Context,
    category: Annotated[
        Literal["snowboard", "apparel", "boots", "accessories", "any"], Field(description="What to look for.")
    ],
) -> dict[str, Any]:
    """Look up what is on sale, the largest discount first."""
    found = [one for one in SALES if category in ("any", one["type"])]
    return {"sales": sorted(found, key=lambda one: -one["sale_discount_pct"])}


async def _wanted(context: CallContext, given: Any) -> None:
    if (item := sale(given["item_id"])) is None:
        raise Refused("There is no sale item of that id. Take item_id from lookupNewSales.")
    await heard(context)
    if not chosen(item["name"], context.transcript()):
        raise Refused(
            f"The caller did not ask for the {item['name']}. Ask whether they want it in their cart."
        )


@effect("effectful", require=_wanted, confirmation=caller_turn)
@function_tool(name_override="addToCart")
async def add_to_cart(
    ctx: Context, item_id: Annotated[str, Field(description="The item_id from lookupNewSales.")]
) -> dict[str, Any]:
    """Put an item into the caller's cart."""
    item = sale(item_id)
    assert item is not None
    cart: list[int] = ctx.context.state.setdefault(CART, [])
    cart.append(item["item_id"])
    return {"added": item["name"], "items_in_cart": len(cart)}


@effect("idempotent")
@function_tool(name_override="checkout")
async def checkout(
    ctx: Context,
    item_ids: Annotated[list[str], Field(description="The item_ids to buy.")],
    phone_number: Phone,
) -> dict[str, Any]:
    """Prepare a checkout of items for a verified caller and return the link to it."""
    require_verified(ctx.context, phone_number)
    items = [sale(item_id) for item_id in item_ids]
    if not items or None in items:
        raise Refused("item_ids must be ids from lookupNewSales, at least one.")
    bought = [item for item in items if item is not None]
    return {
        "checkout_url": "https://example.com/checkout?items="
        + ",".join(str(item["item_id"]) for item in bought),
        "total_usd": sum(item["sale_price_usd"] for item in bought),
    }
