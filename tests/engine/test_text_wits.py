"""Text models: the same brain over chat messages, and a real endpoint in its place."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import speech_rig
from brain_rig import tool
from rtbridge.engine.brain import Brain
from rtbridge.engine.foreign import Foreigner
from rtbridge.engine.http_wits import HttpWits
from rtbridge.engine.parts import Call, Say, TextReply, Turn
from rtbridge.engine.text_model import BrainText
from rtbridge.errors import BadRequest, Unavailable

LIGHTS = tool("turn_off_lights", description="Turns off the lights in the room.")
ASK = {"role": "user", "content": "Please turn off the lights."}
SCHEMA = {"type": "json_schema", "name": "verdict", "schema": {"type": "object"}}


@pytest.fixture(scope="module")
def text() -> BrainText:
    meaning = speech_rig.meaning()
    return BrainText(
        Brain({}, meaning), Foreigner(meaning), {"verdict": lambda messages: {"n": len(messages)}}
    )


def test_a_chat_calls_a_tool_and_tells_its_result(text: BrainText) -> None:
    called = text.respond([ASK], [LIGHTS], "any", None)
    assert called == TextReply("", (Call("turn_off_lights", "{}"),))
    function = {"name": "turn_off_lights", "arguments": "{}"}
    calls = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": function}]}
    done = {"role": "tool", "tool_call_id": "c1", "content": '{"state": "off"}'}
    assert text.respond([ASK, calls, done], [LIGHTS], "any", None).text == "Here is what I found. state: off."


def test_json_is_given_where_it_was_asked_for(text: BrainText) -> None:
    assert json.loads(text.respond([ASK], [], "any", {"type": "json_object"}).text)["text"]
    assert json.loads(text.respond([ASK], [], "any", SCHEMA).text) == {"n": 1}


def test_a_shape_is_known_by_its_title_where_the_agents_sdk_names_it_as_all_others(text: BrainText) -> None:
    shape = {**SCHEMA, "name": "final_output", "schema": {"title": "verdict", "type": "object"}}
    assert json.loads(text.respond([ASK], [], "any", shape).text) == {"n": 1}


def test_a_shape_that_nobody_classifies_is_refused_and_not_made_up(text: BrainText) -> None:
    with pytest.raises(BadRequest, match="'other'"):
        text.respond([ASK], [], "any", {**SCHEMA, "name": "other"})


class Endpoint(ThreadingHTTPServer):
    """A chat completions endpoint on loopback that answers as it is told and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[dict[str, Any]] = []
        self.message: dict[str, Any] = {"role": "assistant", "content": "Hello."}
        self.status = 200


class _Answer(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        choice = {"index": 0, "finish_reason": "stop", "message": self.server.message}
        body = json.dumps(
            {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        ).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def wits(endpoint: Endpoint) -> Iterator[HttpWits]:
    wits = HttpWits(f"http://127.0.0.1:{endpoint.server_address[1]}/v1", "small", None)
    yield wits
    wits.close()


def turn(items: list[dict[str, Any]], tool_choice: Any = "auto") -> Turn:
    return Turn("Be kind.", [LIGHTS], items, None, tool_choice, "Greet.", "sage")


def test_an_endpoint_gets_the_conversation_and_its_words_are_said(endpoint: Endpoint, wits: HttpWits) -> None:
    items: list[dict[str, Any]] = [
        {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": "Hi."}]},
        {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "ok"},
    ]
    assert wits.answer(turn(items)) == [Say("Hello.")]
    (asked,) = endpoint.asked
    assert asked["model"] == "small"
    assert asked["messages"][0]["content"].startswith("Be kind.\n\nGreet.")
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant", "tool"]
    assert asked["tools"][0]["function"]["name"] == "turn_off_lights"


def test_an_endpoints_tool_calls_are_calls(endpoint: Endpoint, wits: HttpWits) -> None:
    function = {"name": "turn_off_lights", "arguments": "{}"}
    call = {"id": "c", "type": "function", "function": function}
    endpoint.message = {"role": "assistant", "content": None, "tool_calls": [call]}
    named = {"type": "function", "name": "turn_off_lights"}
    assert wits.answer(turn([], named)) == [Call("turn_off_lights", "{}")]
    assert endpoint.asked[0]["tool_choice"] == {"type": "function", "function": {"name": "turn_off_lights"}}


def test_a_schema_goes_to_the_endpoint_in_its_own_shape(endpoint: Endpoint, wits: HttpWits) -> None:
    endpoint.message = {"role": "assistant", "content": '{"n": 1}'}
    assert wits.respond([ASK], [], "other", SCHEMA) == TextReply('{"n": 1}')
    json_schema = {"name": "verdict", "schema": {"type": "object"}}
    assert endpoint.asked[0]["response_format"] == {"type": "json_schema", "json_schema": json_schema}


def test_a_failing_endpoint_is_named(endpoint: Endpoint, wits: HttpWits) -> None:
    endpoint.status = 400
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        wits.answer(turn([]))
