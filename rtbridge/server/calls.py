"""Signalling: one offer in, one answer out, and what may be done to a call by its id.

The contract is that of the OpenAI Realtime API over WebRTC (`POST /v1/realtime/calls`), with the status codes of
WHIP (RFC 9725) where that API says nothing. A call belongs to whoever opened it: to anyone else its id is unknown.
"""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from rtbridge.core.requests import merged
from rtbridge.errors import (
    BadRequest,
    Closed,
    Forbidden,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    TooManyRequests,
    Unavailable,
    Unprocessable,
)
from rtbridge.server.body import Offer, check_wish
from rtbridge.server.keys import ClientSecret, Grant, Keyring
from rtbridge.server.limits import RateLimit
from rtbridge.server.ports import AnsweringLeg, Board, MakeLeg, Place
from rtbridge.settings import Settings

ANSWER_TIMEOUT_S: Final = 10.0
DEFAULT_SCENARIO: Final = "simple_handoff"
_MOST_ANSWERS = 1024
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was opened: its id, its SDP answer, and the entity tag of its ICE session."""

    call_id: str
    answer: str
    etag: str


_Slot = tuple[str, ClientSecret | None, str]  # principal, the very secret, Idempotency-Key


@dataclass(frozen=True, slots=True)
class _Call:
    grant: Grant
    leg: weakref.ref[
        AnsweringLeg
    ]  # the board owns it; a call that has ended keeps no peer until the next offer
    etag: str


class Calls:
    """Opens, changes and ends calls for HTTP clients."""

    def __init__(
        self,
        settings: Settings,
        board: Board,
        make_leg: MakeLeg,
        keyring: Keyring,
        *,
        now_s: Callable[[], float],
    ) -> None:
        self._board = board
        self._make_leg = make_leg
        self._keyring = keyring
        self._now_s = now_s
        self._per_principal = RateLimit(settings.offers_per_s)
        self._per_address = RateLimit(settings.offers_per_s_per_address)
        self._calls: dict[str, _Call] = {}
        self._answers: OrderedDict[_Slot, tuple[bytes, asyncio.Future[Answered]]] = OrderedDict()
        self.draining = False

    def admit(self, address: str, grant: Grant) -> None:
        """Count one offer. Raises Unavailable while draining, TooManyRequests over a rate that is set."""
        if self.draining:
            raise Unavailable("This bridge is shutting down.", code="draining", retry_after_s=5.0)
        now_s = self._now_s()
        wait_s = self._per_address.take(address, now_s) or self._per_principal.take(grant.principal, now_s)
        if wait_s:
            raise TooManyRequests(
                "Too many offers; slow down.", code="rate_limit_exceeded", retry_after_s=wait_s
            )

    async def open(self, offer: Offer, grant: Grant, *, scenario: str | None, agent: str | None) -> Answered:
        """Answer an offer and start its call.

        What the session of the offer, or of the secret, may wish for is what a session.update may: see `dialect`.
        Raises BadOffer, BadRequest (a session that cannot be), NotFound, TooManyRequests, Unavailable, Unauthorized
        (a used secret) and Forbidden (a secret for another scenario); then nothing is left behind, and the secret
        can be used again.
        """
        scenario, agent = self._choose(grant, scenario, agent)
        # What was minted into a secret binds whoever bears it; the rest is the bearer's own wish.
        wish = merged(offer.session, grant.secret.session if grant.secret is not None else {})
        check_wish(wish)
        self._forget_ended()
        self._keyring.spend(grant)
        try:
            place = self._board.reserve(scenario=scenario, agent=agent, principal=grant.principal)
            try:
                leg, answer = await self._answer(offer.sdp)
                call_id = await self._start(place, leg, wish)
            except BaseException:
                place.release()
                raise
        except BaseException:
            self._keyring.refund(grant)
            raise
        if grant.secret is not None:
            grant.secret.call_id = call_id
        etag = f'"{hashlib.sha256(answer.encode()).hexdigest()[:16]}"'
        self._calls[call_id] = _Call(grant, weakref.ref(leg), etag)
        return Answered(call_id, answer, etag)

    async def _answer(self, sdp: str) -> tuple[AnsweringLeg, str]:
        leg = self._make_leg()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return leg, await leg.answer(sdp)
        except TimeoutError:
            await leg.close()
            raise Unavailable("No answer could be made in time.", code="timeout", retry_after_s=1.0) from None
        except BaseException:
            await leg.close()
            raise

    async def _start(self, place: Place, leg: AnsweringLeg, wish: dict[str, Any]) -> str:
        try:
            return self._board.open(place, leg, wish=wish)
        except BaseException:
            await leg.close()
            raise

    async def once(
        self, grant: Grant, key: str, content: bytes, make: Callable[[], Awaitable[Answered]]
    ) -> tuple[Answered, bool]:
        """Make an answer, or return the one already made for this principal and Idempotency-Key.

        The second of the pair tells that it is a repetition. A repetition that comes while the first is still in
        work waits for it. A failure is not remembered: the next try is a new one. Raises Unprocessable when the
        key was used for another offer.
        """
        if len(key) > _LONGEST_KEY:
            raise BadRequest(
                f"Idempotency-Key is over {_LONGEST_KEY} characters.", code="invalid_idempotency_key"
            )
        slot = (grant.principal, grant.secret, key)
        print_ = hashlib.sha256(content).digest()
        if known := self._answers.get(slot):
            before, future = known
            if before != print_:
                raise Unprocessable(
                    "This Idempotency-Key was used for another offer.", code="idempotency_key_reused"
                )
            return await asyncio.shield(future), True
        future = asyncio.get_running_loop().create_future()
        self._answers[slot] = (print_, future)
        while len(self._answers) > _MOST_ANSWERS:
            self._answers.popitem(last=False)
        try:
            answered = await make()
        except BaseException as error:
            self._answers.pop(slot, None)
            future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            future.exception()  # read here: when nobody waits for it, that is no news
            raise
        future.set_result(answered)
        return answered, False

    async def add_candidates(
        self, call_id: str, grant: Grant, fragment: str, *, if_match: str | None
    ) -> None:
        """Hand trickled candidates to a call's leg (RFC 9725 §4.3.1).

        Raises NotFound, PreconditionRequired without If-Match, PreconditionFailed for another ICE session,
        Unprocessable for an ICE restart (`If-Match: *`), BadOffer for a fragment that does not parse.
        """
        call = self._owned(call_id, grant)
        if if_match is None:
            raise PreconditionRequired(
                "Send If-Match with the ETag of the answer.", code="precondition_required", param="If-Match"
            )
        if if_match.strip() == "*":
            raise Unprocessable(
                "ICE cannot be restarted by PATCH here; open a new call.", code="ice_restart_unsupported"
            )
        if call.etag not in [tag.strip() for tag in if_match.split(",")]:
            raise PreconditionFailed("If-Match names another ICE session.", code="precondition_failed")
        leg = call.leg()
        if leg is None:
            raise _no_call()
        try:
            await leg.add_candidates(fragment)
        except Closed:  # it ended just now
            raise _no_call() from None

    def hangup(self, call_id: str, grant: Grant) -> None:
        """End a call. Raises NotFound when it is unknown, over, or somebody else's."""
        self._owned(call_id, grant)
        del self._calls[call_id]
        if not self._board.hangup(call_id, "caller_hangup"):
            raise _no_call()

    def of(self, grant: Grant) -> list[str]:
        """Return the ids of the running calls that belong to this grant, oldest first."""
        return [
            call_id for call_id, call in self._calls.items() if grant.owns(call.grant) and self.alive(call_id)
        ]

    def check_owned(self, call_id: str, grant: Grant) -> None:
        """Raise NotFound when a call is unknown, over, or somebody else's."""
        self._owned(call_id, grant)

    def hangup_all(self, reason: str) -> None:
        """End every call that was opened here."""
        for call_id in list(self._calls):
            self._board.hangup(call_id, reason)

    def alive(self, call_id: str) -> bool:
        """Tell whether a call runs."""
        return self._board.leg(call_id) is not None

    def _owned(self, call_id: str, grant: Grant) -> _Call:
        call = self._calls.get(call_id)
        if call is None or not grant.owns(call.grant) or not self.alive(call_id):
            raise _no_call()
        return call

    def _choose(self, grant: Grant, scenario: str | None, agent: str | None) -> tuple[str, str | None]:
        secret = grant.secret
        if secret is not None and secret.scenario is not None:
            if scenario not in (None, secret.scenario) or (
                secret.agent and agent not in (None, secret.agent)
            ):
                raise Forbidden(
                    "This client secret was minted for another scenario or agent.",
                    code="secret_of_another_scenario",
                )
            return secret.scenario, secret.agent or agent
        if scenario is not None:
            return scenario, agent
        return default_scenario(self._board.scenarios), agent

    def _forget_ended(self) -> None:
        for call_id in [call_id for call_id in self._calls if not self.alive(call_id)]:
            del self._calls[call_id]


def default_scenario(scenarios: Iterable[str]) -> str:
    """Return the scenario of a call that names none: DEFAULT_SCENARIO, or the first where that one is not served."""
    names = list(scenarios)
    return DEFAULT_SCENARIO if DEFAULT_SCENARIO in names or not names else names[0]


def _no_call() -> NotFound:
    return NotFound("There is no such call.", code="call_not_found")
