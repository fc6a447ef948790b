"""Every event of a call, as frozen dataclasses: the one vocabulary of log lines, page, metrics and replay checks.

An entry's `event` is a `noun.past_tense`. `to_caller` entries also go over the data channel as `rtbridge.<event>`.
No entry holds audio or a key. Times are not in here: whoever writes an entry down adds the time it was told.
Those of tools are written in journal_tools.py, those of sounds over the agent in journal_barge_in.py, those of turns
in journal_turns.py, those of what callers switch in journal_controls.py, and all are found here.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtbridge.core.entry import Entry as Entry
from rtbridge.core.journal_barge_in import BargeInConfirmed as BargeInConfirmed
from rtbridge.core.journal_barge_in import BargeInDeciding as BargeInDeciding
from rtbridge.core.journal_barge_in import BargeInDismissed as BargeInDismissed
from rtbridge.core.journal_controls import ControlsChanged as ControlsChanged
from rtbridge.core.journal_controls import PushToTalkPressed as PushToTalkPressed
from rtbridge.core.journal_controls import PushToTalkReleased as PushToTalkReleased
from rtbridge.core.journal_tools import EffectDone as EffectDone
from rtbridge.core.journal_tools import FillerAsked as FillerAsked
from rtbridge.core.journal_tools import ToolApprovalExpired as ToolApprovalExpired
from rtbridge.core.journal_tools import ToolApprovalRequested as ToolApprovalRequested
from rtbridge.core.journal_tools import ToolApproved as ToolApproved
from rtbridge.core.journal_tools import ToolEnded as ToolEnded
from rtbridge.core.journal_tools import ToolRejected as ToolRejected
from rtbridge.core.journal_tools import ToolStarted as ToolStarted
from rtbridge.core.journal_turns import LATENCY_PARTS as LATENCY_PARTS
from rtbridge.core.journal_turns import TurnChanged as TurnChanged
from rtbridge.core.journal_turns import TurnEnded as TurnEnded
from rtbridge.core.journal_turns import TurnIgnored as TurnIgnored


# -- the call ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class CallOpened(Entry):
    """Both legs are up and the call is live."""

    event = "call.opened"
    to_caller = True
    scenario: str
    agent: str
    upstream: str  # where the upstream leg goes, without secrets
    demo: bool  # True when the embedded engine speaks


@dataclass(frozen=True, slots=True)
class CallClosed(Entry):
    """The call is over; nothing follows."""

    event = "call.closed"
    to_caller = True
    reason: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Recording(Entry):
    """The call is being recorded: told before anything is said."""

    event = "recording"
    to_caller = True
    on: bool = True


@dataclass(frozen=True, slots=True)
class MediaSuspended(Entry):
    """Nothing has come from the caller for a while; the call waits."""

    event = "media.suspended"
    reason: str


@dataclass(frozen=True, slots=True)
class MediaResumed(Entry):
    """The caller is back."""

    event = "media.resumed"
    gap_ms: int


@dataclass(frozen=True, slots=True)
class MediaCounted(Entry):
    """How the caller's audio was carried so far: with each answer, and at the call's end. Only of legs with RTP."""

    event = "media.counted"
    to_caller = True
    received: int  # packets
    lost: int  # packets that never came, or too late
    late: int  # of these, those that came too late
    reordered: int  # came behind a newer one, in time
    line_ms: int  # what went upstream
    fec_ms: int  # of it, repaired from the packet after the loss
    concealed_ms: int  # of it, guessed
    silent_ms: int  # silence in the place of the caller's audio, and what never went upstream
    delivered_pct: float  # share of the caller's time that is not silent_ms
    jitter_ms: float  # interarrival jitter, RFC 3550 §6.4.1
    rtt_ms: float  # 0 until it is known


@dataclass(frozen=True, slots=True)
class CallerRefused(Entry):
    """A data-channel event that was not obeyed; the caller was told by `error`."""

    event = "caller.refused"
    type: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Notice(Entry):
    """Something the caller may want to know: what of a session.update was left as it is, and why."""

    event = "notice"
    to_caller = True
    message: str
    ignored: tuple[str, ...] = ()


# -- keys -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class DtmfReceived(Entry):
    """The caller pressed a key."""

    event = "dtmf.received"
    to_caller = True
    digit: str  # 0-9, *, #, A-D
    by: str  # media | page


# -- conversation -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class CallerSaid(Entry):
    """The transcript of a caller's turn, spoken or typed."""

    event = "caller.said"
    item_id: str
    text: str
    typed: bool = False


