"""The pytest plugin: `pytest scenarios/` collects the stories in folders named `stories`, a test each.

pytest loads this module in every project where rtbridge is installed, so it imports nothing and does nothing until a
story is there. A story that is invalid is an error of collection with its file and line; one that fails shows the
messages of `rtbridge replay` and no traceback. The engine is loaded once a session, when the first story is played.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from rtbridge.replay.caller_voice import CallerVoice
    from rtbridge.replay.outcome import Outcome
    from rtbridge.replay.read_story import Graphs
    from rtbridge.replay.stage import Stage
    from rtbridge.replay.story import Story

FOLDER: Final = "stories"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `rtbridge replay` has as --out, --wire and --scenarios."""
    group = parser.getgroup("rtbridge", "stories of rtbridge")
    group.addoption("--rtbridge-out", metavar="DIR", help="folder for the recordings and reports of stories")
    group.addoption("--rtbridge-wire", metavar="URL", help="call this running bridge, in real time")
    group.addoption(
        "--rtbridge-scenarios", metavar="DIR", help="folder of scenario folders (that of the stories)"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> StoryFile | None:
    """Take what lies in a folder named `stories`."""
    if file_path.suffix != ".toml" or file_path.parent.name != FOLDER:
        return None
    return StoryFile.from_parent(parent, path=file_path)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the stages."""
    troupe = config.stash.get(TROUPE, None)
    if troupe is not None:
        troupe.close()


class StoryFile(pytest.File):
    """One TOML file."""

    def collect(self) -> Iterator[StoryItem]:
        """Yield its story. Raises CollectError with every problem that it has."""
        from rtbridge.errors import RtbridgeError

        try:
            if TROUPE not in self.config.stash:
                self.config.stash[TROUPE] = Troupe(self.config)
            story = self.config.stash[TROUPE].read(self.path)
        except RtbridgeError as error:
            raise self.CollectError(str(error)) from None
        yield StoryItem.from_parent(self, name=story.name, story=story)


class StoryItem(pytest.Item):
    """One story: passes when all its expectations come true."""

    def __init__(self, *, story: Story, **more: Any) -> None:
        super().__init__(**more)
        self.story = story

    def runtest(self) -> None:
        """Play it. Raises StoryFailed or StoryBroke."""
        outcome = self.config.stash[TROUPE].play(self.story)
        self.add_report_section("call", "story", "\n".join((outcome.line, *outcome.notes)))
        if outcome.broke is not None:
            raise StoryBroke(f"{self.path}: {outcome.broke}")
        if outcome.complaints:
            raise StoryFailed("\n".join(complaint.where for complaint in outcome.complaints))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **more: Any) -> Any:
        """Return the messages alone for what a story does, the traceback for a bug."""
        if isinstance(excinfo.value, StoryFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **more)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where it stands."""
        return self.path, None, self.name


class StoryFailed(Exception):
    """An expectation did not come true; the message has a line for each."""


class StoryBroke(StoryFailed):
    """The call could not be carried out."""


class Troupe:
    """The stages of a session: one for each folder of scenarios, set when its first story is played."""

    def __init__(self, config: pytest.Config) -> None:
        from rtbridge.settings import load_settings

        self._settings = load_settings()
        self._out: str | None = config.getoption("--rtbridge-out")
        self._wire: str | None = config.getoption("--rtbridge-wire")
        self._root: str | None = config.getoption("--rtbridge-scenarios")
        self._graphs: dict[Path, tuple[Graphs, CallerVoice]] = {}
        self._wanted: dict[Path, set[str]] = {}  # scenarios of the stories that were collected
        self._stages: dict[Path, Stage] = {}

    def read(self, file: Path) -> Story:
        """Read one story. Raises RtbridgeError with all that is wrong with it, or with its scenarios."""
        from rtbridge.agents.scenario import load_scenarios
        from rtbridge.replay.caller_voice import CallerVoice
        from rtbridge.replay.read_story import load_story

        if self._wire is not None:
            return load_story(file)  # over the wire the bridge knows its scenarios, and says so
        root = self._root_of(file)
        if root not in self._graphs:
            found = load_scenarios(root, tool_timeout_s=self._settings.tool_timeout_s)
            agents = {name: tuple(scenario.agents) for name, scenario in found.items()}
            self._graphs[root] = agents, CallerVoice.among(found.values(), self._settings.model_dir)
        story = load_story(file, *self._graphs[root])
        self._wanted.setdefault(root, set()).add(story.scenario)
        return story

    def play(self, story: Story) -> Outcome:
        """Play one story. Raises StoryBroke when there is no stage to play it on."""
        from rtbridge.errors import RtbridgeError
        from rtbridge.replay.outcome import Job

        root = self._root_of(story.file)
        folder = Path(self._out, story.scenario, story.file.stem) if self._out else None
        try:
            if root not in self._stages:
                self._stages[root] = self._stage(root)
            return self._stages[root].play(Job(story.file, 1, folder))
        except (RtbridgeError, OSError) as error:
            raise StoryBroke(f"{story.file}: {error}") from error

    def close(self) -> None:
        """Leave all stages."""
        while self._stages:
            self._stages.popitem()[1].__exit__(None, None, None)

    def _stage(self, root: Path) -> Stage:
        from rtbridge.replay.stage import Road, Stage

        wanted = frozenset(self._wanted.get(root, ()))
        return Stage(Road(self._settings, root, wanted, self._wire)).__enter__()

    def _root_of(self, file: Path) -> Path:
        """Return the folder of scenarios that a story is about: the one it lies in, if it lies in a scenario."""
        from rtbridge.agents.scenario import default_root

        if self._root is not None:
            return Path(self._root)
        scenario = file.parent.parent
        if (scenario / "agents.py").is_file():
            return scenario.parent
        return self._settings.scenarios or default_root()


TROUPE: pytest.StashKey[Troupe] = pytest.StashKey()
