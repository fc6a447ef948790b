"""What every test stands on: no network but loopback, no settings but its own, and counts that `make accept` raises."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from rtbridge.settings import Settings

ACCEPT = os.environ.get("RTBRIDGE_ACCEPT") == "1"
ACCEPT_FOLDER = Path(__file__).resolve().parent.parent / "accept"

Count = Callable[[int, int], int]
KeepFigures = Callable[[str, dict[str, Any]], None]


class NetworkRefused(RuntimeError):
    """A test reached for an address that is not loopback."""


def _is_near(host: Any) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(
            (host.decode() if isinstance(host, bytes) else str(host)).split("%")[0]
        ).is_loopback
    except ValueError:
        return False


def _refuse_far_addresses(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if isinstance(address, tuple) and not _is_near(address[0]):
            raise NetworkRefused(f"{event} to {address[0]}: tests stay on loopback")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        try:
            ipaddress.ip_address(str(args[0]))  # a number asks no name server
        except ValueError:
            if not _is_near(args[0]):
                raise NetworkRefused(f"{event} of {args[0]!r}: tests stay on loopback") from None


sys.addaudithook(_refuse_far_addresses)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the browser's tests last: Playwright's synchronous API keeps a loop running in this thread until the end."""
    items.sort(key=lambda item: "browser" in item.path.parts)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("RTBRIDGE_", "OPENAI_")) and name != "RTBRIDGE_ACCEPT":
            monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture(autouse=True)
def _put_the_log_back() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    logging.captureWarnings(False)


@pytest.fixture
def _small_disk() -> Iterator[None]:
    """No file may grow over 20 kB: the system refuses the write as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="session")
def count() -> Count:
    """Give how often a costly check is repeated: `count(reduced, full)`; RTBRIDGE_ACCEPT=1 runs full."""
    return lambda reduced, full: full if ACCEPT else reduced


@pytest.fixture(scope="session")
def keep_figures() -> KeepFigures:
    """Write what a check measured to accept/<name>.json under `make accept`; else nothing is written."""

    def keep(name: str, figures: dict[str, Any]) -> None:
        if ACCEPT:
            ACCEPT_FOLDER.mkdir(exist_ok=True)
            (ACCEPT_FOLDER / f"{name}.json").write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")

    return keep
