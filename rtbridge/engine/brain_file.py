'''The lines of a scenario: how a `brain.toml` is written, read and checked.

A brain file is plain data: what each agent understands and what it says and does then. It lies beside a
scenario's `agents.py` and is used only by the embedded engine. Its parts, all optional unless noted:

    format = 1                                  # needed

    [[shared.intents]]                          # known to every agent; an agent's own of the same name wins
    ...

    [agents.NAME]                               # needed, one per agent; NAME is the agent's name
    opening = ["Hi! ..."]                       # needed: its first line, when it answers the call or takes over
    start = "offered"                           # the state after the opening
    lost = ["Sorry, ...", ...]                  # needed, two or more: not understood; said in order, in turn
    none = ["how is the weather", ...]          # example utterances that are none of its intents
    corrected = ["Let me put it differently."]  # said when a system message corrects what it was about to say

    [agents.NAME.states.offered]
    lost = [...]                                # in place of the agent's
    asks = "topic"                              # an utterance that is no intent fills this slot, ...
    then = "write"                              # ... and acts as this intent

    [[agents.NAME.intents]]
    name = "yes"                                # needed
    in = ["offered"]                            # states in which it can be meant; everywhere when absent
    grammar = "yes"                             # "yes" or "no": short answers are recognised without examples
    examples = ["yes please", ...]              # matched by meaning
    needs = ["phone"]                           # slots taken from the utterance or asked for, before it acts
    pick = { bank = "haiku", by = "topic" }     # chooses an entry: {picked} in lines; said before is not chosen again
    say = ["One moment.", ...]                  # variants; never the one that was just said
    say_unmatched = [...]                       # in place of `say` when nothing in the bank is about it
    repeat = true                               # says again what was said last, after `say`
    call = "lookupOrders"                       # a tool, or a handoff "transfer_to_<agent>", after `say`
    arguments = { phoneNumber = "{phone}" }     # values may hold {slot} and {heard}; "{slot}" alone keeps its type
    goto = "done"                               # the state after it

    [agents.NAME.slots.phone]
    kind = "phone"                              # needed: text | digits | phone | date | choice
    length = 4                                  # digits: how many
    choices = { ssn = ["social security"], credit_card = ["card"] }
    patterns = ['(?i)about (?P<value>.+)']      # text: taken out of any utterance, even one that asks for more
    strip = ['(?i)^how about ']                 # text: removed from what is taken
    ask = ["What is your phone number?"]        # needed if an intent needs it
    again = ["I need ten digits."]              # what came did not fit (`ask` when absent)
    confirm = ["I have {phone}. Right?"]        # read back; yes goes on, no or a new value starts over

    [[agents.NAME.replies]]                     # what is said of a tool's result; the first that fits and can be said
    tool = "lookupOrders"                       # needed
    when = { "order.status" = "delivered" }     # paths into the result (JSON) and what must be there; or "state"
    say = ["Your order {order.id} came."]       # {path} takes from the result, {slot} from what is known
    call = ... / arguments = ... / goto = ...   # as in an intent

    [[banks.haiku]]                             # entries of a bank
    about = ["the ocean", "sea"]                # what it is about, matched by meaning and by word
    text = """..."""                            # needed
    any = true                                  # also good for any subject

`{name|digits}` reads a value digit by digit, `{name|date}` a date in words. A name that is not there makes the line
unusable: the next variant is tried. Loading checks all names that one part of the file uses of another.
'''

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rtbridge.engine.toml_table import Table
from rtbridge.errors import ScenarioError

FORMAT: Final = 1
KINDS: Final = ("text", "digits", "phone", "date", "choice")


@dataclass(frozen=True, slots=True)
class Act:
    """What an intent or a reply does."""

    say: tuple[str, ...] = ()
    say_unmatched: tuple[str, ...] = ()
    repeat: bool = False
    call: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    goto: str = ""
    pick_bank: str = ""
    pick_by: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """Something a caller may mean."""

    name: str
    states: frozenset[str]  # empty: any
    grammar: str
    examples: tuple[str, ...]
    needs: tuple[str, ...]
    act: Act


@dataclass(frozen=True, slots=True)
class Slot:
    """Something a caller tells."""

    name: str
    kind: str
    length: int
    choices: Mapping[str, tuple[str, ...]]
    patterns: tuple[re.Pattern[str], ...]
    strip: tuple[re.Pattern[str], ...]
    ask: tuple[str, ...]
    again: tuple[str, ...]
    confirm: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Where a conversation stands."""

    lost: tuple[str, ...] = ()
    asks: str = ""
    then: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said of a tool's result."""

    tool: str
    when: Mapping[str, Any]
    act: Act


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent's lines."""

    name: str
    opening: tuple[str, ...]
    start: str
    lost: tuple[str, ...]
    none: tuple[str, ...]
    corrected: tuple[str, ...]
    states: Mapping[str, State]
    intents: tuple[Intent, ...]
    slots: Mapping[str, Slot]
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to tell, and what it is about."""

    about: tuple[str, ...]
    text: str
    any: bool


@dataclass(frozen=True, slots=True)
class BrainFile:
    """All lines of a scenario."""

    agents: Mapping[str, Agent]
    banks: Mapping[str, tuple[Entry, ...]]


def load_brain_file(path: Path) -> BrainFile:
    """Read and check a `brain.toml`. Raises ScenarioError, which names file, place and fault."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise ScenarioError(f"{path}: {e}") from e
    root = Table(path, "brain file", data)
    if root.take("format", int, 0) != FORMAT:
        raise root.wrong(f"format must be {FORMAT}")
    shared = Table(path, "shared", root.table("shared"))
    common = tuple(_intent(table) for table in shared.tables("intents"))
    shared.done()
    agents = {name: _agent(name, table, common) for name, table in root.named("agents")}
    banks = {name: _bank(path, name, entries) for name, entries in root.table("banks").items()}
    root.done()
    if not agents:
        raise root.wrong("has no agents")
    for agent in agents.values():
        _check(path, agent, banks)
    return BrainFile(agents, banks)


