"""One validator behind a real web server, following the log of a benchmark's database."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.servers import PROJECT
from config.embedded import process
from validator.config import CONFIG_NAME

NAME: Final = "bench.example/validator"
POLL_SECONDS: Final = 0.1
START_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.5
FOLLOWED_SECONDS: Final = 600.0


@contextmanager
def one_validator(folder: Path, environment: Mapping[str, str]) -> Iterator[list[int]]:
    """Run the web server and a validator; quorum is this validator's word alone.

    Yields
    ------
    list of int
        The two processes.
    """
    address = f"http://127.0.0.1:{process.free_port()}"
    web = {**environment, "HELIOPOLIS_SECRET_KEY": secrets.token_hex(16)}
    config = _set_up(folder, web, address)
    gunicorn = [
        *(sys.executable, "-m", "gunicorn", "config.wsgi", f"--bind={address.split('//')[1]}"),
        *("--worker-class=gthread", "--workers=2", "--threads=4", "--no-control-socket"),
    ]
    validator = [sys.executable, "-m", "validator.main", "--config", str(config)]
    children = []
    try:
        for name, argv in (("web", gunicorn), ("validator", validator)):
            child = process.spawn(
                argv,
                stop_signal=signal.SIGTERM,
                log=folder / f"{name}.log",
                environment=web,
                cwd=PROJECT,
            )
            children.append(child)
            _wait_for(f"{address}/log/policy")
        yield [child.pid for child in children]
    finally:
        for child in reversed(children):
            process.stop(child, stop_signal=signal.SIGTERM, patience_seconds=10)


def follow_everything(home: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Publish the log until the one validator has attested all of it or objects.

    Returns
    -------
    dict
        What the validator's own command says of it.
    """
    publisher = process.spawn(
        [sys.executable, "manage.py", "publish_log"],
        stop_signal=signal.SIGTERM,
        log=home / "publisher.log",
        environment=environment,
        cwd=PROJECT,
    )
    words = [sys.executable, "-m", "validator.main", "status", "--config", str(config_of(home))]
    give_up_at = time.monotonic() + FOLLOWED_SECONDS
    try:
        while time.monotonic() < give_up_at:
            time.sleep(LOOK_SECONDS)
            done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
            status: dict[str, Any] = json.loads(done.stdout or "{}")
            size = _size(home, "pending")
            is_whole = bool(status) and status["followed"]["leaves"] == size > 0
            if status.get("objections") or (is_whole and _size(home, "checkpoint") == size):
                return status
    finally:
        process.stop(publisher, stop_signal=signal.SIGTERM, patience_seconds=10)
    raise RuntimeError(f"the validator did not follow in {FOLLOWED_SECONDS:.0f} s: see {home}")


def config_of(folder: Path) -> Path:
    """Return where the validator's configuration is."""
    return folder / "validator" / CONFIG_NAME


def _size(home: Path, name: str) -> int:
    """Return how many leaves a checkpoint of the published log is of; 0 if it is not there."""
    file = home / "publication" / name
    return int(file.read_text(encoding="utf-8").split("\n")[1]) if file.exists() else 0


def _set_up(folder: Path, environment: Mapping[str, str], address: str) -> Path:
    """Make keys, a credential and the policy; return the validator's configuration."""
    log = _said(environment, "manage.py", "log_keys")
    credential = folder / "credential"
    credential.write_text(_said(environment, "manage.py", "openings_credential", "bench") + "\n")
    credential.chmod(0o600)
    words = ("make-key", "bench.example/witness", str(folder / "witness.key"))
    witness = _said(environment, "-m", "validator.main", *words)
    policy = folder / "policy"
    home = folder / "validator"
    init = ("init", str(home), f"--log={address}/log", f"--name={NAME}", f"--policy={policy}")
    options = [f"--credential={credential}", f"--poll={POLL_SECONDS}"]
    key = _said(environment, "-m", "validator.main", *init, *options)
    text = (
        f"{log} {address}/log\nwitness nobody {witness}\nwitness one {key}\n"
        "group witnesses any nobody\ngroup validators all one\nquorum validators\n"
    )
    policy.write_text(text)
    return config_of(folder)


def _said(environment: Mapping[str, str], *words: str) -> str:
    run = subprocess.run(
        [sys.executable, *words],
        cwd=PROJECT,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {run.stderr}")
    return run.stdout.strip()


def _wait_for(url: str) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own http address
                return
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)
