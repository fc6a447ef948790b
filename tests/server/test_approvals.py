"""Approvals over HTTP: who may list and answer, and that a caller's secret or page may not."""

from __future__ import annotations

from typing import Any

import pytest

from server_rig import Running, running

KEY = "a-caller-key-of-good-length"
OTHER_KEY = "another-caller-key-of-length"
LIST = "/v1/realtime/approvals"
WAITS = {
    "tool_call_id": "call_1",
    "name": "refund",
    "arguments": "{}",
    "agent": "till",
    "expires_in_ms": 21_000,
}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def path(call_id: str, tool_call_id: str = "call_1") -> str:
    return f"/v1/realtime/calls/{call_id}/approvals/{tool_call_id}"


async def opened(bridge: Running, **headers: str) -> str:
    """Open a call in which a tool waits; return its id."""
    status, got, _ = await bridge.call(headers=headers)
    assert status == 201
    call_id = str(got["Location"]).rsplit("/", 1)[1]
    bridge.board.waiting[call_id] = [WAITS]
    return call_id


async def test_a_program_on_a_keyless_machine_lists_and_answers() -> None:
    async with running() as bridge:
        call_id = await opened(bridge)
        assert (await bridge.ask("GET", LIST))[2] == {
            "object": "list",
            "data": [{"call_id": call_id, **WAITS}],
        }
        status, _, body = await bridge.ask("POST", path(call_id), json={"approve": True})
        assert status == 200
        assert body == {"call_id": call_id, "tool_call_id": "call_1", "state": "approved"}
        status, _, body = await bridge.ask(
            "POST", path(call_id), json={"approve": False, "message": "too much"}
        )
        assert (status, body["state"]) == (200, "rejected")
        assert bridge.board.answers == [
            (call_id, "call_1", True, "operator", ""),
            (call_id, "call_1", False, "operator", "too much"),
        ]


async def test_a_page_without_a_key_may_not_approve_not_even_our_own() -> None:
    async with running() as bridge:
        call_id = await opened(bridge)
        for origin in (bridge.origin, "https://elsewhere.example"):
            status, _, body = await bridge.ask(
                "POST", path(call_id), json={"approve": True}, headers={"Origin": origin}
            )
            assert status == 403
            assert body["error"]["code"] in ("origin_may_not_approve", "origin_not_allowed")
        status, _, body = await bridge.ask(
            "POST", path(call_id), json={"approve": True}, headers={"Host": "evil.example"}
        )
        assert (status, body["error"]["code"]) == (403, "host_not_allowed")
        assert bridge.board.answers == []


@pytest.mark.parametrize("keys", [(), (KEY, OTHER_KEY)])
async def test_a_client_secret_is_not_enough_even_for_its_own_call(keys: tuple[str, ...]) -> None:
    async with running(api_keys=keys) as bridge:
        secret = bearer(await bridge.mint(headers=bearer(KEY)))
        call_id = await opened(bridge, **secret)
        for method, where, more in (
            ("GET", LIST, {}),
            ("POST", path(call_id), {"json": {"approve": True}}),
        ):
            status, _, body = await bridge.ask(method, where, headers=secret, **more)
            assert (status, body["error"]["code"]) == (403, "operator_key_required")
            assert body["error"]["type"] == "permission_error"
        assert bridge.board.answers == []


async def test_an_operator_sees_and_answers_for_the_calls_of_its_key_alone() -> None:
    async with running(api_keys=(KEY, OTHER_KEY)) as bridge:
        call_id = await opened(bridge, **bearer(await bridge.mint(headers=bearer(KEY))))
        assert (await bridge.ask("GET", LIST))[0] == 401
        assert (await bridge.ask("GET", LIST, headers=bearer(OTHER_KEY)))[2]["data"] == []
        status, _, body = await bridge.ask(
            "POST", path(call_id), json={"approve": True}, headers=bearer(OTHER_KEY)
        )
        assert (status, body["error"]["code"]) == (404, "call_not_found")
        assert len((await bridge.ask("GET", LIST, headers=bearer(KEY)))[2]["data"]) == 1
        status, _, _ = await bridge.ask("POST", path(call_id), json={"approve": True}, headers=bearer(KEY))
        assert status == 200
        assert len(bridge.board.answers) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "approve"),
        ({"approve": "yes"}, "approve"),
        ({"approve": 1}, "approve"),
        ({"approve": True, "message": "yes"}, "message"),
        ({"approve": False, "message": 7}, "message"),
        ({"approve": False, "message": "n" * 501}, "message"),
        ({"approve": True, "always": True}, "always"),
    ],
)
async def test_an_answer_that_is_not_one_is_refused_by_the_name_of_what_is_wrong(
    body: dict[str, Any], param: str
) -> None:
    async with running() as bridge:
        call_id = await opened(bridge)
        status, _, said = await bridge.ask("POST", path(call_id), json=body)
        assert (status, said["error"]["param"]) == (400, param)
        assert bridge.board.answers == []


async def test_a_form_cannot_approve_and_calls_that_are_over_are_not_found() -> None:
    async with running() as bridge:
        call_id = await opened(bridge)
        status, _, _ = await bridge.ask("POST", path(call_id), data={"approve": "true"})
        assert status == 415
        bridge.board.hangup(call_id, "over")
        status, _, body = await bridge.ask("POST", path(call_id), json={"approve": True})
        assert (status, body["error"]["code"]) == (404, "call_not_found")
        assert (await bridge.ask("GET", LIST))[2]["data"] == []
