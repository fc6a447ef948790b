"""Phone support with a supervisor.

A junior agent talks: it greets, chats, repeats and collects numbers. Everything else it asks a supervisor, a text
model with the company's tools, while a short filler keeps the line alive.
"""

from __future__ import annotations

from typing import Any

from agents.realtime import RealtimeAgent

from rtbridge.agents.supervisor import Supervisor

from .prompts import ASK_SUPERVISOR, JUNIOR, SUPERVISOR
from .tools import find_nearest_store, get_user_account_info, look_up_policy_document

company = "NewTelco"

supervisorAgent = Supervisor(
    name="supervisorAgent",
    instructions=SUPERVISOR,
    tools=(look_up_policy_document, get_user_account_info, find_nearest_store),
)

chatAgent = RealtimeAgent[Any](
    name="chatAgent",
    handoff_description="Answers for NewTelco, collects what is needed, and speaks the supervisor's answers.",
    instructions=JUNIOR,
    tools=[supervisorAgent.as_tool(ASK_SUPERVISOR)],
)

start = chatAgent
