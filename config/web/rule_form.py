"""The form of a standing rule: prices as people say them, per kWh, never rounded."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.domain.money import PRICE_MAX_MICRO_PER_KWH
from marketplace.queries.pages_rules import RuleVersion

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

MICRO = 10**6
PRICE_MAX = Decimal(PRICE_MAX_MICRO_PER_KWH) / MICRO


def price_limit(label: _StrPromise, help_text: _StrPromise) -> forms.DecimalField:
    """Return the field of a limit price, down to the micro-unit; it may stay empty."""
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=-PRICE_MAX,
        max_value=PRICE_MAX,
        max_digits=10,
        decimal_places=6,
        help_text=help_text,
    )


class RuleForm(forms.Form):
    """Sell at or above, buy at or below; empty leaves the price to the hall."""

    sell = price_limit(
        _("Sell my surplus at or above"),
        _("Price per kWh. Empty: the rule set draws one, never below the feed-in tariff."),
    )
    buy = price_limit(
        _("Buy from neighbours at or below"),
        _("Price per kWh. Empty: the rule set draws one, never above the retail tariff."),
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Empty: until you change it. Afterwards you trade with the grid alone."),
    )
    pause = forms.BooleanField(
        label=_("Pause: trade with the grid alone until I come back"), required=False
    )

    @classmethod
    def of(cls, rule: RuleVersion | None, zone: ZoneInfo, prefix: str) -> RuleForm:
        """Return the form filled with a rule."""
        if rule is None:
            return cls(prefix=prefix)
        return cls(
            prefix=prefix,
            initial={
                "sell": _as_price(rule.sell_at_or_above_micro_per_kwh),
                "buy": _as_price(rule.buy_at_or_below_micro_per_kwh),
                "last_day": _as_day(rule.valid_until, zone),
                "pause": rule.is_paused,
            },
        )

    @property
    def sell_micro(self) -> int | None:
        """The selling limit. [micro/kWh]"""
        return _as_micro(self.cleaned_data["sell"])

    @property
    def buy_micro(self) -> int | None:
        """The buying limit. [micro/kWh]"""
        return _as_micro(self.cleaned_data["buy"])

    def valid_until(self, zone: ZoneInfo) -> datetime | None:
        """Return the end of the last day on the community's clock."""
        day: date | None = self.cleaned_data["last_day"]
        if day is None or day == date.max:
            return None
        midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
        return midnight.astimezone(UTC)


def _as_micro(price: Decimal | None) -> int | None:
    return None if price is None else int(price * MICRO)


def _as_price(price_micro: int | None) -> Decimal | None:
    if price_micro is None:
        return None
    # "f" keeps a round price out of scientific notation, which 10.normalize() falls into.
    return Decimal(f"{(Decimal(price_micro) / MICRO).normalize():f}")


def _as_day(valid_until: datetime | None, zone: ZoneInfo) -> date | None:
    """Return the last civil day that is wholly before the end, or the day the end falls on."""
    if valid_until is None:
        return None
    return (valid_until.astimezone(zone) - timedelta(microseconds=1)).date()
