"""Documents say what is true: their commands run, their links lead somewhere."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import CommittedDatabase

PROJECT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "fixtures/*.md", "validator/*.md")
    for path in PROJECT.glob(pattern)
)
README_LINES_MAX = 120


def commands_of(path: Path) -> list[str]:
    """Return what a document tells its reader to type, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.M)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@cache
def help_of_dev() -> str:
    return subprocess.run(
        [sys.executable, "dev", "help"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout


def test_the_manage_commands_of_the_readme_run_as_written(
    committed_db: CommittedDatabase, tmp_path: Path
) -> None:
    commands = [each for each in commands_of(PROJECT / "README.md") if "manage.py" in each]
    assert len(commands) >= 3
    for command in commands:
        program, script, *words = shlex.split(command)
        assert (program, script) == (".venv/bin/python", "manage.py")
        # What a command writes goes into a folder of the test, everything else is as written.
        words = [
            str(tmp_path / word) if word in ("winter.json", "trades.csv") else word
            for word in words
        ]
        done = committed_db.manage(*words)
        assert done.returncode == 0, (command, done.stderr)
    assert (tmp_path / "winter.json").exists()
    assert (tmp_path / "trades.csv").exists()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_dev_command_exists(path: Path) -> None:
    listed = help_of_dev()
    for command in re.findall(r"\./dev ([a-z]+)", path.read_text("utf-8")):
        assert re.search(rf"\b{command}\b", listed), command


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_named_files_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (path.parent / target).exists(), target
    folders = "config|analytics|marketplace|ledger|validator|tests|fixtures|benchmarks|docs"
    for name in re.findall(rf"`((?:{folders})/[\w/.-]+\.(?:py|md|csv|json))`", text):
        assert (PROJECT / name).exists(), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_named_manage_commands_exist(path: Path) -> None:
    for command in re.findall(r"manage\.py ([a-z_]+)", path.read_text("utf-8")):
        if command == "migrate":
            continue
        found = [
            app
            for app in ("config", "marketplace", "ledger", "analytics")
            if (PROJECT / app / "management" / "commands" / f"{command}.py").exists()
        ]
        assert found, command


def test_the_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_text("utf-8").splitlines()) <= README_LINES_MAX
