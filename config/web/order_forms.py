"""The form of one order: prices and energies as people say them, never rounded."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import uuid4

import numpy as np
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from marketplace.domain.civil_day import FIRST_MOMENT, LAST_MOMENT
from marketplace.domain.forward.orders import BUY, SELL, OrderColumns
from marketplace.domain.money import ENERGY_MAX_WH, PRICE_MAX_MICRO_PER_KWH
from marketplace.queries.pages_member import MeterName

MICRO: Final = 10**6
PRICE_MAX: Final = Decimal(PRICE_MAX_MICRO_PER_KWH) / MICRO
KWH_MAX: Final = Decimal(ENERGY_MAX_WH) / 1000
# Where a refusal belongs on the page; the others concern the whole order.
FIELD_OF_REFUSAL: Final = {
    "out_of_bounds": "price",
    "position_limit": "kwh",
    "zone_unknown": "meter",
}


class OrderForm(forms.Form):
    """Buy or sell in one delivery interval, at a limit price."""

    # Drawn anew with each page, so that a double click or a reload counts once.
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    meter = forms.TypedChoiceField(label=_("Metering point"), coerce=int)
    side = forms.TypedChoiceField(
        label=_("Buy or sell"), choices=[(BUY, _("buy")), (SELL, _("sell"))], coerce=int
    )
    price = forms.DecimalField(
        label=_("Limit price per kWh"),
        min_value=-PRICE_MAX,
        max_value=PRICE_MAX,
        max_digits=10,
        decimal_places=6,
        help_text=_("You never pay more, and never get less."),
    )
    kwh = forms.DecimalField(
        label=_("Energy in kWh"), min_value=Decimal("0.001"), max_value=KWH_MAX, decimal_places=3
    )
    minimum = forms.DecimalField(
        label=_("At least, in kWh"),
        required=False,
        min_value=Decimal(0),
        max_value=KWH_MAX,
        decimal_places=3,
        help_text=_("Less than this is not wanted at all. Empty: any part."),
    )

    def set_meters(self, meters: Sequence[MeterName]) -> None:
        """Offer a choice of the member's metering points."""
        field = self.fields["meter"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(each.metering_point_id, each.code) for each in meters]

    def columns(self, starts_at: datetime) -> OrderColumns:
        """Return the order as the service takes it."""
        asked = self.cleaned_data

        def column(value: int) -> np.ndarray:
            return np.array([value], dtype=np.int64)

        return OrderColumns(
            metering_point_ids=column(asked["meter"]),
            zones=[""],
            starts_s=column(int(starts_at.timestamp())),
            sides=column(asked["side"]),
            limits=column(int(asked["price"] * MICRO)),
            quantities_wh=column(int(asked["kwh"] * 1000)),
            minimums_wh=column(int((asked["minimum"] or 0) * 1000)),
            expires_us=column(0),
            keys=[str(asked["token"])],
        )


class HaltForm(forms.Form):
    """Stop trading, with a reason for everybody to read."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        help_text=_("Everybody reads it, and it is logged for ever: nothing personal."),
    )
    until = forms.DateTimeField(
        label=_("Until"),
        required=False,
        validators=[MinValueValidator(FIRST_MOMENT), MaxValueValidator(LAST_MOMENT)],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("On the community's clock. Empty: until it is lifted."),
    )

    def ends_at(self) -> datetime | None:
        """Return the end in UTC."""
        until: datetime | None = self.cleaned_data["until"]
        return until.astimezone(UTC) if until else None
