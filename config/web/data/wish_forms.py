"""What buyers write into a request, and sellers into an answer."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from django import forms
from django.utils.translation import gettext, gettext_lazy

from config.web.data.words import FORMAT_LABELS, KIND_LABELS, RESOLUTION_LABELS
from marketplace.domain.data.wishes import MICRODEGREES, TITLE_MAX, Area, Wish
from marketplace.errors import Invalid

MICRO: Final = 10**6
AGES: Final = {
    0: gettext_lazy("any age"),
    60: gettext_lazy("1 minute"),
    300: gettext_lazy("5 minutes"),
    3_600: gettext_lazy("1 hour"),
    86_400: gettext_lazy("1 day"),
    7 * 86_400: gettext_lazy("1 week"),
    31 * 86_400: gettext_lazy("1 month"),
}
GROUPS: Final = {
    0: gettext_lazy("any"),
    5: gettext_lazy("no group below 5"),
    10: gettext_lazy("no group below 10"),
    20: gettext_lazy("no group below 20"),
}
_FIELD_OF: Final = {
    "resolution_s": "resolution",
    "age_s": "age",
    "minimum_group": "group",
    "limit_price_micro": "price",
    "price_micro": "price",
    "deadline_at": "deadline",
}


def _degrees(label: Any, most: int) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        min_value=Decimal(-most),
        max_value=Decimal(most),
        decimal_places=6,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}))


def _choice(label: Any, choices: Any, initial: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=label, choices=list(choices.items()), coerce=int, initial=initial
    )


class Complaining(forms.Form):
    """A form that is sent once and shows a service's complaint beside the value it is about."""

    # Drawn anew with each page, so that a double click or a reload counts once.
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def complain(self, error: Invalid) -> None:
        """Show an error of the service beside the value it is about."""
        name = _FIELD_OF.get(error.field, error.field)
        self.add_error(
            name if name in self.fields else None, gettext(error.text).format(**error.params)
        )


class WishForm(Complaining):
    """A buyer's stated need; days are civil days, both included."""

    title = forms.CharField(label=gettext_lazy("What do you want to know?"), max_length=TITLE_MAX)
    format = forms.ChoiceField(label=gettext_lazy("Data"), choices=list(FORMAT_LABELS.items()))
    kind = _choice(gettext_lazy("Delivered as"), KIND_LABELS, 1)
    first_day = _day(gettext_lazy("First day"))
    last_day = _day(gettext_lazy("Last day"))
    south = _degrees(gettext_lazy("South (degrees)"), 90)
    north = _degrees(gettext_lazy("North (degrees)"), 90)
    west = _degrees(gettext_lazy("West (degrees)"), 180)
    east = _degrees(gettext_lazy("East (degrees)"), 180)
    resolution = _choice(gettext_lazy("One value at least every"), RESOLUTION_LABELS, 3_600)
    age = _choice(gettext_lazy("At most this old"), AGES, 0)
    group = _choice(gettext_lazy("Privacy of people in it"), GROUPS, 10)
    price = forms.DecimalField(
        label=gettext_lazy("Pay at most"),
        min_value=Decimal(0),
        max_digits=15,
        decimal_places=6,
        help_text=gettext_lazy("For a file once, for a live feed a month."),
    )
    deadline = _day(gettext_lazy("Look until"))

    def wish(self) -> Wish:
        """Return the wish; raises `Invalid` where the area is none."""
        clean = self.cleaned_data
        edges = (int(clean[name] * MICRODEGREES) for name in ("west", "south", "east", "north"))
        return Wish(
            title=clean["title"],
            area=Area(*edges),
            first_day=clean["first_day"],
            last_day=clean["last_day"],
            resolution_s=clean["resolution"],
            age_s=clean["age"] or None,
            minimum_group=clean["group"],
            limit_price_micro=int(clean["price"] * MICRO),
            deadline_at=datetime.combine(clean["deadline"] + timedelta(days=1), time(), UTC),
        )


class AnswerForm(Complaining):
    """A seller's answer to a group of open requests."""

    group = forms.CharField(widget=forms.HiddenInput)
    product = forms.TypedChoiceField(label=gettext_lazy("Product"), coerce=int)
    price = forms.DecimalField(
        label=gettext_lazy("Price"), min_value=Decimal(0), max_digits=15, decimal_places=6
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, products: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        product = self.fields["product"]
        assert isinstance(product, forms.TypedChoiceField)
        product.choices = products

    def price_micro(self) -> int:
        """Return the price. [micro]"""
        return int(self.cleaned_data["price"] * MICRO)
