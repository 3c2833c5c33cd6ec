"""``manage.py verify_receipt``: check a receipt offline, step by step, without the database."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from config.log.keys import KeyMissing, read_policy
from ledger.domain.policy import Policy
from ledger.domain.receipts import ReceiptKind, Step, Verified, verify
from ledger.errors import PolicyInvalid, ReceiptRefused

# In plain words, what it means that a step holds.
HOLDS = {
    Step.FORM: "it is a whole receipt, written in the one way it can be written",
    Step.LOG_SIGNATURE: "the log signed the state of its log that the receipt names",
    Step.COSIGNATURES: "a quorum of the policy signed the same state",
    Step.PATH: "the entry stands in that log, at this place",
    Step.ENTRY: "the entry is of the kind that the receipt says it is",
    Step.CONTENT: "what is shown is exactly what the entry commits to",
}


class Command(BaseCommand):
    """``manage.py verify_receipt FILE [--policy FILE]``"""

    help = "Check a receipt offline and say what it proves; exit 1 names the step that fails."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the two files."""
        parser.add_argument("receipt", type=Path, metavar="FILE", help="a .tlog-proof file")
        parser.add_argument(
            "--policy",
            type=Path,
            metavar="FILE",
            help="whom you trust, in tlog-policy form (default: this hall's own policy)",
        )

    def handle(self, *, receipt: Path, policy: Path | None, **options: object) -> None:
        """Check, and say what was checked."""
        try:
            trusted = read_policy() if policy is None else Policy.parse(policy.read_bytes())
        except (OSError, KeyMissing, PolicyInvalid) as error:
            raise CommandError(f"no policy to check with: {error}") from error
        try:
            text = receipt.read_bytes()
        except OSError as error:
            raise CommandError(f"{receipt} cannot be read: {error}") from error
        try:
            verified = verify(text, trusted)
        except ReceiptRefused as refusal:
            self._say_steps(refusal.step)
            raise CommandError(f"REFUSED at {refusal.step}: {refusal.problem}") from refusal
        self._say_steps(None)
        for line in proved(verified):
            self.stdout.write(line)
        if policy is None:
            self.stdout.write("Checked with this hall's own policy: for more, use --policy.")

    def _say_steps(self, failed: str | None) -> None:
        for step in Step:
            if step == failed:
                self.stdout.write(f"FAIL {step}")
                return
            self.stdout.write(f"ok   {step}: {HOLDS[step]}")


def proved(verified: Verified) -> Iterator[str]:
    """Say what a receipt proves, a line each."""
    yield ""
    yield f"Proved: a {verified.kind} stands in {verified.origin}"
    yield f"  entry {verified.index} of {verified.size}, counted from 0"
    for name, text in verified.opened.items():
        shown = f"{text} ({utc(int(text) / 1e6)})" if name == "time" else text
        yield f"  {name}: {shown}"
    if verified.kind == ReceiptKind.BALANCE:
        yield f"  after block {verified.entry['block']} of {utc(int(verified.entry['time']) / 1e6)}"
    for name, text in dict(verified.entry.get("public", {})).items():
        yield f"  {name} (public): {text}"
    for each in verified.cosigners:
        yield f"  cosigned by {each.name} at {utc(each.signed_at)}"
    if not verified.attested:
        yield "  The policy asks for nobody but the log: no one else attests this."


def utc(seconds: float) -> str:
    """Return a time as people read it; what no calendar has stays a number."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s since 1970"