@dataclass(frozen=True, slots=True)
class ItemBegun(Entry):
    """An agent begins an item: whose words they are, before the first of them."""

    event = "item.begun"
    to_caller = True
    item_id: str
    agent: str


@dataclass(frozen=True, slots=True)
class AgentSaid(Entry):
    """An agent's item is complete as the model made it; what was heard of it is in item.heard."""

    event = "agent.said"
    item_id: str
    agent: str
    text: str


@dataclass(frozen=True, slots=True)
class ItemHeard(Entry):
    """An item will play no further: what of it was heard."""

    event = "item.heard"
    to_caller = True
    item_id: str
    heard_ms: int
    total_ms: int
    heard_text: str
    unheard_text: str


@dataclass(frozen=True, slots=True)
class ItemTruncated(Entry):
    """The upstream was told how much of an item was heard."""

    event = "item.truncated"
    item_id: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class ItemDeleted(Entry):
    """The upstream was told that nothing of an item was heard."""

    event = "item.deleted"
    item_id: str


@dataclass(frozen=True, slots=True)
class GuardrailJudged(Entry):
    """Where the checks of an item stand. A later entry of the same item replaces an earlier one.

    `unchecked` is a classifier that failed or was too late: it says nothing about the words, and is no pass.
    """

    event = "guardrail.judged"
    to_caller = True
    item_id: str
    state: str  # pending | pass | fail | unchecked
    category: str | None = None  # OFFENSIVE | OFF_BRAND | VIOLENCE | NONE, or a guardrail's name
    rationale: str | None = None
    text: str | None = None  # what was checked: the sentence that failed, else the whole answer
    latency_ms: int | None = None  # from the words' coming to the verdict
    who: str = "agent"  # agent | caller


@dataclass(frozen=True, slots=True)
class GuardrailTripped(Entry):
    """A guardrail stopped an item: nothing of it is heard beyond `heard_ms`, which plays to its end."""

    event = "guardrail.tripped"
    to_caller = True
    item_id: str
    state: str  # fail | unchecked: it was not checked in time, and is not played unchecked
    policy: str  # gate | observe
    heard_ms: int
    action: str  # corrected: the model answers again | safe_phrase | silence


# -- responses and agents ---------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ResponseRequested(Entry):
    """The arbiter sent response.create."""

    event = "response.requested"
    cause: str  # greeting | speech | text | dtmf | tool | handoff | client | retry | ending


@dataclass(frozen=True, slots=True)
class ResponseEnded(Entry):
    """A response is done."""

    event = "response.ended"
    response_id: str
    status: str
    reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class AgentHandedOff(Entry):
    """Another agent speaks from here on: its session is in force and its first response was asked for."""

    event = "agent.handed_off"
    to_caller = True
    from_: str
    to: str
    took_ms: int


@dataclass(frozen=True, slots=True)
class AgentSwitchFailed(Entry):
    """Somebody at the page wanted another agent, and its session could not be made: who spoke before goes on."""

    event = "agent.switch_failed"
    to_caller = True
    to: str
    why: str


@dataclass(frozen=True, slots=True)
class BoundReached(Entry):
    """A tool call or handoff was not run: there were too many. The model is asked to come to an end."""

    event = "bound.reached"
    to_caller = True
    bound: str  # tool_calls | handoffs
    limit: int
    call_id: str
    name: str


# -- upstream ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class UpstreamOpened(Entry):
    """The upstream leg is up and its session is configured."""

    event = "upstream.opened"
    url: str
    took_ms: int


@dataclass(frozen=True, slots=True)
class UpstreamFailed(Entry):
    """The upstream leg went away or never came."""

    event = "upstream.failed"
    reason: str


@dataclass(frozen=True, slots=True)
class UpstreamErred(Entry):
    """The upstream sent `error`; `benign` ones are races that the protocol cannot avoid."""

    event = "upstream.erred"
    code: str
    message: str
    benign: bool


@dataclass(frozen=True, slots=True)
class AudioDropped(Entry):
    """Audio that could not be kept: where, and how much."""

    event = "audio.dropped"
    where: str  # upstream_backlog | playout | mic
    ms: int
