"""PostgreSQL refuses to run as root or as a user without a name: who else it can run as."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.embedded.process import ServerFailed


@dataclass(frozen=True)
class Identity:
    """Who a server runs as: ourselves, another user, or a user name space of our own."""

    user: int | None = None
    group: int | None = None
    prefix: tuple[str, ...] = ()

    @property
    def files_owner(self) -> int:
        return os.geteuid() if self.user is None else self.user


def choose_identity(*paths: Path) -> Identity:
    """Return who may run a server on ``paths``, usually ourselves.

    For root it is ``nobody`` where other users can reach the paths; else (a checkout below root's
    own closed home) a user name space, in which our own files belong to an ordinary user. So it
    is for a user id without a name, as containers like to give.
    """
    if os.geteuid() != 0:
        return Identity() if _has_name(os.geteuid()) else _name_space()
    if all(_others_can_reach(path) for path in paths):
        nobody = pwd.getpwnam("nobody")
        return Identity(user=nobody.pw_uid, group=nobody.pw_gid)
    return _name_space()


def _name_space() -> Identity:
    nobody = pwd.getpwnam("nobody")
    # The inner user must have a name: PostgreSQL looks it up.
    prefix = (
        "unshare",
        "--user",
        f"--map-user={nobody.pw_uid}",
        f"--map-group={nobody.pw_gid}",
    )
    try:
        possible = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        possible = None
    if possible is None or possible.returncode != 0:
        raise ServerFailed(
            "PostgreSQL runs neither as root in a folder that other users cannot enter nor as a"
            " user without a name, and user name spaces are off here: move the checkout (for"
            " example to /srv) or run as an ordinary user"
        )
    return Identity(prefix=prefix)


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def give(path: Path, identity: Identity) -> None:
    """Make ``path`` and all below it belong to the server; a moved checkout changes hands."""
    if os.geteuid() != 0 or path.stat().st_uid == identity.files_owner:
        return
    os.chown(path, identity.files_owner, -1)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder) / name, identity.files_owner, -1, follow_symlinks=False)


def _others_can_reach(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
