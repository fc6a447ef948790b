"""What an input_filter may choose from, what goes, and that what was said stays said."""

from __future__ import annotations

from rig import Rig, Say, Use
from rtbridge.core import asks, history, journal
from rtbridge.core.agent_asks import handle_ask
from rtbridge.core.speech import entry_of
from rtbridge.core.transcript import Entry, Transcript


def message(item_id: str, role: str = "user", text: str = "hello") -> Entry:
    return Entry(item_id, "message", role, text)


def tool(item_id: str, kind: str, call_id: str) -> Entry:
    return Entry(item_id, kind, "", call_id=call_id)


def conversation() -> Transcript:
    made = Transcript()
    for entry in (
        message("u1"),
        tool("c1", "function_call", "call_1"),
        tool("o1", "function_call_output", "call_1"),
        message("a1", "assistant", "It is on its way."),
        tool("c2", "function_call", "call_2"),  # the handoff's own: no output yet
    ):
        made.add(entry, None)
    return made


def test_a_call_without_its_output_is_not_offered_and_stays() -> None:
    made = conversation()
    assert [item.id for item in history.offered(made)] == ["u1", "c1", "o1", "a1"]
    assert history.dropped(made, ()) == ("u1", "c1", "o1", "a1")


def test_a_call_and_its_output_stay_or_go_together() -> None:
    made = conversation()
    assert history.dropped(made, ("u1", "c1", "o1", "a1")) == ()
    assert history.dropped(made, ("u1", "o1", "a1")) == ("c1", "o1")
    assert history.dropped(made, ("c1",)) == ("u1", "c1", "o1", "a1")


def test_tools_are_shown_with_their_arguments_and_outputs() -> None:
    call = {"id": "c", "type": "function_call", "name": "look", "arguments": '{"a": 1}', "call_id": "call_1"}
    assert (entry_of({**call}).text, entry_of({**call}).call_id) == ('look({"a": 1})', "call_1")
    assert entry_of({"type": "function_call", "name": "look"}).text == "look()"
    assert entry_of({"type": "function_call_output", "output": "12"}).text == "12"


def test_a_calls_arguments_are_known_once_it_is_done() -> None:
    rig = Rig()
    item = {"id": "c1", "type": "function_call", "name": "look", "call_id": "call_1", "status": "in_progress"}
    rig.upstream({"type": "conversation.item.added", "item": item})
    rig.upstream(
        {"type": "conversation.item.done", "item": {**item, "arguments": "{}", "status": "completed"}}
    )
    entry = rig.call.speech.transcript.get("c1")
    assert entry is not None
    assert (entry.text, entry.done) == ("look({})", True)


def test_what_comes_later_stands_behind_what_the_model_has_no_more() -> None:
    made = conversation()
    for item_id in ("c1", "o1", "a1"):
        entry = made.get(item_id)
        assert entry is not None
        entry.forgotten = True
    made.add(message("u2"), "u1")
    assert [entry.item_id for entry in made] == ["u1", "c1", "o1", "a1", "u2", "c2"]


def test_what_a_handoff_leaves_behind_is_deleted_before_the_new_agent_is_asked_and_stays_said() -> None:
    rig = Rig()
    rig.far.answers.append([Say("Hello, who is there?", 600)])
    first = rig.speak(text="good morning")
    rig.advance(1500)
    rig.far.answers.append([Say("I will hand you over now.", 1500), Use("transfer_to_poet")])
    second = rig.speak(text="a poem please")
    rig.advance(600)
    assert rig.call.handover.pending is not None
    rig.ask(asks.KeepHistory((second,)))
    assert rig.sent("conversation.item.delete") == []  # the handoff may still fail
    rig.hand_off()
    said = [item.role for item in rig.far.items.values() if item.kind == "message"]
    assert said == ["user"]
    assert first not in rig.far.items
    assert rig.far.contexts[-1][0] == second
    assert [entry.text for entry in rig.call.speech.transcript if entry.role == "user"] == [
        "good morning",
        "a poem please",
    ]
    assert rig.told("conversation.item.deleted") == []
    rig.speak(text="wait")  # over the old agent's last words, which the upstream has no more
    rig.advance(2000)
    assert rig.entries(journal.ItemTruncated, journal.ItemDeleted) == []
    assert rig.far.errors == []
    handle_ask(rig.call, asks.KeepHistory(()), rig.now)  # no handoff goes on: nothing to leave behind
    history.forget(rig.call, (first, "unknown"))
    assert rig.call.next_action() is None


def test_an_item_that_was_not_heard_and_that_the_model_has_no_more_is_not_deleted_twice() -> None:
    rig = Rig()
    rig.far.answers.append([Say("Never heard.", 3000)])
    rig.speak()
    rig.upstream(*rig.far.generate(40))
    (entry,) = [one for one in rig.call.speech.transcript if one.role == "assistant"]
    history.forget(rig.call, (entry.item_id,))
    rig.client({"type": "output_audio_buffer.clear"})
    rig.advance(500)
    assert len(rig.sent("conversation.item.delete")) == 1
    assert rig.entries(journal.ItemDeleted) == []
    assert rig.far.errors == []


def test_a_handoff_that_fails_leaves_the_history_as_it_was() -> None:
    rig = Rig()
    rig.far.answers.append([Use("transfer_to_poet")])
    rig.speak()
    rig.advance(200)
    rig.ask(asks.KeepHistory(()))
    rig.run_tools("not now")
    rig.advance(1000)
    assert rig.sent("conversation.item.delete") == []
