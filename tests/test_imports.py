"""Every import contract is broken once on purpose: a contract that never fails proves nothing."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "analytics", "marketplace", "ledger", "validator", "gate", "client")

# Contract, the file to add to, the import that breaks it.
BREAKS = [
    ("apps", "ledger/services/oops.py", "import marketplace.services"),
    ("apps", "marketplace/services/oops.py", "import analytics.services"),
    ("apps", "analytics/oops.py", "import config.celery"),
    ("layers", "ledger/domain/oops.py", "import ledger.services"),
    ("layers", "marketplace/queries/oops.py", "import marketplace.services"),
    ("layers", "marketplace/models/oops.py", "import marketplace.api"),
    ("layers", "analytics/queries/rollups.py", "import analytics.tasks"),
    ("domain", "marketplace/domain/oops.py", "from django.db import models"),
    ("domain", "ledger/domain/oops.py", "import psycopg"),
    ("domain", "analytics/domain/oops.py", "import pandas"),
    ("domain", "marketplace/domain/oops.py", "import pandas"),
    ("ledger-models", "marketplace/services/oops.py", "from ledger.models import Account"),
    ("ledger-models", "config/oops.py", "from ledger import models"),
    ("marketplace-models", "analytics/services/rollups.py", "from marketplace.models import User"),
    ("analytics-models", "config/oops.py", "from analytics.models import IntervalRollup"),
    ("between-apps", "marketplace/services/oops.py", "import ledger.migrations"),
    ("analytics-sees-services", "analytics/services/rollups.py", "import marketplace.api.paging"),
    ("disclosed", "config/web/public/oops.py", "from analytics.queries import figures"),
    ("disclosed", "config/web/city/oops.py", "import analytics.queries.rollups"),
    ("embedded", "config/embedded/oops.py", "import django"),
    ("embedded", "config/embedded/oops.py", "import marketplace.domain"),
    ("clear", "marketplace/domain/clearing.py", "import django.db"),
    ("validator-alone", "validator/merkle.py", "import ledger.domain"),
    ("validator-alone", "validator/oops.py", "from marketplace.domain import money"),
    ("validator-alone", "validator/main.py", "import django"),
    ("validator-alone", "validator/tiles.py", "import numpy"),
    ("gate-alone", "gate/oops.py", "import marketplace.domain"),
    ("gate-alone", "gate/formats/oops.py", "import django"),
    ("client-alone", "client/oops.py", "from ledger.domain import merkle"),
    ("validator-unused", "ledger/domain/oops.py", "import validator.merkle"),
    ("validator-unused", "config/oops.py", "from validator import witness"),
]
CONTRACTS = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
NAMES = {each["id"]: each["name"] for each in CONTRACTS["contracts"]}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the packages as they are, to break them in."""
    folder = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        for file in (PROJECT / package).rglob("*.py"):
            target = folder / file.relative_to(PROJECT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    shutil.copyfile(PROJECT / "pyproject.toml", folder / "pyproject.toml")
    return folder


def lint_imports(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-logo", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_contracts_are_kept(copy: Path) -> None:
    run = lint_imports(copy)

    assert run.returncode == 0, run.stdout + run.stderr
    assert " 0 broken" in run.stdout


@pytest.mark.parametrize("number", range(max(Counter(each[0] for each in BREAKS).values())))
def test_broken_contracts_are_seen(copy: Path, number: int) -> None:
    """Break all contracts at once, each in its n-th way: a run of the linter takes its time."""
    ways = defaultdict(list)
    for each in BREAKS:
        ways[each[0]].append(each)
    breaks = [of_contract[number] for of_contract in ways.values() if len(of_contract) > number]
    before = {path: read(copy / path) for _contract, path, _line in breaks}
    for _contract, path, line in breaks:
        (copy / path).write_text(f"{read(copy / path) or ''}\n{line}\n")
    try:
        run = lint_imports(copy)
    finally:
        for path, text in before.items():
            if text is None:
                (copy / path).unlink()
            else:
                (copy / path).write_text(text)

    assert run.returncode == 1, run.stdout + run.stderr
    said = run.stdout.partition("Broken contracts")[2]
    parts = re.split(r"^(.+)\n-{3,}\n", said, flags=re.MULTILINE)
    report_of = dict(zip(parts[1::2], parts[2::2], strict=True))
    for contract, path, line in breaks:
        # By this very line: another contract's may break this one as well.
        importer = path.removesuffix(".py").replace("/", ".")
        package = line.split()[1].split(".")[0]
        assert f"{importer} -> {package}" in report_of[NAMES[contract]], (contract, run.stdout)


def read(file: Path) -> str | None:
    return file.read_text() if file.exists() else None


def test_each_contract_has_a_break() -> None:
    assert set(NAMES) == {contract for contract, _, _ in BREAKS}
