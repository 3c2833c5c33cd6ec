"""Disks of a few megabytes: file systems in memory, in a name space that ends with the test."""

import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.embedded.postgres import Postgres
from config.embedded.unprivileged import Identity

MEBIBYTE = 1 << 20
_ENTER = ("unshare", "--user", "--map-root-user", "--mount")
# A disk begins with what the folder held: from inside, the folder is seen as it was before. Then
# somebody has to stay, or the name space ends.
_MOUNT = """
set -e
while [ "$1" ]; do
    cd "$2"
    mount -t tmpfs -o size="$1",mode=0700 tmpfs "$2"
    cp -R --preserve=mode,links . "$2/"
    shift 2
done
echo mounted
exec sleep 3600
"""


class TinyDisk:
    """One small file system, seen from outside of its name space.

    Only ``user`` can make files there: nobody else has a name in that name space.
    """

    def __init__(self, keeper: int, place: Path, user: int | None) -> None:
        self.path = Path(f"/proc/{keeper}/root{place}")
        self._user = user

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Take all room but so much."""
        stat = os.statvfs(self.path)
        taken = stat.f_bavail * stat.f_frsize - leave_bytes
        assert taken > 0, "there is less room than that"
        self._run(f"head -c {taken} /dev/zero > {self.path}/ballast")

    def make_room(self) -> None:
        self._run(f"rm {self.path}/ballast")

    def _run(self, command: str) -> None:
        group = None if self._user is None else pwd.getpwuid(self._user).pw_gid
        subprocess.run(["sh", "-c", command], user=self._user, group=group, check=True)


@contextmanager
def tiny_disks(
    sizes: Mapping[Path, int], *, user: int | None = None
) -> Iterator[tuple[int, dict[Path, TinyDisk]]]:
    """Mount small disks over folders, in order; yield who keeps them, and the disks by folder."""
    words = [word for place, size in sizes.items() for word in (str(size), str(place))]
    keeper = subprocess.Popen(
        [*_ENTER, "sh", "-c", _MOUNT, "sh", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        user=user,
        group=None if user is None else pwd.getpwuid(user).pw_gid,
    )
    assert keeper.stdout is not None
    assert keeper.stderr is not None
    with keeper.stdout, keeper.stderr:
        try:
            if keeper.stdout.readline() != "mounted\n":
                pytest.skip(f"no disk can be mounted here: {keeper.stderr.read().strip()}")
            yield keeper.pid, {place: TinyDisk(keeper.pid, place, user) for place in sizes}
        finally:
            keeper.kill()
            keeper.wait()


class PostgresOnTinyDisks(Postgres):
    """A cluster that was made elsewhere, whose tables and log lie on small disks."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.keeper = 0

    @property
    def data(self) -> Path:
        return self._data

    @property
    def tables(self) -> Path:
        return self._data / "base"

    @property
    def wal(self) -> Path:
        return self._data / "pg_wal"

    def _launch(self, *, retry_until: float, give_up_at: float) -> None:
        nobody = pwd.getpwnam("nobody")
        inside = (
            *(
                "nsenter",
                "--target",
                str(self.keeper),
                "--user",
                "--mount",
                "--preserve-credentials",
            ),
            *("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}"),
        )
        self._identity = Identity(self._identity.user, self._identity.group, inside)
        super()._launch(retry_until=retry_until, give_up_at=give_up_at)
