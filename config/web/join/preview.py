"""What the recommended rule would mean, from tariffs alone: nobody's data is in it."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.rules import load_rules
from marketplace.domain.standing import limits_for_band, spread_keys
from marketplace.queries.applications import ApplicationLine, get_rules_document


@dataclass(frozen=True)
class RulePreview:
    """Limits of the recommended rule now, beside what the grid charges and pays. [micro/kWh]"""

    currency: str
    buy_at_or_below: int
    sell_at_or_above: int
    retail: int
    feed_in: int
    fee: int


def rule_preview(application: ApplicationLine, *, now: datetime) -> RulePreview | None:
    """Return what the rule set would draw for the applicant's meter; None where it draws none."""
    details = application.details
    if application.community_id is None or details is None:
        return None
    document = get_rules_document(community_id=application.community_id, now=now)
    if document is None:
        return None
    rules = load_rules(document)
    prices = rules.prices_at(now)
    try:
        buy, sell = limits_for_band(spread_keys([details.meter]), prices)
    except ValueError:
        return None  # the grid pays more than it charges: nobody gains from a pool
    return RulePreview(
        rules.currency,
        int(buy[0]),
        int(sell[0]),
        prices.retail_micro_per_kwh,
        prices.feed_in_micro_per_kwh,
        prices.platform_fee_micro_per_kwh,
    )
