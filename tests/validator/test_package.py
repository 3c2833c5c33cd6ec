"""The package alone: installed into an empty environment, away from this checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import PROJECT
from tests.validator.running import running, set_up
from tests.validator.small_log import checkpoint, leaves, submission
from validator.notes import Note, VerifierKey

SOURCE = PROJECT / "validator"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of programs of an environment that holds this package and its needs."""
    folder = tmp_path_factory.mktemp("empty")
    # A build leaves traces beside its source: it gets a copy, so that the checkout stays clean.
    copy = folder / "validator"
    copy.mkdir()
    for file in (*SOURCE.glob("*.py"), SOURCE / "pyproject.toml", SOURCE / "README.md"):
        shutil.copyfile(file, copy / file.name)
    python = folder / "environment" / "bin" / "python"
    uv = find_uv()
    run(folder, uv, "venv", "--python", sys.executable, "environment")
    run(folder, uv, "pip", "install", "--python", str(python), "./validator")
    return python.parent


def find_uv() -> str:
    """Return the program that ./dev made the environment of these tests with."""
    own = PROJECT / ".local" / "tools" / "bin" / "uv"
    uv = shutil.which("uv") or (str(own) if own.exists() else None)
    if uv is None:
        pytest.skip("no uv: ./dev test installs it")
    return uv


def run(folder: Path, *command: str) -> str:
    """Run a command that finds nothing of ours, neither by its folder nor by its variables."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_both_commands_say_what_they_do(programs: Path, tmp_path: Path) -> None:
    assert "make-key" in run(tmp_path, str(programs / "heliopolis-validator"), "--help")
    assert "--config FILE" in run(tmp_path, str(programs / "heliopolis-witness"), "--help")


def test_every_module_imports_and_nothing_of_the_hall_is_there(
    programs: Path, tmp_path: Path
) -> None:
    modules = sorted(f"validator.{file.stem}" for file in SOURCE.glob("*.py"))
    modules.remove("validator.__init__")
    imports = "; ".join(f"import {module}" for module in modules)
    absent = ("django", "numpy", "ledger", "marketplace", "config")
    code = (
        f"import importlib.util; {imports}; print(validator.__file__);"
        f" print([name for name in {absent!r} if importlib.util.find_spec(name)])"
    )

    where, found = run(tmp_path, str(programs / "python"), "-c", code).splitlines()

    assert Path(where).is_relative_to(programs.parent)
    assert found == "[]"


def test_an_installed_witness_cosigns(programs: Path, tmp_path: Path) -> None:
    key_file = tmp_path / "other.key"
    made = run(
        tmp_path,
        str(programs / "heliopolis-validator"),
        "make-key",
        "bob.example/w2",
        key_file.name,
    )
    config, _ = set_up(tmp_path)
    config.write_text(config.read_text().replace("witness.key", key_file.name))

    with running(config, command=[str(programs / "heliopolis-witness")]) as witness:
        reply = witness.submit(submission(0, leaves(3)))

    note = Note.parse(f"{checkpoint(leaves(3))}\n{reply.body}".encode())
    assert len(note.verified([VerifierKey.parse(made.strip())])) == 1
