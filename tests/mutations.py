"""Planted defects: each change of mutation_table.py is made to a copy of the tree, and the tests named must tell of it.

    python tests/mutations.py [--json] [word ...]

The tree is copied to a temporary folder, so the working tree is never touched. All tests that are named pass on the
copy first. Then one defect at a time is planted, its tests are run, and it is taken back. Caught is a defect when a
test fails by an assertion: one that breaks an import or the syntax proves nothing, and neither does a test that cannot
be collected. A line for each defect goes to stderr; with `--json` the figures go to stdout. Exit code 1 when one
survived. With words, only the defects whose name or file holds one of them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mutation_table import MUTATIONS, Mutation

ROOT: Final = Path(__file__).resolve().parent.parent
COPIED: Final = ("rtbridge", "tests", "scenarios", "web", "pyproject.toml", "README.md")
LEFT_OUT: Final = ("__pycache__", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache", "*.wav")
TIMEOUT_S: Final = 300.0
ASSERTED: Final = ("assert ", "AssertionError", "Failed: DID NOT RAISE")


def main(arguments: Sequence[str]) -> int:
    """Plant the defects and print what became of them. Returns 0, 1 when one survived, 2 when there is none such."""
    parser = argparse.ArgumentParser(description="Plant defects and see whether a test tells of each.")
    parser.add_argument("--json", action="store_true", help="print the figures to stdout")
    parser.add_argument("words", nargs="*", help="only defects whose name or file holds one of these")
    given = parser.parse_args(arguments)
    chosen = [
        one
        for one in MUTATIONS
        if not given.words or any(word in f"{one.name} {one.file}" for word in given.words)
    ]
    if not chosen:
        print(f"no defect's name or file holds {' or '.join(given.words)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="rtbridge-mutations-") as folder:
        figures = planted(chosen, copied(Path(folder)))
    if given.json:
        print(json.dumps(figures, indent=2))
    return 0 if all(bars(figures).values()) else 1


def bars(figures: dict[str, Any]) -> dict[str, bool]:
    """Hold the figures against what is promised."""
    return {
        "the tests pass on the bridge as it is": figures["unmutated_passed"],
        "every planted defect is caught by an assertion": figures["caught"] == figures["planted"] > 0,
    }


def copied(folder: Path) -> Path:
    """Copy what the tests need to `folder` and return it."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
        else:
            shutil.copy2(source, target)
    return folder


def planted(mutations: Sequence[Mutation], tree: Path) -> dict[str, Any]:
    """Plant one defect after the other in a copy of the tree; return what became of them."""
    named = sorted({test for one in mutations for test in one.tests})
    began_s = time.monotonic()
    healthy, why = verdict(tree, named)
    _say(f"{'passes' if healthy == 'survived' else 'FAILS'}  the bridge as it is: {len(named)} tests {why}")
    results: list[dict[str, Any]] = []
    for one in mutations if healthy == "survived" else ():
        file = tree / "rtbridge" / one.file
        before = file.read_text()
        start_s = time.monotonic()
        file.write_text(mutated(before, one))
        try:
            fate, by = verdict(tree, one.tests)
        finally:
            file.write_text(before)
        seconds = round(time.monotonic() - start_s, 1)
        results.append({"name": one.name, "file": one.file, "fate": fate, "by": by, "seconds": seconds})
        _say(f"{fate if fate == 'caught' else fate.upper():8}  {one.file}: {one.name} ({seconds} s) {by}")
    return {
        "unmutated_passed": healthy == "survived",
        "planted": len(mutations),
        "caught": sum(one["fate"] == "caught" for one in results),
        "seconds": round(time.monotonic() - began_s, 1),
        "mutations": results,
    }


def mutated(text: str, mutation: Mutation) -> str:
    """Return a file's text with the defect in it. Raises ValueError when its place is not found exactly once."""
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.file}: {mutation.name}: {text.count(mutation.old)} places, not one")
    return text.replace(mutation.old, mutation.new)


def verdict(tree: Path, tests: Sequence[str]) -> tuple[str, str]:
    """Run tests of a tree; return (caught | survived | broken, by which test or why)."""
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    environment = {name: value for name, value in os.environ.items() if name != "RTBRIDGE_ACCEPT"}
    environment |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, *(f"tests/{test}" for test in tests)],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "broken", f"no end within {TIMEOUT_S:g} s"
    if not report.is_file():
        return "broken", done.stdout[-2_000:] + done.stderr[-2_000:]
    return judged(report.read_text())


def judged(report: str) -> tuple[str, str]:
    """Read a JUnit report; return (caught | survived | broken, by which test or why).

    >>> judged('<testsuites><testsuite><testcase name="test_a"/></testsuite></testsuites>')
    ('survived', '')
    """
    cases = list(ET.fromstring(report).iter("testcase"))
    errors = [case.get("name", "") for case in cases if case.find("error") is not None]
    if errors or not cases:
        return "broken", f"could not be run: {', '.join(errors) or 'no test at all'}"
    failed = [(case.get("name", ""), case.find("failure")) for case in cases]
    messages = [(name, found.get("message", "")) for name, found in failed if found is not None]
    for name, message in messages:
        if message.startswith(ASSERTED):
            return "caught", name
    if messages:
        return "broken", f"{messages[0][0]} failed, and by no assertion: {messages[0][1][:200]}"
    return "survived", ""


def _say(line: str) -> None:
    print(line.rstrip(), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
