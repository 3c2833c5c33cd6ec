"""How what the grid alone would have cost becomes what was paid: exact steps for a waterfall."""

from dataclasses import dataclass

from analytics.domain.figures import MemberTotals


@dataclass(frozen=True, slots=True)
class MoneySteps:
    """What each part of the market changed for a member. [micro], positive: better off.

    ``alone_micro`` and all changes add up to ``net_micro``, to the unit.

    Attributes
    ----------
    alone_micro : int
        With the grid alone; negative when the member would have paid.
    sold_micro, bought_micro : int
        Selling to and buying from neighbours in the pool, instead of the grid at its tariffs; the
        platform's fee is not in it.
    agreed_micro : int
        The same by agreements: contracts, gifts, partners.
    fees_micro : int
        Fees of platform, grid and links; negative.
    rest_micro : int
        Deviations from what was traded ahead, and what late readings changed at the tariffs.
    net_micro : int
        What it came to.
    """

    alone_micro: int
    sold_micro: int
    bought_micro: int
    agreed_micro: int
    fees_micro: int
    rest_micro: int
    net_micro: int

    @property
    def saved_micro(self) -> int:
        """What the market changed in all."""
        return self.net_micro - self.alone_micro


def money_steps(totals: MemberTotals) -> MoneySteps:
    """Return the steps from the grid alone to what a member's time came to."""
    sold_at_tariff = totals.alone_sale_micro - totals.grid_sale_micro
    bought_at_tariff = totals.grid_purchase_micro - (totals.alone_micro - totals.alone_sale_micro)
    energy_bought = totals.pool_purchase_micro - totals.platform_fee_micro
    return MoneySteps(
        alone_micro=totals.alone_micro,
        sold_micro=totals.pool_sale_micro - (sold_at_tariff - totals.agreed_sold_alone_micro),
        bought_micro=energy_bought + (bought_at_tariff - totals.agreed_bought_alone_micro),
        agreed_micro=totals.agreed_micro
        - totals.agreed_sold_alone_micro
        + totals.agreed_bought_alone_micro,
        fees_micro=totals.platform_fee_micro + totals.grid_fee_micro,
        rest_micro=totals.other_micro - totals.agreed_micro - totals.grid_fee_micro,
        net_micro=totals.net_micro,
    )
