"""``manage.py erase_subject``: forget who somebody was, and leave the books as they are."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from ledger.queries import get_balances, get_units
from marketplace.errors import AlreadyErased
from marketplace.queries.pages import find_persona
from marketplace.services.erasure import (
    ErasurePlan,
    erase_subject,
    plan_erasure_of_participant,
    plan_erasure_of_person,
)

WHAT_STAYS = """\
What stays: the entries of the accounts above in the ledger, the readings and books of their
intervals and the meters' device numbers, all without a name, until retention ends; in the log a
leaf that says that somebody was erased. Whoever knows from elsewhere whose device a number is can
still read its entries. What the database's backups hold of names and of who acts for whom can no
longer be opened. Mail that was sent and copies outside of this program are not reached."""


class Command(BaseCommand):
    """Erase a person or a participant."""

    help = "Erase who somebody was: destroy their identity key, end their rules and sign-in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the subject, and whether to ask."""
        parser.add_argument(
            "subject", metavar="EMAIL|PARTICIPANT", help="an e-mail address or a number"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")

    def handle(self, *, subject: str, yes: bool, **options: Any) -> None:
        """Say what goes, ask, erase, and say what stays."""
        try:
            plan = (
                plan_erasure_of_participant(participant_id=int(subject))
                if subject.isdecimal()
                else plan_erasure_of_person(email=subject)
            )
        except AlreadyErased as refusal:
            raise CommandError(str(refusal)) from refusal
        for line in described(plan):
            self.stdout.write(line)
        if not yes and input("This cannot be undone. Type 'erase' to go on: ") != "erase":
            raise CommandError("nothing was erased")
        erase_subject(plan=plan, now=timezone.now())
        self.stdout.write(f"Erased. {WHAT_STAYS}")


def described(plan: ErasurePlan) -> list[str]:
    """Return what a plan takes, one thing a line."""
    lines = []
    for participant_id in plan.participant_ids:
        persona = find_persona(participant_id=participant_id)
        assert persona is not None  # participants are never deleted
        accounts = [each for each in (persona.energy_account_id, persona.wallet_account_id) if each]
        lines.append(f"{persona.role} {participant_id}: name, rules, metering points in use")
        units = get_units(account_ids=accounts)
        for balance in get_balances(account_ids=accounts).values():
            unit = units[balance.account_id]
            lines.append(f"  account {balance.account_id}: {balance.posted} of {unit} stay")
    people = len(plan.user_ids)
    lines.append(f"{people} sign-in{'' if people == 1 else 's'}: address, password, roles, tokens")
    if plan.rekeyed_user_ids:
        lines.append(
            f"{len(plan.rekeyed_user_ids)} of its people act for others too: their sign-in stays"
        )
    return lines
