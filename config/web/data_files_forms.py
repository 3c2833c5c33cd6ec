"""Forms of the data hall: what people write, turned into terms."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext, gettext_lazy

from marketplace.domain.data_matching import AREA_MAX, LICENCE_MAX, TITLE_MAX, YEARS, DataKind
from marketplace.errors import Invalid

MICRO: Final = 10**6
KIND_LABELS: Final = {
    DataKind.TRAFFIC_COUNTS: gettext_lazy("Traffic counts"),
    DataKind.BIKE_FLOWS: gettext_lazy("Bike flows"),
}
RESOLUTION_LABELS: Final = {
    5: gettext_lazy("5 minutes"),
    15: gettext_lazy("15 minutes"),
    30: gettext_lazy("30 minutes"),
    60: gettext_lazy("1 hour"),
    24 * 60: gettext_lazy("1 day"),
}
# Where a complaint about a value of the terms belongs on the page.
FIELD_OF: Final = {
    "period_start": "first_day",
    "period_end": "last_day",
    "price_micro": "price",
    "limit_price_micro": "price",
    "content": "file",
    "file_name": "file",
}


def _day_field(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        widget=forms.DateInput(attrs={"type": "date"}),
        validators=[
            MinValueValidator(date(YEARS[0], 1, 1)),
            # The period ends a midnight later, in a year of its own.
            MaxValueValidator(date(YEARS[-1], 12, 30)),
        ],
    )


class TermsForm(forms.Form):
    """What both sides say about data; days are civil days of the zone, both included."""

    # Drawn anew with each page, so that a double click or a reload counts once.
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    title = forms.CharField(label=gettext_lazy("Title"), max_length=TITLE_MAX)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=list(KIND_LABELS.items()))
    area = forms.CharField(label=gettext_lazy("Area"), max_length=AREA_MAX)
    first_day = _day_field(gettext_lazy("First day"))
    last_day = _day_field(gettext_lazy("Last day"))
    resolution_minutes = forms.TypedChoiceField(
        label=gettext_lazy("One count covers"),
        choices=list(RESOLUTION_LABELS.items()),
        coerce=int,
        initial=60,
    )
    price = forms.DecimalField(
        label=gettext_lazy("Price"), min_value=Decimal(0), max_digits=15, decimal_places=6
    )

    def terms(self, zone: ZoneInfo) -> dict[str, object]:
        """Return the terms in force from the first midnight to the last, in a civil time zone."""
        clean = self.cleaned_data
        end_day = clean["last_day"] + timedelta(days=1)
        return {
            "title": clean["title"],
            "kind": clean["kind"],
            "area": clean["area"],
            "period_start": datetime.combine(clean["first_day"], time(), zone),
            "period_end": datetime.combine(end_day, time(), zone),
            "resolution_minutes": clean["resolution_minutes"],
        }

    def price_micro(self) -> int:
        """Return the price. [micro]"""
        return int(self.cleaned_data["price"] * MICRO)

    def complain(self, error: Invalid) -> None:
        """Show an error of the service beside the value it is about."""
        name = FIELD_OF.get(error.field, error.field)
        message = gettext(error.text)
        self.add_error(
            name if name in self.fields else None,
            message.format(**error.params) if error.params else message,
        )


class RequestForm(TermsForm):
    """What an enterprise looks for."""

    field_order = ("title", "kind", "area", "first_day", "last_day", "resolution_minutes", "price")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["price"].label = gettext_lazy("Pay at most")
        self.fields["resolution_minutes"].label = gettext_lazy("One count covers at most")


class OfferForm(TermsForm):
    """What a provider publishes."""

    licence = forms.CharField(
        label=gettext_lazy("Licence"),
        max_length=LICENCE_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("What the buyer may do with the data."),
    )
    file = forms.FileField(
        label=gettext_lazy("File of aggregates"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=gettext_lazy("A CSV in UTF-8, at most 5 MB; suppressed counts are empty cells."),
    )
