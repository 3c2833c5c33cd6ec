"""Set up the witness and the validators of a trial: keys, configurations, credentials, policy."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

from config.embedded import cosigners
from config.embedded.migrations import PROJECT
from config.embedded.process import free_port, is_port_free, write_private
from config.log.keys import make_signer
from ledger.services.attestation import grant_openings, may_read_openings

_NAME = "heliopolis.example"
_POLL_SECONDS = 0.5


def set_up_cosigners(*, state: Path, policy: Path, address: str, now: datetime) -> None:
    """Make what is missing, and bring addresses up to date; safe to repeat at every start.

    Parameters
    ----------
    state : Path
        Folder of this checkout's state.
    policy : Path
        File of the policy, written anew when it has changed.
    address : str
        Where the hall will answer.
    now : datetime
        The clock.
    """
    log = make_signer()
    port = _witness_port(cosigners.witness_folder(state))
    folder = cosigners.witness_folder(state)
    keys = {"witness": _key(folder / "witness.key", f"{_NAME}/witness")}
    _write(
        folder / "witness.toml",
        f'key = "witness.key"\nstate = "witness.sqlite3"\nlisten = "127.0.0.1:{port}"\n\n'
        f'[[log]]\norigin = "{log.name}"\nkeys = ["{log.key}"]\n',
    )
    (folder / "port").write_text(str(port))
    for number in range(1, cosigners.VALIDATOR_COUNT + 1):
        name = f"validator-{number}"
        folder = cosigners.validator_folder(state, number)
        keys[name] = _key(folder / "validator.key", f"{_NAME}/{name}")
        _credential(folder / "credential", name, now=now)
        _write(
            folder / "validator.toml",
            f'log = "{address}/log"\nkey = "validator.key"\npolicy = "../../{policy.name}"\n'
            f'credential = "credential"\nstate = "state"\npoll_seconds = {_POLL_SECONDS}\n',
        )
    _write(policy, _policy(f"log {log.key} {address}/log", keys, port))


def _policy(log: str, keys: dict[str, str], port: int) -> str:
    validators = [name for name in keys if name.startswith("validator")]
    return "\n".join(
        (
            f"# {cosigners.NOTE}".replace("\n", "\n# "),
            log,
            f"witness witness {keys['witness']} http://127.0.0.1:{port}",
            *(f"witness {name} {keys[name]}" for name in validators),
            "group witnesses any witness",
            f"group validators {cosigners.VALIDATORS_NEEDED} {' '.join(validators)}",
            "group both all witnesses validators",
            "quorum both",
            "",
        )
    )


def _key(path: Path, name: str) -> str:
    """Return a cosigner's public key; its own program makes the private one and shows it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    words = ["show-key", str(path)] if path.exists() else ["make-key", name, str(path)]
    run = subprocess.run(
        [sys.executable, "-m", "validator.main", *words],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return run.stdout.strip()


def _credential(path: Path, name: str, *, now: datetime) -> None:
    if path.exists() and may_read_openings(token=path.read_text().strip()):
        return
    # A name of its own for each: an older one may be in a database that outlived the folder.
    token = grant_openings(name=f"{name} {now:%Y-%m-%d %H:%M:%S.%f}", now=now)
    write_private(path, token + "\n")


def _witness_port(folder: Path) -> int:
    """Return the witness's port of last time, another one where that is taken."""
    try:
        port = int((folder / "port").read_text())
    except (OSError, ValueError):
        return free_port()
    return port if is_port_free(port) else free_port()


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_private(path, text)
