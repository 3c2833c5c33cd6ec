"""Errors of the ledger, one tree.

LedgerError
├── KeyReused        a command key is known with other content
├── CommandInvalid   a command that cannot be written down (amount, accounts, size)
├── StaleWriter      another settlement worker has taken over; nothing was written
└── BookBroken       verification found the first thing that does not follow from the commands
"""


class LedgerError(Exception):
    """Base of every anticipated error; ``code`` is stable and part of the API."""

    code = "ledger_error"


class KeyReused(LedgerError):
    """The key of a command is known with other content."""

    code = "key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(f"command key {key!r} was used before with other content")


class CommandInvalid(LedgerError):
    """The command cannot be put into canonical form."""

    code = "command_invalid"


class StaleWriter(LedgerError):
    """The worker's epoch is not the head's: a successor writes now."""

    code = "stale_writer"


class BookBroken(LedgerError):
    """The book does not follow from its commands; the message names the first bad thing."""

    code = "book_broken"
