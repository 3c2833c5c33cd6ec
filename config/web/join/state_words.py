"""What a new member waits for, said plainly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from config.web.shell import home_url
from marketplace.domain.applications import RefusalCode
from marketplace.queries.applications import MeterStart, list_meter_starts
from marketplace.queries.pages import Persona

REFUSALS: Final[Mapping[str, str | Promise]] = {
    RefusalCode.METER_UNKNOWN: _("The grid operator does not know this metering point."),
    RefusalCode.METER_TAKEN: _("This metering point belongs to a member already."),
    RefusalCode.OUTSIDE: _("The connection is outside of this community."),
    RefusalCode.PROOF_MISSING: _("Nothing shows that the metering point is yours."),
    RefusalCode.OTHER: _("For another reason; see below."),
}


@dataclass(frozen=True)
class MemberState:
    """A role that somebody has, and for each meter what it waits for."""

    persona: Persona
    url: str
    meters: list[tuple[MeterStart, str]]


def member_states(personas: Sequence[Persona], *, now: datetime) -> list[MemberState]:
    """Return the roles of a person with what their meters wait for."""
    return [
        MemberState(
            persona,
            home_url(persona),
            [
                (meter, _waits_for(meter, now))
                for meter in list_meter_starts(participant_id=persona.participant_id)
            ],
        )
        for persona in personas
    ]


def _waits_for(meter: MeterStart, now: datetime) -> str:
    if meter.first_reading_at is not None:
        return "active"
    return "day" if now < meter.active_from else "reading"