def _agent(name: str, table: Table, common: tuple[Intent, ...]) -> Agent:
    own = tuple(_intent(one) for one in table.tables("intents"))
    names = {intent.name for intent in own}
    agent = Agent(
        name=name,
        opening=table.lines("opening", at_least=1),
        start=table.take("start", str, ""),
        lost=table.lines("lost", at_least=2),
        none=table.lines("none"),
        corrected=table.lines("corrected"),
        states={state: _state(one) for state, one in table.named("states")},
        intents=(*own, *(intent for intent in common if intent.name not in names)),
        slots={slot: _slot(slot, one) for slot, one in table.named("slots")},
        replies=tuple(_reply(one) for one in table.tables("replies")),
    )
    table.done()
    return agent


def _state(table: Table) -> State:
    state = State(table.lines("lost"), table.take("asks", str, ""), table.take("then", str, ""))
    table.done()
    return state


def _act(table: Table) -> Act:
    pick = Table(table.path, f"{table.where}.pick", table.table("pick"))
    act = Act(
        say=table.lines("say"),
        say_unmatched=table.lines("say_unmatched"),
        repeat=table.take("repeat", bool, False),
        call=table.take("call", str, ""),
        arguments=table.table("arguments"),
        goto=table.take("goto", str, ""),
        pick_bank=pick.take("bank", str, ""),
        pick_by=pick.take("by", str, ""),
    )
    pick.done()
    return act


def _intent(table: Table) -> Intent:
    intent = Intent(
        name=table.take("name", str, ""),
        states=frozenset(table.lines("in")),
        grammar=table.take("grammar", str, ""),
        examples=table.lines("examples"),
        needs=table.lines("needs"),
        act=_act(table),
    )
    table.done()
    if not intent.name:
        raise table.wrong("needs a name")
    if intent.grammar not in ("", "yes", "no"):
        raise table.wrong(f"grammar must be yes or no, not {intent.grammar!r}")
    return intent


def _slot(name: str, table: Table) -> Slot:
    choices = {
        key: tuple(str(word) for word in words) if isinstance(words, list) else (str(words),)
        for key, words in table.table("choices").items()
    }
    slot = Slot(
        name=name,
        kind=table.take("kind", str, ""),
        length=table.take("length", int, 0),
        choices=choices,
        patterns=table.patterns("patterns"),
        strip=table.patterns("strip"),
        ask=table.lines("ask"),
        again=table.lines("again"),
        confirm=table.lines("confirm"),
    )
    table.done()
    if slot.kind not in KINDS:
        raise table.wrong(f"kind must be one of {', '.join(KINDS)}, not {slot.kind!r}")
    if (slot.kind == "choice") != bool(choices):
        raise table.wrong("choices belong to a slot of kind choice, and it needs them")
    return slot


def _reply(table: Table) -> Reply:
    reply = Reply(table.take("tool", str, ""), table.table("when"), _act(table))
    table.done()
    if not reply.tool:
        raise table.wrong("needs a tool")
    return reply


def _bank(path: Path, name: str, entries: object) -> tuple[Entry, ...]:
    root = Table(path, "banks", {name: entries})
    found: list[Entry] = []
    for table in root.tables(name):
        text = table.take("text", str, "").strip()
        found.append(Entry(table.lines("about"), text, table.take("any", bool, False)))
        table.done()
        if not text:
            raise table.wrong("needs a text")
    if not any(entry.any for entry in found):
        raise root.wrong(f"{name} needs an entry with any = true")
    return tuple(found)


def _check(path: Path, agent: Agent, banks: Mapping[str, Any]) -> None:
    """Raise ScenarioError for a name that is used and not defined."""
    intents = {intent.name for intent in agent.intents}
    acts = [(f"intent {i.name}", i.act) for i in agent.intents] + [
        (f"reply to {r.tool}", r.act) for r in agent.replies
    ]
    used: list[tuple[str, str, Container[str], str]] = [("start", agent.start, agent.states, "state")]
    used += [(where, act.goto, agent.states, "state") for where, act in acts]
    used += [(where, act.pick_bank, banks, "bank") for where, act in acts]
    used += [(where, act.pick_by, agent.slots, "slot") for where, act in acts]
    used += [(f"state {name}", state.asks, agent.slots, "slot") for name, state in agent.states.items()]
    used += [(f"state {name}", state.then, intents, "intent") for name, state in agent.states.items()]
    used += [(f"intent {i.name}", name, agent.slots, "slot") for i in agent.intents for name in i.needs]
    used += [(f"intent {i.name}", name, agent.states, "state") for i in agent.intents for name in i.states]
    for where, name, known, kind in used:
        if name and name not in known:
            raise ScenarioError(f"{path}: agents.{agent.name}: {where}: there is no {kind} {name!r}")
    for intent in agent.intents:
        for name in intent.needs:
            if not agent.slots[name].ask:
                raise ScenarioError(
                    f"{path}: agents.{agent.name}.slots.{name}: intent {intent.name} needs it: give it `ask` lines"
                )
