"""What a household should look at, and nothing else: gaps, signatures, news of prices and rules."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.notices.words import path_of, text_of
from marketplace.domain.rules import Rules
from marketplace.queries.agreements import count_proposals_to_sign
from marketplace.queries.gaps import find_own_gap
from marketplace.queries.notices import list_unread
from marketplace.queries.pages import Persona
from marketplace.queries.pages_member import is_over_credit_limit

# Of a household that has been away, the newest few.
NOTICES_SHOWN: Final = 3
# A gap is news for as long as it can still be filled.
GAP_DAYS: Final = timedelta(days=31)


@dataclass(frozen=True)
class Matter:
    """Something to look at: what it is, and where to go."""

    text: str
    url: str
    action: str


def list_matters(*, persona: Persona, rules: Rules | None, today: date) -> list[Matter]:
    """Return what a household should look at today; empty on most days.

    Parameters
    ----------
    rules : Rules or None
        Those in force.
    today : date
        On the community's clock.
    """
    member = persona.participant_id
    found = []
    if _owes_too_much(persona, rules):
        text = _(
            "You owe more than your credit limit: until that is settled you trade with the grid"
            " alone."
        )
        found.append(Matter(text, reverse("month", args=[member]), _("See what it came to")))
    if waiting := count_proposals_to_sign(participant_id=member):
        text = ngettext(
            "{count} proposal waits for your signature.",
            "{count} proposals wait for your signature.",
            waiting,
        )
        found.append(
            Matter(text.format(count=waiting), reverse("sharing", args=[member]), _("Read it"))
        )
    gap = find_own_gap(participant_id=member)
    if gap is not None and gap.since >= today - GAP_DAYS:
        text = ngettext(
            "{count} reading of your meter is missing since {day}. Until it comes, its interval"
            " counts as missing, not as zero.",
            "{count} readings of your meter are missing since {day}. Until they come, their"
            " intervals count as missing, not as zero.",
            gap.missing_count,
        )
        text = text.format(count=gap.missing_count, day=gap.since.isoformat())
        found.append(Matter(text, reverse("member_gaps", args=[member]), _("Readings by day")))
    for line in list_unread(participant_id=member, limit=NOTICES_SHOWN):
        url = path_of(line) or reverse("notices")
        found.append(Matter(text_of(line), url, _("Read it")))
    return found


def _owes_too_much(persona: Persona, rules: Rules | None) -> bool:
    """Return whether auctions go without the household until it has paid."""
    if rules is None or persona.energy_account_id is None:
        return False
    return is_over_credit_limit(
        participant_id=persona.participant_id,
        account_id=persona.energy_account_id,
        usual_micro=rules.credit_limit_micro,
    )
