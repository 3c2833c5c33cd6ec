"""The one city page: energy, data, mobility and community under four headings."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.templatetags.figures import money_change
from config.web.city import energy, equity, mobility
from config.web.city.cards import Section
from config.web.city.data_market import data_flows_card, data_prices_card
from config.web.city.look import Look
from config.web.city.measures import kilograms
from config.web.city.prices import calendar_card, hourly_card

HEADINGS = {
    "energy": gettext_lazy("Energy"),
    "data": gettext_lazy("Data"),
    "mobility": gettext_lazy("Mobility"),
    "community": gettext_lazy("Community"),
}
# Where to look closer, by heading.
CLOSER = {
    "energy": ("prices", "flows"),
    "data": ("prices", "flows"),
    "mobility": ("mobility",),
    "community": ("equity", "health"),
}


@dataclass(frozen=True)
class Fact:
    """A headline figure that is no energy or money of a scope."""

    label: str
    figure: str


def sections(looks: Sequence[Look]) -> list[Section]:
    """Return the four parts of the page: of one community, or of all together."""
    first = looks[0]
    alone = len(looks) == 1
    course = hourly_card(first) if first.chosen.day_count == 1 else calendar_card(first)
    of_energy = [energy.daily_card(first), course] if alone else [energy.communities_card(looks)]
    of_data = [data_prices_card(), *([data_flows_card(first)] if alone else [])]
    of_members = [equity.carbon_card(first), *equity.savings_cards(first)[:1]] if alone else []
    cards = {
        "energy": of_energy,
        "data": of_data,
        "mobility": [mobility.clock_card(first, mobility.Licensed())]
        if alone
        else [mobility.traffic_card()],
        "community": of_members,
    }
    return [Section(key, str(heading), cards[key]) for key, heading in HEADINGS.items()]


def facts(looks: Sequence[Look]) -> list[Fact]:
    """Return headline figures of the communities: what the air was spared, who saved and traded."""
    avoided = sum(look.carbon.avoided_mg for look in looks)
    known = any(look.carbon.known_hours for look in looks)
    wholes = [(look, each) for look in looks for each in look.savings if not each.group]
    found = [Fact(_("Carbon avoided"), kilograms(avoided) if known else _("missing"))]
    if len({look.currency for look, _each in wholes}) == 1:
        saved = sum(each.saved_micro for _look, each in wholes)
        found.append(Fact(_("Saved by members"), money_change(saved, wholes[0][0].currency)))
    members = sum(each.member_count for _look, each in wholes)
    if members:
        trading = sum(each.trading_count for _look, each in wholes)
        found.append(Fact(_("Members that traded"), f"{trading} / {members}"))
    return found
