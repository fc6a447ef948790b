"""`rtbridge scenarios new` and `prompt`: what is written works at once, and what cannot be is refused in words."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rtbridge import __main__ as cli
from rtbridge.agents.metaprompt import metaprompt
from rtbridge.agents.scaffold import TEMPLATE, new_scenario
from rtbridge.agents.scenario import check, load_scenario
from rtbridge.errors import ScenarioError

ROOT = Path(__file__).resolve().parent.parent.parent
SECTIONS = (
    *("Identity", "Task", "Demeanor", "Tone", "Enthusiasm", "Formality", "Emotion", "Filler Words", "Pacing"),
    *("Other details", "Instructions", "Conversation States"),
)


@pytest.fixture(autouse=True)
def _leave_the_log_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtbridge.logs.configure", lambda **_: None)


def test_a_new_scenario_loads_and_checks_clean(tmp_path: Path) -> None:
    scenario = load_scenario(new_scenario("my_own-agent2", tmp_path / "deep" / "folder"))
    assert scenario.id == "my_own-agent2"
    assert check(scenario) == []
    assert 1 <= len(scenario.agents) <= 2
    assert sum(len(agent.tools) for agent in scenario.agents.values()) == 1


@pytest.mark.models
def test_a_new_scenario_talks_offline_at_once_and_its_own_story_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "mine"
    assert cli.main(["scenarios", "new", "my_agent", "--into", str(root)]) == 0
    told = capsys.readouterr().out
    replay = re.search(r"rtbridge (replay .*)$", told, re.MULTILINE)
    assert replay is not None
    assert cli.main([*replay[1].split(), "--out", str(tmp_path / "out")]) == 0
    assert cli.main(["scenarios", "--scenarios", str(root)]) == 0
    assert "to repair" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "My", "1st", "a b", "../up", "a/b", "_x", "ümlaut", "a" * 49, "a\n"])
def test_a_name_that_cannot_be_a_folder_and_an_id_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be a scenario's name"):
        new_scenario(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = new_scenario("mine", tmp_path)
    (folder / "agents.py").write_text("precious")
    assert cli.main(["scenarios", "new", "mine", "--into", str(tmp_path)]) == 2
    assert "there is something of that name already" in capsys.readouterr().err
    assert (folder / "agents.py").read_text() == "precious"
    (tmp_path / "file").write_text("")
    with pytest.raises(ScenarioError, match=r"file.mine: "):
        new_scenario("mine", tmp_path / "file")


def test_the_readme_shows_what_is_written() -> None:
    shown = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    lines = shown[1].strip().splitlines()
    written = (TEMPLATE / "agents.py").read_text()
    assert len(lines) <= 20
    assert "\n".join(lines) in written


def test_the_guide_has_every_section_and_asks_with_three_options() -> None:
    guide = metaprompt()
    for section in SECTIONS:
        assert re.search(rf"^#+ .*{section}", guide, re.MULTILINE), section
    for field in ("id", "description", "instructions", "examples", "transitions", "next_step", "condition"):
        assert f'"{field}"' in guide
    assert "exactly three options" in guide


def test_without_a_key_the_guide_is_printed_with_the_description_at_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["scenarios", "prompt", "A line for lost umbrellas."]) == 0
    shown = capsys.readouterr().out
    assert shown == metaprompt("A line for lost umbrellas.")
    assert shown.endswith("# The description\nA line for lost umbrellas.\n")
    assert cli.main(["scenarios", "prompt"]) == 0
    assert capsys.readouterr().out == metaprompt()


class _Endpoint(BaseHTTPRequestHandler):
    status = 200
    asked: bytes = b""

    def do_POST(self) -> None:
        type(self).asked = self.rfile.read(int(self.headers["Content-Length"]))
        body = (
            b'{"id":"r","object":"response","created_at":1,"model":"m","status":"completed","parallel_tool_calls":true,'
            b'"tool_choice":"auto","tools":[],"output":[{"id":"m","type":"message","role":"assistant",'
            b'"status":"completed","content":[{"type":"output_text","text":"1. How formal?","annotations":[]}]}]}'
        )
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Endpoint]]:
    """Be the OpenAI API on loopback, for this process's settings."""

    class Own(_Endpoint):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-of-nothing")
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}/v1")
        yield Own
        server.shutdown()


def test_with_a_key_a_description_is_answered(
    endpoint: type[_Endpoint], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["scenarios", "prompt", "A line for lost umbrellas."]) == 0
    assert capsys.readouterr().out == "1. How formal?\n"
    assert b"lost umbrellas" in endpoint.asked
    assert b"exactly three options" in endpoint.asked


def test_a_refusal_of_the_endpoint_is_one_clear_line(
    endpoint: type[_Endpoint], capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.status = 401
    assert cli.main(["scenarios", "prompt", "Anything."]) == 2
    assert "did not answer" in capsys.readouterr().err
