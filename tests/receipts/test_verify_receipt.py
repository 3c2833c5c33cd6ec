"""``manage.py verify_receipt`` on files, without a database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import databases
from tests.receipts import paper


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy"
    file.write_text(paper.POLICY_TEXT)
    return file


def verified(receipt: str, policy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where there is no database, and look that it did not start one."""
    file = policy.with_name("x.tlog-proof")
    file.write_text(receipt, encoding="utf-8")
    named = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
    state = policy.with_name("state")
    environment = {name: text for name, text in os.environ.items() if name not in named}
    environment |= {"HELIOPOLIS_STATE": str(state), "HELIOPOLIS_LOG_POLICY": str(policy)}
    done = subprocess.run(
        [sys.executable, "manage.py", "verify_receipt", str(file), *arguments],
        cwd=databases.PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not [each for each in state.iterdir() if each.is_dir()]
    return done


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("transfer", "  amount: 2000"),
        ("document", "  buyer: Zoë 的合同"),
        ("row", '  row: {"account":"7"}'),
        ("balance", "  credits_posted: 39000"),
    ],
)
def test_it_says_what_was_checked_and_what_is_proved(kind: str, line: str, policy: Path) -> None:
    done = verified(paper.receipts()[kind], policy)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [each.split()[:2] for each in lines[:6]] == [
        ["ok", f"{step}:"]
        for step in ("form", "log_signature", "cosignatures", "path", "entry", "content")
    ]
    assert line in lines
    assert sum("cosigned by" in each for each in lines) == 4


def test_the_failing_step_is_named(policy: Path) -> None:
    done = verified(paper.receipts()["transfer"].replace("index 58", "index 57"), policy)

    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "FAIL path"
    assert "REFUSED at path" in done.stderr


def test_ones_own_policy_counts(policy: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text(paper.POLICY_TEXT.replace("3 ada", "4 ada"))

    done = verified(paper.receipts()["transfer"], policy, "--policy", str(own))

    assert done.returncode == 1
    assert "REFUSED at cosignatures" in done.stderr
    own.write_text("quorum x\n")
    done = verified(paper.receipts()["transfer"], policy, "--policy", str(own))
    assert done.returncode == 1
    assert "policy line 1" in done.stderr
