"""Gate and client alone: installed into an environment of their own, away from this checkout."""

import ast
import re
import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.databases import PROJECT
from tests.validator.test_package import find_uv, run

PACKAGES = ("gate", "client")
# What is imported under another name than it is installed under; None: asked for by name only.
DISTRIBUTIONS = {"gbfs_validator": "gbfs-validator", "google": "gtfs-realtime-bindings"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of programs of an environment with both packages and their needs."""
    folder = tmp_path_factory.mktemp("home")
    for package in PACKAGES:
        # A build leaves traces beside its source: it gets a copy, so that the checkout stays clean.
        ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        shutil.copytree(PROJECT / package, folder / package, ignore=ignored)
    uv = find_uv()
    python = folder / "environment" / "bin" / "python"
    run(folder, uv, "venv", "--python", sys.executable, "environment")
    # Their needs are large, and stand in the environment of the tests: nothing is fetched.
    run(folder, uv, "pip", "install", "--no-deps", "--python", str(python), "./gate", "./client")
    site = next((folder / "environment" / "lib").glob("python*/site-packages"))
    (site / "needs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def test_the_command_and_every_module_work_without_the_hall(programs: Path, tmp_path: Path) -> None:
    client = str(programs / "heliopolis-client")
    assert "verify-evidence" in run(tmp_path, client, "--help")
    modules = sorted(
        ".".join(file.relative_to(PROJECT).with_suffix("").parts)
        for package in PACKAGES
        for file in (PROJECT / package).rglob("*.py")
        if file.name != "__init__.py"
    )
    code = (
        f"import importlib; found = [importlib.import_module(name) for name in {modules!r}];"
        " print({each.__file__.split('/site-packages/')[0] for each in found})"
    )
    [where] = run(tmp_path, str(programs / "python"), "-c", code).splitlines()
    assert ast.literal_eval(where) == {str(programs.parent / "lib" / _version())}
    made = run(tmp_path, client, "make-key", "own.key")
    assert len(made.strip()) == 44 and (tmp_path / "own.key").stat().st_mode & 0o777 == 0o600


def test_what_is_imported_is_asked_for() -> None:
    for package in PACKAGES:
        project = tomllib.loads((PROJECT / package / "pyproject.toml").read_text())["project"]
        asked = [
            *project["dependencies"],
            *project.get("optional-dependencies", {}).get("queries", []),
        ]
        # With what an extra asks for in our name: pandera[pandas].
        names = {
            name.replace("-", "_")
            for each in asked
            for name in re.split(r"[\[\],]", re.split(r"[=<>~ ]", each)[0])
        }
        names |= {"gate"} if "heliopolis_gate" in names else set()
        used = {
            DISTRIBUTIONS.get(name, name).replace("-", "_")
            for file in (PROJECT / package).rglob("*.py")
            for name in _imports(file)
        }
        third = used - set(sys.stdlib_module_names) - {package}
        assert third <= names, package


def _imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _version() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"
