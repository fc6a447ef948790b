"""What Snowy Peak Boards knows: orders, the return policy, sale items. In the demo both orders are any caller's."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

TODAY: Final = date(2024, 12, 26)
COMPANY: Final = "Snowy Peak Boards"
OFFER_ID: Final = "a-592"

ORDERS: Final[tuple[dict[str, Any], ...]] = (
    {
        "order_id": "SNP-20230914-001",
        "order_date": "2024-09-14",
        "delivered_date": "2024-09-16",
        "order_status": "delivered",
        "items": [
            {"item_id": "SNB-TT-X01", "item_name": "Twin Tip Snowboard X", "price_usd": 249.99},
            {"item_id": "SNB-BOOT-ALM02", "item_name": "All-Mountain Snowboard Boots", "price_usd": 159.99},
        ],
        "subtotal_usd": 409.98,
        "total_usd": 471.48,
    },
    {
        "order_id": "SNP-20230820-002",
        "order_date": "2023-08-20",
        "delivered_date": None,
        "order_status": "in_transit",
        "items": [
            {"item_id": "SNB-PKbk-012", "item_name": "Park & Pipe Freestyle Board", "price_usd": 189.99},
            {"item_id": "GOG-037", "item_name": "Mirrored Snow Goggles", "price_usd": 89.99},
            {"item_id": "SNB-BIND-CPRO", "item_name": "Carving Pro Binding Set", "price_usd": 59.99},
        ],
        "subtotal_usd": 339.97,
        "total_usd": 390.97,
    },
)

TWIN_TIP: Final = "SNB-TT-X01"
PARK_AND_PIPE: Final = "SNB-PKbk-012"

# How callers name an item.
SPOKEN_NAMES: Final[tuple[tuple[str, str], ...]] = (
    (r"\bboots?\b", "SNB-BOOT-ALM02"),
    (r"\bgoggles?\b|\bglasses\b", "GOG-037"),
    (r"\bbindings?\b", "SNB-BIND-CPRO"),
    (r"\bpark\b|\bpipe\b|\bfree ?style\b", PARK_AND_PIPE),
    (r"\btwin ?tip\b|\bsnow ?board\b|\bboard\b", TWIN_TIP),
)

POLICY: Final = """\
Return policy of Snowy Peak Boards

1. Within 30 days of delivery an item may come back for a refund when it is unused, with its tags on and in its
   original packaging.
2. Shipping is not refunded, unless the error was ours.
3. Signs of wear may cost a restocking fee or turn the refund into a partial one.
4. A gift that came with a promotion comes back too, or its value is taken off the refund.
5. A customer who returns again and again may be refused.
6. Defects: an item that fails under normal use within one year of delivery is refunded in full or exchanged. The
   caller describes the defect in words and in enough detail: what came apart, where, and when or how. Photos are
   never needed. "A big crack" alone is not enough: ask. A board that delaminated and lost its edge after three runs
   of normal riding is a clear case: accept.
7. Inspection takes up to 5 business days from arrival. The money goes back to the original payment method, in some
   cases as store credit.
8. Exchanges: check first that the new item is in stock; an exchange may show as two transactions.
9. After 30 days, without a defect, store credit is possible at our discretion if the item can be sold again.
"""

Sale = dict[str, Any]


def _sale(item_id: int, kind: str, name: str, was: int, now: int, percent: int) -> Sale:
    return {
        "item_id": item_id,
        "type": kind,
        "name": name,
        "retail_price_usd": was,
        "sale_price_usd": now,
        "sale_discount_pct": percent,
    }


SALES: Final[tuple[Sale, ...]] = (
    _sale(101, "snowboard", "Alpine Blade", 450, 360, 20),
    _sale(102, "snowboard", "Peak Bomber", 499, 374, 25),
    _sale(201, "apparel", "Thermal Jacket", 120, 84, 30),
    _sale(202, "apparel", "Insulated Pants", 150, 112, 25),
    _sale(301, "boots", "Glacier Grip", 250, 200, 20),
    _sale(302, "boots", "Summit Steps", 300, 210, 30),
    _sale(401, "accessories", "Goggles", 80, 60, 25),
    _sale(402, "accessories", "Warm Gloves", 60, 48, 20),
)


def sale(item_id: str | int) -> Sale | None:
    """Return the sale item of that id."""
    return next((one for one in SALES if str(one["item_id"]) == str(item_id).strip()), None)


def ordered_item(item_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (order, item) of an item id. Raises StopIteration for an unknown one, which is a bug here."""
    return next((order, item) for order in ORDERS for item in order["items"] if item["item_id"] == item_id)
