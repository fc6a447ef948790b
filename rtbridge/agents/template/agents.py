"""A café by phone.

The host answers, knows the opening hours, and hands whoever wants a table to the bookings desk.
"""

from typing import Literal

from agents.realtime import RealtimeAgent

from agents import function_tool

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
HOURS = {"saturday": "nine to six", "sunday": "ten to four"}


@function_tool
def openingHours(day: Day) -> dict[str, str]:
    """Look up when the café is open on a day of the week."""
    return {"day": day, "hours": HOURS.get(day, "eight to six")}


bookings = RealtimeAgent(
    name="bookings",
    handoff_description="Takes bookings for a table.",
    instructions="You book tables at Café Rosa. Ask for a name and a time, read both back, and confirm. Be brief.",
)

host = RealtimeAgent(
    name="host",
    handoff_description="Answers the phone and knows the opening hours.",
    instructions="""\
You answer the phone at Café Rosa, warmly and in one or two short sentences at a time.
- For opening hours call openingHours; never answer from memory. Ask for the day if it was not said.
- Hand whoever wants a table to the bookings desk at once.
""",
    tools=[openingHours],
    handoffs=[bookings],
)

bookings.handoffs.append(host)
company = "Café Rosa"
start = host
