"""What lies at the top of the repository, and how large a file may be."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VISIBLE = {
    "LICENSE",
    "Makefile",
    "README.md",
    "docker-compose.yml",
    "pyproject.toml",
    "requirements.lock",
    "rtbridge",
    "scenarios",
    "tests",
    "web",
}


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    return [name for name in listed.split("\0") if name]


def test_the_visible_top_level_is_the_one_of_the_design() -> None:
    top = {name.split("/")[0] for name in tracked()}
    assert {name for name in top if not name.startswith(".")} == VISIBLE
    assert ".env.sample" in top
    assert ".env" not in top


def test_no_tracked_file_is_over_a_megabyte() -> None:
    large = [
        name for name in tracked() if (ROOT / name).exists() and (ROOT / name).stat().st_size > 1_000_000
    ]
    assert large == []


def test_no_file_of_code_is_over_350_lines_and_none_of_tests_over_400() -> None:
    long = [
        name
        for name in tracked()
        if name.endswith((".py", ".js"))
        and (ROOT / name).exists()
        and len((ROOT / name).read_text().splitlines()) > (400 if name.startswith("tests/") else 350)
    ]
    assert long == []


def test_the_lock_has_hashes_and_names_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?:|--index|--find-links|file:| @ ", text)
    pinned = re.findall(r"^([a-z0-9._-]+)==[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 50


def test_the_lock_has_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    names = {re.split(r"[<>=!;\[ ]", one)[0].lower().replace("_", "-") for one in wanted}
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert names <= locked


def test_every_test_that_drives_a_browser_is_run_in_real_time() -> None:
    """`make test` finds the files that it must not run beside each other by their marks."""
    browsers = [name for name in tracked() if re.fullmatch(r"tests/browser/test_\w+\.py", name)]
    assert len(browsers) >= 3
    assert [name for name in browsers if "mark.browser" not in (ROOT / name).read_text()] == []
