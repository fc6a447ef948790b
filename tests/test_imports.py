"""Imports point one way. The table is DESIGN's; a test for each door that must stay shut."""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "rtbridge"
SHELL = {"settings", "addresses", "logs", "errors"}

# room -> rooms of rtbridge that it may import; its own is always among them. Rooms are folders or single files.
MAY: dict[str, set[str]] = {
    "errors": set(),
    "addresses": set(),
    "settings": {"addresses", "errors"},
    "core": {"errors"},
    "logs": {"core", "errors"},
    "engine": {"errors"},  # and core.pcm, below
    "rtc": {"core"} | SHELL,
    "upstream": {"core"} | SHELL,
    "agents": {"core"} | SHELL,
    "session": {"rtc", "upstream", "agents", "core"} | SHELL,
    "history": set(),
    "recording": {"upstream", "core"} | SHELL,
    "switchboard": {"history", "recording", "session", "rtc", "upstream", "agents", "core"} | SHELL,
    "server": {"history", "switchboard", "session", "rtc", "upstream", "agents", "core"} | SHELL,
    # A replay and a bench start what __main__ starts: the engine, and a bridge's parts.
    "replay": {"switchboard", "session", "rtc", "upstream", "agents", "core", "engine"} | SHELL,
    # For a coding assistant: it reads scenarios and stories, and asks a bridge over HTTP like anybody.
    "mcp": {"replay", "agents", "core"} | SHELL,
    "bench": {"replay", "switchboard", "session", "rtc", "upstream", "agents", "core", "engine"} | SHELL,
    "doctor": {"server", "switchboard", "session", "rtc", "upstream", "agents", "core", "engine"} | SHELL,
    "serving": {"server", "switchboard", "session", "rtc", "upstream", "agents", "core", "engine"} | SHELL,
    "remote": {"errors", "settings"},
    "__main__": {
        "remote",
        "serving",
        "server",
        "replay",
        "bench",
        "mcp",
        "doctor",
        "switchboard",
        "session",
        "rtc",
        "upstream",
        "agents",
        "core",
        "engine",
    }
    | SHELL,
    "__init__": {"errors", "core", "session", "switchboard", "agents", "settings"},
}
NO_IO = {
    "asyncio",
    "time",
    "socket",
    "ssl",
    "select",
    "selectors",
    "threading",
    "subprocess",
    "os",
    "pathlib",
    "logging",
    "datetime",
    "random",
    "secrets",
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "shipped" not in path.parts)


# Parsed while tests are collected: in CPython 3.11 a thread that compiles beside `ast.parse` makes it fail (gh-106905).
TREES = {path: ast.parse(path.read_text()) for path in modules()}


@functools.cache
def imported(path: Path) -> set[str]:
    """Return the dotted names a module imports anywhere in it: `from a import b` gives a.b."""
    found: set[str] = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_room_has_a_row() -> None:
    assert {room_of(path) for path in modules()} <= set(MAY)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "rtbridge" or len(parts) < 2:
            continue
        if room == "engine" and name.startswith("rtbridge.core.pcm"):
            continue
        assert parts[1] == room or parts[1] in MAY[room], f"{path.name} of {room} imports {name}"


def test_core_is_pure_stdlib_and_numpy_and_reads_no_clock() -> None:
    for path in modules():
        if room_of(path) != "core":
            continue
        for name in imported(path):
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top in ("numpy", "rtbridge"), (
                f"{path.name} imports {name}"
            )
            assert top not in NO_IO, f"{path.name} imports {name}"


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("aiortc", {"rtc", "bench"}),
        ("aioice", {"rtc", "bench"}),
        ("av", {"rtc", "bench", "replay"}),
        ("agents", {"agents", "upstream", "session"}),
        ("onnxruntime", {"engine"}),
        ("pydantic_settings", {"settings"}),
        ("mcp", {"mcp"}),
    ],
)
def test_a_library_stays_in_its_room(library: str, rooms: set[str]) -> None:
    found = {
        room_of(path) for path in modules() if any(name.split(".")[0] == library for name in imported(path))
    }
    assert found <= rooms


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        if any(name in ("os.environ", "os.getenv") for name in imported(path))
        or any(
            isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
            for node in ast.walk(TREES[path])
        )
    }
    # The doctor looks for variables that no setting has; a bench hands its own environment to the bridge it starts.
    assert readers <= {"doctor.py", "bench/child.py"}
