"""What NewTelco knows: one account, four policies, ten stores, and the ways to find something in them.

Everything is looked up for real. A number that no account has is said to have none, a topic ranks the policies by
the words they share, and stores come nearest first by the distance between zip codes' places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from typing import Any, Final

ACCOUNTS: Final[dict[str, dict[str, Any]]] = {
    "(206) 135-1246": {
        "account_id": "NT-123456",
        "name": "Alex Johnson",
        "phone": "+1-206-135-1246",
        "email": "alex.johnson@email.com",
        "plan": "Unlimited Plus",
        "balance_due": "$42.17",
        "last_bill_date": "2024-05-15",
        "last_payment_date": "2024-05-20",
        "last_payment_amount": "$42.17",
        "status": "Active",
        "address": {"street": "1234 Pine St", "city": "Seattle", "state": "WA", "zip": "98101"},
        "last_bill": {
            "base_plan": "$30.00",
            "international_calls": "$8.00",
            "data_overage": "$4.00",
            "taxes_and_fees": "$0.17",
            "note": "Higher than usual due to international calls and data overage.",
        },
    }
}


@dataclass(frozen=True, slots=True)
class Policy:
    """One document, and the words by which it is found."""

    id: str
    name: str
    topic: str
    content: str
    words: str

    def as_dict(self) -> dict[str, str]:
        """Return it as the supervisor reads it, with the citation to copy."""
        return {
            "id": self.id,
            "name": self.name,
            "topic": self.topic,
            "content": self.content,
            "citation": f"[{self.name}]({self.id})",
        }


POLICIES: Final = (
    Policy(
        "ID-010",
        "Family Plan",
        "family plan options",
        "The family plan covers up to 5 lines, and all lines share one data pool. Each line after the first gets a "
        "10% discount. All lines must be on the same account.",
        "family plan families lines line share shared kids children household spouse wife husband add relatives",
    ),
    Policy(
        "ID-020",
        "Promotions and Discounts",
        "promotions and discounts",
        "The Summer Unlimited Data Sale takes 20% off the Unlimited Plus plan for the first 6 months, for new "
        "activations by 2024-07-31. Refer-a-Friend gives a $50 bill credit to both customers after 60 days of active "
        "service, for activations by 2024-08-31, at most 5 credits per account. Promotions cannot be combined.",
        "promotion promotions discount discounts sale sales deal deals offer special summer save cheaper coupon refer "
        "referral friend friends credit bonus unlimited",
    ),
    Policy(
        "ID-030",
        "International Plans",
        "international plans",
        "International plans bring discounted calling, texting and data in over 100 countries.",
        "international abroad overseas travel travelling trip roaming foreign country countries vacation europe calls "
        "calling texting mexico canada world",
    ),
    Policy(
        "ID-040",
        "Handset Offers",
        "handset offers",
        "The iPhone 16 is $200 and the Google Pixel 8 is $0, each with 18 more months of service. Offers last while "
        "supplies last, and a qualifying plan or a trade-in may be required.",
        "handset handsets phone phones device devices iphone apple google pixel upgrade new smartphone buy trade "
        "trade-in mobile cell",
    ),
)


@dataclass(frozen=True, slots=True)
class Store:
    """One store, and where it stands (degrees north and east)."""

    name: str
    address: str
    zip_code: str
    phone: str
    monday_to_saturday: str
    sunday: str
    at: tuple[float, float]


STORES: Final = (
    Store("San Francisco Downtown", "1 Market St, San Francisco, CA", "94105", "(415) 555-1001",
          "10 a.m. to 7 p.m.", "11 a.m. to 5 p.m.", (37.789, -122.395)),
    Store("San Jose Valley Fair", "2855 Stevens Creek Blvd, Santa Clara, CA", "95050",
          "(408) 555-2002", "10 a.m. to 8 p.m.", "11 a.m. to 6 p.m.", (37.348, -121.954)),
    Store("Sacramento Midtown", "1801 L St, Sacramento, CA", "95811", "(916) 555-3003",
          "10 a.m. to 7 p.m.", "12 p.m. to 5 p.m.", (38.585, -121.485)),
    Store("Los Angeles Hollywood", "6801 Hollywood Blvd, Los Angeles, CA", "90028",
          "(323) 555-4004", "10 a.m. to 9 p.m.", "11 a.m. to 7 p.m.", (34.100, -118.327)),
    Store("San Diego Gaslamp", "555 5th Ave, San Diego, CA", "92101", "(619) 555-5005",
          "10 a.m. to 8 p.m.", "11 a.m. to 6 p.m.", (32.720, -117.163)),
    Store("Irvine Spectrum", "670 Spectrum Center Dr, Irvine, CA", "92618", "(949) 555-6006",
          "10 a.m. to 8 p.m.", "11 a.m. to 6 p.m.", (33.665, -117.735)),
    Store("New York City Midtown", "350 5th Ave, New York, NY", "10118", "(212) 555-7007",
          "9 a.m. to 8 p.m.", "10 a.m. to 6 p.m.", (40.749, -73.986)),
    Store("Boston Back Bay", "800 Boylston St, Boston, MA", "02199", "(617) 555-8008",
          "10 a.m. to 7 p.m.", "12 p.m. to 6 p.m.", (42.347, -71.082)),
    Store("Washington DC Georgetown", "1234 Wisconsin Ave NW, Washington, DC", "20007",
          "(202) 555-9009", "10 a.m. to 7 p.m.", "12 p.m. to 5 p.m.", (38.914, -77.078)),
    Store("Miami Beach", "1601 Collins Ave, Miami Beach, FL", "33139", "(305) 555-1010",
          "10 a.m. to 8 p.m.", "11 a.m. to 6 p.m.", (25.786, -80.139)),
)  # fmt: skip

# Zip codes are given out from the north-east to the south-west; the first three digits name a sorting centre's area.
# (first three digits from, to, degrees north, degrees east): rough middles, good for "which store is nearest".
AREAS: Final = (
    (5, 5, 40.8, -73.0), (6, 9, 18.2, -66.3), (10, 14, 42.3, -72.2), (15, 19, 42.4, -71.3), (20, 27, 42.0, -70.9),
    (28, 29, 41.7, -71.5), (30, 38, 43.2, -71.5), (39, 49, 44.3, -69.8), (50, 59, 44.0, -72.7), (60, 69, 41.5, -72.8),
    (70, 79, 40.7, -74.3), (80, 84, 39.6, -74.9), (85, 89, 40.3, -74.5), (100, 104, 40.8, -73.9),
    (105, 109, 41.2, -73.9), (110, 119, 40.8, -73.3), (120, 129, 42.8, -73.9), (130, 149, 42.9, -76.8),
    (150, 168, 40.6, -79.5), (169, 188, 40.9, -76.3), (189, 196, 40.1, -75.3), (197, 199, 39.4, -75.6),
    (200, 205, 38.9, -77.0), (206, 219, 39.1, -76.7), (220, 246, 37.8, -78.0), (247, 268, 38.6, -80.9),
    (270, 289, 35.6, -79.4), (290, 299, 34.0, -81.0), (300, 319, 33.2, -83.8), (320, 329, 29.6, -82.0),
    (330, 334, 26.0, -80.2), (335, 339, 27.6, -82.3), (341, 342, 26.6, -81.9), (344, 349, 28.4, -81.4),
    (350, 369, 33.0, -86.8), (370, 385, 35.8, -86.3), (386, 397, 32.9, -89.7), (398, 399, 31.4, -84.2),
    (400, 427, 37.8, -85.3), (430, 459, 40.2, -82.8), (460, 479, 40.0, -86.2), (480, 499, 43.0, -84.6),
    (500, 528, 42.0, -93.4), (530, 549, 44.0, -89.6), (550, 567, 45.5, -94.2), (570, 577, 44.2, -99.4),
    (580, 588, 47.3, -99.9), (590, 599, 46.7, -110.0), (600, 629, 40.8, -89.0), (630, 658, 38.5, -92.0),
    (660, 679, 38.5, -97.0), (680, 693, 41.2, -98.0), (700, 714, 30.7, -91.5), (716, 729, 34.9, -92.4),
    (730, 749, 35.5, -97.0), (750, 769, 32.5, -97.0), (770, 789, 29.8, -97.0), (790, 799, 32.6, -102.2),
    (800, 816, 39.2, -105.2), (820, 831, 42.9, -107.3), (832, 838, 44.3, -115.0), (840, 847, 40.3, -111.7),
    (850, 865, 33.6, -111.8), (870, 884, 34.8, -106.3), (885, 885, 31.8, -106.4), (889, 898, 37.5, -116.4),
    (900, 908, 33.95, -118.25), (910, 918, 34.1, -118.1), (919, 921, 32.8, -117.1), (922, 925, 33.9, -116.6),
    (926, 928, 33.7, -117.8), (930, 935, 35.0, -119.4), (936, 938, 36.8, -119.8), (939, 939, 36.6, -121.7),
    (940, 941, 37.7, -122.4), (942, 942, 38.58, -121.49), (943, 944, 37.5, -122.2), (945, 948, 37.8, -122.1),
    (949, 949, 38.1, -122.6), (950, 951, 37.3, -121.9), (952, 953, 37.8, -121.2), (954, 955, 39.4, -123.2),
    (956, 958, 38.6, -121.4), (959, 961, 40.0, -121.6), (967, 968, 21.3, -157.9), (970, 979, 44.6, -122.2),
    (980, 989, 47.4, -121.9), (990, 994, 47.3, -117.9), (995, 999, 61.5, -149.5),
)  # fmt: skip

PHONE: Final = re.compile(r"\((\d{3})\) (\d{3})-(\d{4})")
ZIP: Final = re.compile(r"\d{5}")
EARTH_KM: Final = 6371.0
SMALL_WORDS: Final = frozenset(
    {"a", "about", "all", "an", "and", "any", "are", "can", "do", "does", "for", "have", "how", "i",
     "in", "is", "it", "me", "my", "of", "on", "our", "plan", "plans", "policy", "tell", "the", "there",
     "to", "what", "which", "with", "you", "your", "newtelco", "option", "options"}
)  # fmt: skip


def placeholder_phone(phone_number: str) -> str | None:
    """Return what is wrong with a number that no caller has said, or None. The form is (xxx) xxx-xxxx."""
    found = PHONE.fullmatch(phone_number)
    if found is None:
        return "the phone number must have the form (xxx) xxx-xxxx with digits that the caller has said"
    digits = "".join(found.groups())
    made_up = len(set(digits)) == 1 or digits in ("1234567890", "0123456789", "9876543210")
    if made_up or digits[0] in "01" or digits == "5555555555" or digits.endswith("5550000"):
        return "this is a placeholder, not a number that the caller has said; ask for the phone number"
    return None


def find_account(phone_number: str) -> dict[str, Any]:
    """Return the account of `phone_number`, or {"error": ...} for a placeholder or a number without account."""
    if (wrong := placeholder_phone(phone_number)) is not None:
        return {"error": wrong}
    account = ACCOUNTS.get(phone_number)
    if account is None:
        return {
            "error": "no_account",
            "phone_number": phone_number,
            "message": "No account has this phone number.",
        }
    return account


def find_policies(topic: str) -> dict[str, Any]:
    """Return the policies that share words with `topic`, the one that shares most first; none is an answer too."""
    wanted = _words(topic) - SMALL_WORDS or _words(topic)
    ranked = sorted(
        ((len(wanted & _words(policy.words)), -place, policy) for place, policy in enumerate(POLICIES)),
        key=lambda one: one[:2],
        reverse=True,
    )
    found = [policy.as_dict() for score, _, policy in ranked if score]
    if not found:
        return {"policies": [], "message": f"No policy is about {topic!r}."}
    return {"policies": found}


def find_stores(zip_code: str, *, most: int = 3) -> dict[str, Any]:
    """Return the `most` stores nearest to `zip_code`, nearest first, or {"error": ...} for a code that cannot be."""
    if not ZIP.fullmatch(zip_code):
        return {"error": "the zip code must be five digits that the caller has said"}
    here = _place(zip_code)
    if here is None or zip_code == "12345":
        return {
            "error": "no_such_zip",
            "zip_code": zip_code,
            "message": "There is no such zip code; ask again.",
        }
    nearest = sorted(STORES, key=lambda store: (store.zip_code != zip_code, _km(here, store.at)))
    return {"stores": [_as_dict(store) for store in nearest[:most]]}


def _as_dict(store: Store) -> dict[str, Any]:
    return {
        "name": store.name,
        "address": store.address,
        "zip_code": store.zip_code,
        "phone": store.phone,
        "hours": {"monday_to_saturday": store.monday_to_saturday, "sunday": store.sunday},
    }


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+(?:-[a-z]+)?", text.lower()))


def _place(zip_code: str) -> tuple[float, float] | None:
    area = int(zip_code[:3])
    return next(((north, east) for first, last, north, east in AREAS if first <= area <= last), None)


def _km(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Return the distance over the earth by the haversine formula."""
    (north1, east1), (north2, east2) = ((radians(a), radians(b)) for a, b in (here, there))
    half = sin((north2 - north1) / 2) ** 2 + cos(north1) * cos(north2) * sin((east2 - east1) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(half))
