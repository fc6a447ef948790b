"""Retail customer service.

Snowy Peak Boards by phone: authentication verifies the caller, then returns, sales or a stand-in for a person go on.
The prompts say how to talk; what is allowed is decided in code, from what was heard (verification.py).
"""

from agents.realtime import RealtimeAgent, realtime_handoff

from . import prompts, tools
from .verification import leave_authentication

company = "Snowy Peak Boards"

authentication = RealtimeAgent(
    name="authentication",
    handoff_description="Answers the call, verifies the caller, updates the address, offers the loyalty programme.",
    instructions=prompts.AUTHENTICATION,
    tools=[
        tools.authenticate_user_information,
        tools.save_or_update_address,
        tools.update_user_offer_response,
    ],
)

returns = RealtimeAgent(
    name="returns",
    handoff_description="Jane from returns: orders, the return policy, returns and exchanges.",
    instructions=prompts.RETURNS,
    tools=[tools.lookup_orders, tools.retrieve_policy, tools.check_eligibility],
)

salesAgent = RealtimeAgent(
    name="salesAgent",
    handoff_description="Sales: what is on offer, recommendations, cart and checkout.",
    instructions=prompts.SALES,
    tools=[tools.lookup_new_sales, tools.add_to_cart, tools.checkout],
)

simulatedHuman = RealtimeAgent(
    name="simulatedHuman",
    handoff_description="Stands in for a person: for callers who are upset or ask for a human.",
    instructions=prompts.HUMAN,
)

authentication.handoffs = [
    realtime_handoff(returns, on_handoff=leave_authentication),
    realtime_handoff(salesAgent, on_handoff=leave_authentication),
    simulatedHuman,
]
returns.handoffs = [authentication, salesAgent, simulatedHuman]
salesAgent.handoffs = [authentication, returns, simulatedHuman]
simulatedHuman.handoffs = [authentication, returns, salesAgent]

start = authentication
