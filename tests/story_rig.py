"""Plays stories on the real engine in processes of its own, so that two run at once and each starts from nothing.

A process loads the engine once. What comes back of a call is small: what failed, a digest of every file that the
call left, and what it cost.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rtbridge.agents.scenario import Scenario, default_root, load_scenarios
from rtbridge.engine.load import load_parts
from rtbridge.engine.parts import EngineParts
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.read_story import load_story
from rtbridge.replay.report import Report, write_call
from rtbridge.replay.run import play
from rtbridge.replay.witnesses import witnessed
from rtbridge.settings import Settings

PROCESSES = 2

STORIES = [
    file
    for scenario in ("simple_handoff", "chat_supervisor", "customer_service_retail")
    for file in sorted(default_root().glob(f"{scenario}/stories/*.toml"))
]

_loaded: dict[str, tuple[EngineParts, Mapping[str, Scenario]]] = {}


def story_named(scenario: str, name: str) -> Path:
    """Return the file of a story that ships."""
    (file,) = [one for one in STORIES if one.parts[-3] == scenario and one.stem == name]
    return file


def name_of(file: Path) -> str:
    """Return a story's name for a test: its scenario and its file."""
    return f"{file.parts[-3]}-{file.stem}"


@dataclass(frozen=True)
class Told:
    """What a call came to."""

    failures: tuple[str, ...]
    digests: Mapping[str, str]  # SHA-256 by name of what the call left: recording, journal, turns
    tools: tuple[tuple[str, str], ...]  # (name, arguments as JSON), every call in order
    duration_ms: int
    cpu_s: float


@contextmanager
def players() -> Iterator[ProcessPoolExecutor]:
    """Give processes to submit `play_story` to."""
    fresh = multiprocessing.get_context("spawn")  # a fork would copy locks that other tests' threads may hold
    with ProcessPoolExecutor(PROCESSES, mp_context=fresh, initializer=_load) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def play_story(file: Path) -> Told:
    """Play the story in `file`. Runs in a process of `players`."""
    parts, scenarios = _loaded["engine"]
    began_s = time.process_time()
    story = load_story(file, {name: tuple(scenario.agents) for name, scenario in scenarios.items()})
    result = play(story, scenario=scenarios[story.scenario], parts=parts, settings=Settings())
    seen = look(result)
    report = Report(result, seen, witnessed(judge(result, seen), result, seen))
    cpu_s = time.process_time() - began_s
    with TemporaryDirectory() as folder:
        write_call(report, Path(folder))
        digests = {
            one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in sorted(Path(folder).iterdir())
        }
    tools = tuple((name, arguments) for _, name, arguments in seen.tools)
    failures = tuple(str(failure) for failure in report.verdict.failures)
    return Told(failures, digests, tools, result.duration_ms, cpu_s)


def _load() -> None:
    Settings.model_config["env_file"] = None
    parts = load_parts(brains=default_root())
    for (
        thread
    ) in threading.enumerate():  # what the engine goes on loading in a thread of its own is waited for
        if thread.name == "rtbridge-meaning":
            thread.join()
    _loaded["engine"] = (parts, load_scenarios(default_root()))


BILL = story_named("chat_supervisor", "bill")
RETURN = story_named("customer_service_retail", "return")
PHONE = "(206) 555-0123"
# Every tool call of the two user stories, in order, with all of its arguments.
EXACT: dict[Path, list[tuple[str, dict[str, Any]]]] = {
    BILL: [
        (
            "getNextResponseFromSupervisor",
            {
                "relevantContextFromLastUserMessage": (
                    "Wants to know why the last bill was so high. Phone number: (206) 135-1246."
                )
            },
        ),
        ("getUserAccountInfo", {"phone_number": "(206) 135-1246"}),
    ],
    RETURN: [
        (
            "authenticate_user_information",
            {
                "phone_number": PHONE,
                "date_of_birth": "1990-05-01",
                "last_4_digits": "4321",
                "last_4_digits_type": "credit_card",
            },
        ),
        (
            "save_or_update_address",
            {
                "phone_number": PHONE,
                "new_address": {
                    "street": "twelve hill street",
                    "city": "seattle",
                    "state": "washington",
                    "postal_code": "98101",
                },
            },
        ),
        (
            "update_user_offer_response",
            {"phone": PHONE, "offer_id": "a-592", "user_response": "DECLINED"},
        ),
        ("lookupOrders", {"phoneNumber": PHONE}),
        ("retrievePolicy", {"region": "United States", "itemCategory": "snowboard"}),
        (
            "checkEligibilityAndPossiblyInitiateReturn",
            {
                "userDesiredAction": "return the snowboard",
                "question": "it delaminated after three runs and the edges came off",
            },
        ),
    ],
}
