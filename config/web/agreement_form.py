"""The form by which a member proposes an agreement to another."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from config.web.rule_form import MICRO, PRICE_MAX
from marketplace.domain.agreement_text import AgreementKind
from marketplace.queries.pages_member import MeterName

WH_PER_KWH = 1000
# Further off, a day does not fit the clocks of all time zones.
DAYS = [MinValueValidator(date(1971, 1, 1)), MaxValueValidator(date(2199, 12, 30))]

KIND_WORDS = (
    ("partner", _("Partner: we trade with each other before the pool")),
    ("contract", _("Contract: at a price that we fix")),
    ("gift", _("Gift: for nothing")),
)


class AgreementForm(forms.Form):
    """A contract, a gift, or a partner; which side I am; at what price, how much, how long."""

    kind = forms.ChoiceField(label=_("What"), widget=forms.RadioSelect)
    side = forms.ChoiceField(
        label=_("My side"),
        choices=[("seller", _("I deliver")), ("buyer", _("I receive"))],
        widget=forms.RadioSelect,
        initial="seller",
    )
    own_point = forms.TypedChoiceField(label=_("My meter"), coerce=int)
    other_meter = forms.CharField(
        label=_("The other side's meter"),
        max_length=200,
        help_text=_("Its number as the other side tells you. They must sign before it counts."),
    )
    price = forms.DecimalField(
        label=_("Price per kWh"),
        required=False,
        min_value=-PRICE_MAX,
        max_value=PRICE_MAX,
        max_digits=10,
        decimal_places=6,
        help_text=_("A contract needs one. A partner's may be empty: the middle of the tariffs."),
    )
    maximum = forms.DecimalField(
        label=_("At most, in kWh per interval"),
        required=False,
        min_value=Decimal("0.001"),
        max_value=Decimal(1_000_000),
        max_digits=10,
        decimal_places=3,
        help_text=_("Empty: whatever one has over and the other uses."),
    )
    rank = forms.TypedChoiceField(
        label=_("Which of my three partners"),
        choices=[("1", "1"), ("2", "2"), ("3", "3")],
        coerce=int,
        initial="1",
        help_text=_("The first is served before the second. It must be free on both sides."),
    )
    first_day = forms.DateField(
        label=_("First day"),
        validators=DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        validators=DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Empty: until one of us ends it."),
    )

    def __init__(
        self,
        *args: object,
        meters: Sequence[MeterName],
        kinds: Sequence[AgreementKind],
        **kwargs: object,
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as the base class takes them
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        allowed = [(each, words) for each, words in KIND_WORDS if each in kinds]
        kind.choices = allowed
        kind.initial = allowed[0][0] if allowed else None
        own = self.fields["own_point"]
        assert isinstance(own, forms.TypedChoiceField)
        own.choices = [(each.metering_point_id, each.site or each.code) for each in meters]
        if len(meters) == 1:
            own.widget = forms.HiddenInput()
            own.initial = meters[0].metering_point_id

    @property
    def price_micro(self) -> int | None:
        """The fixed price. [micro/kWh]"""
        price: Decimal | None = self.cleaned_data["price"]
        return None if price is None else int(price * MICRO)

    @property
    def maximum_wh(self) -> int | None:
        """The most in an interval. [Wh]"""
        most: Decimal | None = self.cleaned_data["maximum"]
        return None if most is None else int(most * WH_PER_KWH)

    def begins_at(self, zone: ZoneInfo) -> datetime:
        """Return the start of the first day on the community's clock."""
        return _midnight(self.cleaned_data["first_day"], zone)

    def ends_at(self, zone: ZoneInfo) -> datetime | None:
        """Return the end of the last day on the community's clock."""
        day: date | None = self.cleaned_data["last_day"]
        return None if day is None else _midnight(day + timedelta(days=1), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
