"""What an answer comes to, as sentences over its charts."""

from django.utils.translation import gettext as _

from config.templatetags.figures import kwh, money
from marketplace.domain.what_if.figures import ALL
from marketplace.domain.what_if.spread import Spread
from marketplace.queries.what_ifs import Sides


def percent_change(before: int, after: int) -> int | None:
    """Return by how many percent something changes; None from nothing."""
    return round((after - before) * 100 / abs(before)) if before else None


def traded(total: Sides) -> str:
    """Say what becomes of trading between neighbours."""
    before, after = (side.zones[ALL]["bought_wh"] for side in (total.actual, total.changed))
    change = percent_change(before, after)
    if after == before:
        return _("Neighbours would trade as much as they did: {energy}.").format(energy=kwh(after))
    if not change:
        text = _("Trading between neighbours would hardly change: {energy}.")
        return text.format(energy=kwh(after))
    if change > 0:
        text = _("Neighbours would trade {percent} % more, {energy} in all.")
    else:
        text = _("Neighbours would trade less, by {percent} %: {energy} in all.")
    return text.format(percent=abs(change), energy=kwh(after))


def grid(total: Sides) -> str:
    """Say what becomes of what comes from the grid."""
    before, after = (side.zones[ALL]["grid_import_wh"] for side in (total.actual, total.changed))
    change = percent_change(before, after)
    if not change:
        return _("As much would come from the grid as did.")
    if change > 0:
        return _("{percent} % more would come from the grid.").format(percent=change)
    return _("Less would come from the grid, by {percent} %.").format(percent=-change)


def members(total: Sides, currency: str) -> str:
    """Say what members together would have more or less."""
    before, after = (side.money["members_micro"] for side in (total.actual, total.changed))
    if after == before:
        return _("For members together nothing would change.")
    amount = money(abs(after - before), currency)
    if after > before:
        return _("Members together would be better off by {amount}.").format(amount=amount)
    return _("Members together would be worse off by {amount}.").format(amount=amount)


def spread(found: Spread) -> str:
    """Say how many would gain and lose."""
    if found.gaining is None:
        return _("Too few members stand on one side to say how many would gain or lose.")
    return _("Of {count} members {gaining} would gain and {losing} would lose.").format(
        count=found.member_count, gaining=found.gaining, losing=found.losing
    )


def days(differing: int, count: int) -> str:
    """Say on how many days trading would differ."""
    if not differing:
        return _("Trading would be the same on every day.")
    return _("Trading would differ on {differing} of {count} days.").format(
        differing=differing, count=count
    )
