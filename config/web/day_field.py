"""A civil day in a form: the years that a time zone's calendar and the market can hold."""

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from marketplace.domain.civil_day import FIRST_DAY, LAST_DAY


class DayField(forms.DateField):
    """A civil day from 1970 to 2199."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(**{"widget": widget, **kwargs})
        self.validators += [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]
