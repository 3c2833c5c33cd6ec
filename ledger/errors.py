"""Errors of the ledger, one tree.

LedgerError
├── KeyReused        a command key is known with other content
├── CommandInvalid   a command that cannot be written down (amount, accounts, size)
├── StaleWriter      another settlement worker has taken over; nothing was written
├── BookBroken       verification found the first thing that does not follow from the commands
├── LogBroken        a hash, proof or signature of a log does not hold
│   ├── HeadBroken       what would be signed next does not extend what was signed: publishing stops
│   ├── NoteRefused      a cosignature or objection is not by a validator, or not of this log
│   └── LogMalformed     the bytes of a tile, bundle, note, checkpoint or proof are not in form
├── PruningRefused   a period cannot be pruned now; the message says why
├── ReceiptRefused   a receipt fails a step of its verification; names the step
└── PolicyInvalid    a policy file that says nothing, or says it in two ways; names line and remedy
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


class LogBroken(LedgerError):
    """A hash, proof or signature of a log does not hold; the message says which."""

    code = "log_broken"


class HeadBroken(LogBroken):
    """Signing now would fork the log; nothing is published until a person has looked."""

    code = "head_broken"


class NoteRefused(LogBroken):
    """A cosignature or objection does not come from a validator of the policy, for this log."""

    code = "note_refused"


class LogMalformed(LogBroken):
    """Bytes of a log (tile, bundle, note, checkpoint, key, proof) are not in their form."""

    code = "log_malformed"


class PolicyInvalid(LedgerError):
    """A policy file breaks a rule; the message names the line and the remedy."""

    code = "policy_invalid"

    def __init__(self, problem: str, *, remedy: str, line: int | None = None) -> None:
        place = "policy" if line is None else f"policy line {line}"
        super().__init__(f"{place}: {problem}; {remedy}")


class PruningRefused(LedgerError):
    """A period cannot be pruned now; nothing was removed."""

    code = "pruning_refused"


class ReceiptRefused(LedgerError):
    """A receipt proves nothing: ``step`` names the check that failed."""

    code = "receipt_refused"

    def __init__(self, step: str, problem: str) -> None:
        super().__init__(f"{step}: {problem}")
        self.step = step
        self.problem = problem
