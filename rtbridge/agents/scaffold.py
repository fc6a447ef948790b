"""`rtbridge scenarios new NAME`: a scenario folder to begin with, made from the working one in template/.

What is written loads, checks clean and talks offline at once; the name stands in its story and nowhere else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from rtbridge.errors import ScenarioError

TEMPLATE: Final = Path(__file__).with_name("template")
NAME_IN_TEMPLATE: Final = "my_agent"
SUFFIXES: Final = (".py", ".toml")

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,47}")


def new_scenario(name: str, into: Path) -> Path:
    """Write a scenario folder `into/name` and return it. Raises ScenarioError for a name or place it cannot have."""
    if not _NAME.fullmatch(name):
        raise ScenarioError(
            f"{name!r} cannot be a scenario's name: it begins with a small letter, and up to 47 small letters, digits, "
            "_ or - follow, like my_agent"
        )
    folder = into / name
    try:
        into.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        for source in sorted(TEMPLATE.rglob("*")):
            if source.suffix in SUFFIXES:
                copy = folder / source.relative_to(TEMPLATE)
                copy.parent.mkdir(exist_ok=True)
                text = source.read_text("utf-8").replace(f'"{NAME_IN_TEMPLATE}"', f'"{name}"')
                copy.write_text(text, "utf-8")
    except FileExistsError:
        raise ScenarioError(
            f"{folder}: there is something of that name already; choose another name or remove it"
        ) from None
    except OSError as error:
        raise ScenarioError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return folder


def next_steps(folder: Path) -> str:
    """Return what to do with a new scenario."""
    root, story = folder.parent, next(iter(sorted((folder / "stories").glob("*.toml"))))
    return f"""\
{folder} is ready: agents.py says who talks and what they can do, brain.toml what they say offline.
  check it:      rtbridge scenarios --scenarios {root}
  replay it:     rtbridge replay {story} --scenarios {root}
  talk to it:    rtbridge serve --scenarios {root}
  write a prompt: rtbridge scenarios prompt"""
