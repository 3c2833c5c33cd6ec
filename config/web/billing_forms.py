"""The form that asks for a preview: which month of which community, and a tax shown apart."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import get_language, gettext_lazy

from marketplace.domain.billing.month import month_before, month_of, read_month
from marketplace.queries.pages import Place

PPM_OF_PERCENT = 10_000


class MonthField(forms.Field):
    """A civil month, ``YYYY-MM``."""

    widget = forms.DateInput(attrs={"type": "month", "pattern": "[0-9]{4}-[0-9]{2}"})

    def to_python(self, value: Any) -> date | None:
        """Return the first day of the month."""
        if not value:
            return None
        month = value if isinstance(value, date) else read_month(str(value))
        if month is None:
            raise forms.ValidationError(gettext_lazy("Write a month as YYYY-MM."))
        return month

    def prepare_value(self, value: Any) -> Any:
        """Show a month as it is typed."""
        return f"{value:%Y-%m}" if isinstance(value, date) else value


class PreviewForm(forms.Form):
    """What a preview is made of."""

    month = MonthField(label=gettext_lazy("Month"))
    tax = forms.DecimalField(
        label=gettext_lazy("Tax in percent"),
        min_value=0,
        max_value=100,
        max_digits=7,
        decimal_places=4,
        initial=0,
        help_text=gettext_lazy("On what members pay; shown apart, the ledger stays as it is."),
    )
    tax_is_included = forms.BooleanField(
        label=gettext_lazy("The prices contain the tax already"), required=False
    )

    def __init__(self, *arguments: Any, places: list[Place], today: date, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._places = places
        self.fields["month"].initial = month_before(month_of(today))
        if len(places) > 1:
            language = get_language() or "en"
            choices = [(str(place.community_id), place.name_in(language)) for place in places]
            self.fields["community"] = forms.ChoiceField(
                label=gettext_lazy("Community"), choices=choices
            )
            self.order_fields(["community", "month"])

    @property
    def community_id(self) -> int:
        """The community that was chosen, or the only one."""
        return int(self.cleaned_data.get("community") or self._places[0].community_id)

    @property
    def tax_ppm(self) -> int:
        """The tax in millionths."""
        return int(self.cleaned_data["tax"] * PPM_OF_PERCENT)
