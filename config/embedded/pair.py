"""The two servers together, as one thing to start, stop and name in an environment."""

from pathlib import Path

from config.embedded.postgres import APP, OWNER, Postgres
from config.embedded.valkey import Valkey


class Pair:
    """PostgreSQL and Valkey below one folder."""

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.postgres = Postgres(root / "pg", durable=durable)
        self.valkey = Valkey(root / "valkey", durable=durable)

    def start(self) -> None:
        try:
            self.postgres.start()
            self.valkey.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self.valkey.stop()
        self.postgres.stop()

    def environment(self) -> dict[str, str]:
        """Return the variables by which settings and child processes find the servers."""
        return {
            "DATABASE_URL": self.postgres.url(APP),
            "DATABASE_OWNER_URL": self.postgres.url(OWNER),
            "HELIOPOLIS_APP_ROLE": APP,
            "REDIS_URL": self.valkey.url(),
        }
