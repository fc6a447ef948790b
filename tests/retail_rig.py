"""Snowy Peak Boards under test: one caller's values, what was said of them, and a call whose tools are called."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agents.items import ModelResponse
from agents.models.interface import Model
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from agents import Usage
from rtbridge.agents.effect_book import EffectBook
from rtbridge.agents.scenario import Scenario, default_root

FOLDER = default_root() / "customer_service_retail"
PHONE, OTHER = "(206) 555-0123", "(206) 555-0199"
IDENTITY = {
    "phone_number": PHONE,
    "date_of_birth": "1990-05-01",
    "last_4_digits": "4321",
    "last_4_digits_type": "credit_card",
}
ADDRESS = {"street": "12 Hill Street", "city": "Seattle", "state": "WA", "postal_code": "98101"}
SAVE = {"phone_number": PHONE, "new_address": ADDRESS}
OFFER = {"phone": PHONE, "offer_id": "a-592", "user_response": "DECLINED"}
CHECK = {"userDesiredAction": "return the snowboard", "question": "It delaminated."}
POLICY = {"region": "US", "itemCategory": "snowboard"}
WISH = "I'd like to return my snowboard."
DELAMINATED = "It delaminated after three runs and the edge came off."
HEARD = [
    ("authentication", "I have two zero six, five five five, zero one two three. Is that right?"),
    ("user", "Yes, that's right."),
    ("authentication", "That's May 1, 1990, right?"),
    ("user", "Correct."),
    ("authentication", "The last four of your card are 4 3 2 1. Yes?"),
    ("user", "Yes."),
    ("authentication", "I have 12 Hill Street, Seattle, Washington, 9 8 1 0 1. Is that right?"),
    ("user", "Yes."),
    ("authentication", "At Snowy Peak Boards, the people who ride with us"),
    ("user", "No thanks."),
]
HEARD_OTHER = [(who, line.replace("zero one two three", "zero one nine nine")) for who, line in HEARD]


class Thinker(Model):
    """A text model that says one thing, or raises."""

    def __init__(self, says: str | Exception) -> None:
        self.says = says
        self.asked: list[Any] = []

    async def get_response(
        self, system_instructions: str | None, input: Any, *_args: Any, **_more: Any
    ) -> ModelResponse:
        self.asked.append(input)
        if isinstance(self.says, Exception):
            raise self.says
        text = ResponseOutputText(type="output_text", text=self.says, annotations=[])
        message = ResponseOutputMessage(
            id="m", type="message", role="assistant", status="completed", content=[text]
        )
        return ModelResponse(output=[message], usage=Usage(), response_id=None)

    def stream_response(self, *_args: Any, **_more: Any) -> Any:
        raise NotImplementedError


class Desk:
    """One call's context, and its tools called as the SDK calls them."""

    def __init__(
        self,
        scenario: Scenario,
        *heard: tuple[str, str],
        model: Model | None = None,
        book: EffectBook | None = None,
        call_id: str = "rtc_1",
        **of_call: Any,
    ) -> None:
        self.scenario = scenario
        self.heard = list(heard)
        self.models: list[str] = []  # asked for, by name

        def text_model(name: str) -> Model:
            self.models.append(name)
            assert model is not None
            return model

        of_call |= {"transcript": lambda: self.heard, "effects": book or EffectBook()}
        if model is not None:
            of_call["text_model"] = text_model
        self.context = scenario.new_context(call_id=call_id, **of_call)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        tools = [tool for agent in self.scenario.agents.values() for tool in agent.tools if tool.name == name]
        text = json.dumps(arguments)
        ctx = ToolContext(self.context, tool_name=name, tool_call_id="call_1", tool_arguments=text)
        answer = await invoke_function_tool(function_tool=tools[0], context=ctx, arguments=text)  # type: ignore[arg-type]
        try:
            return json.loads(answer)
        except ValueError:
            return answer

    async def refused(self, name: str, arguments: Mapping[str, Any]) -> str:
        answer = await self.call(name, arguments)
        assert answer["error"]["type"] == "refused", answer
        return str(answer["error"]["message"])

    async def verified(self) -> None:
        for name, arguments in (
            ("authenticate_user_information", IDENTITY),
            ("save_or_update_address", SAVE),
            ("update_user_offer_response", OFFER),
        ):
            assert await self.call(name, arguments) == {"success": True}, name

    async def checked(self, *said: str, **arguments: str) -> Any:
        self.heard += [("user", line) for line in said]
        await self.call("lookupOrders", {"phoneNumber": PHONE})
        await self.call("retrievePolicy", POLICY)
        return await self.call("checkEligibilityAndPossiblyInitiateReturn", {**CHECK, **arguments})

    @property
    def returns(self) -> dict[str, Any]:
        found: dict[str, Any] = self.context.state.get("returns", {})
        return found
