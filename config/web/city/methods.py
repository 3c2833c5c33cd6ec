"""Methods and data: what each figure means, how it is computed, from what, and how to cite it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from config.web.city.findings import HHI_HIGH, HHI_MODERATE
from config.web.city.look import Look
from config.web.indicators import SourceRow, list_source_rows
from ledger.queries.checkpoints import AttestedCheckpoint, find_attested_checkpoint
from marketplace.queries.data.flows_of_data import PARTIES_AT_LEAST


@dataclass(frozen=True)
class Citation:
    """How a view is cited: its permanent address, and the state of the books it was made from."""

    address: str
    version: str
    as_of: datetime | None
    checkpoint: AttestedCheckpoint | None

    @property
    def root(self) -> str:
        """The log's Merkle root in hexadecimal digits."""
        return self.checkpoint.root.hex() if self.checkpoint else ""


def cite(looks: Sequence[Look], address: str) -> Citation:
    """Return how figures of looks are cited.

    The version names the moment they were released, the rules and the size of the attested log: the
    same three, the same figures.
    """
    checkpoint = find_attested_checkpoint()
    at = max((look.basis.as_of for look in looks if look.basis.as_of), default=None)
    parts = [
        *([f"{at:%Y%m%dT%H%M%SZ}"] if at else []),
        f"log{checkpoint.size if checkpoint else 0}",
    ]
    if len(looks) == 1 and looks[0].rule_sets:  # of several, each has rules of its own
        parts.insert(-1, "r" + ".".join(str(each.version) for each in looks[0].rule_sets))
    return Citation(address, "-".join(parts), at, checkpoint)


def list_definitions(look: Look) -> list[tuple[str, str]]:
    """Return each figure's name and how it is computed."""
    return [*_energy(), *_prices(), *_others(), (_("What is not shown"), _hidden(look))]


def list_mobility_sources() -> list[SourceRow]:
    """Return the licensed products that figures of mobility are made from, each once."""
    rows = [row for topic in ("traffic", "flows", "stations", "transit") for row in _rows(topic)]
    return list({row.line.product_id: row for row in rows}.values())


def _rows(topic: str) -> list[SourceRow]:
    return list_source_rows(topic)


def _energy() -> list[tuple[str, str]]:
    return [
        (
            _("Traded"),
            _("Energy that members bought from members: in the pool and by agreement. [Wh]"),
        ),
        (
            _("Self-sufficiency"),
            _("Bought from neighbours, over all metered import of the same meters and time."),
        ),
        (
            _("Self-consumption"),
            _("Sold to neighbours, over all metered export of the same meters and time."),
        ),
        (
            _("Peak"),
            _(
                "The highest mean power from the grid in any delivery interval. Against no market:"
                " the same if every meter had drawn all it imported from the grid. [W]"
            ),
        ),
        (
            _("Losses, congestion rent, congested hours"),
            _(
                "Of links between zones: sent less received; what buyers paid over what sellers got"
                " where a limit bound; how long any limit bound."
            ),
        ),
    ]


def _prices() -> list[tuple[str, str]]:
    return [
        (
            _("Mean price"),
            _("Clearing prices weighted by what was bought at them; fees are not in it."),
        ),
        (
            _("Spread"),
            _(
                "Retail tariff less the mean price, and the mean price less the feed-in tariff;"
                " of each day its mean tariffs, weighted by what was traded on it."
            ),
        ),
        (
            _("Volatility"),
            _(
                "Population standard deviation of a civil day's hourly mean prices; of a longer"
                " time the mean over its days."
            ),
        ),
        (
            _("Duration curve"),
            _("Hourly mean prices from the highest to the lowest, over hours with trades."),
        ),
    ]


def _others() -> list[tuple[str, str]]:
    return [
        (
            _("Carbon avoided"),
            _(
                "Energy bought from neighbours in an hour times the grid's mean intensity of that"
                " hour, in CO₂-equivalent; hours without a known intensity are left out, and"
                " counted."
            ),
        ),
        (
            _("Savings"),
            _(
                "What members paid and got, fees included, against buying and selling the same"
                " energy at the grid's tariffs; deciles over members, Gini coefficient of savings."
            ),
        ),
        (
            _("Concentration"),
            _(
                "Herfindahl-Hirschman index of sellers and of buyers by interval, weighted by"
                " trade; moderate from {moderate}, high from {high}."
            ).format(moderate=HHI_MODERATE, high=HHI_HIGH),
        ),
        (
            _("Data market"),
            _(
                "Asking prices as the catalogue has them. Contracts, deliveries and money by kind"
                " of data and group, where at least {minimum} sellers and {minimum} buyers stand"
                " behind a cell."
            ).format(minimum=PARTIES_AT_LEAST),
        ),
        (
            _("Mobility"),
            _(
                "Sums of what licensed products counted or their privacy gate let through; what was"
                " not counted is missing, not zero."
            ),
        ),
    ]


def _hidden(look: Look) -> str:
    return _(
        "A figure covers at least {minimum} members in every hour, no one or two of them make up"
        " nearly all of it, and no difference of two shown figures is one about fewer. A day is"
        " shown once it is over; corrections follow in batches about enough members."
    ).format(minimum=look.minimum)
