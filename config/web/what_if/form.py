"""The form of a what-if: a few safe controls, and a whole rule set for those who want one."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from config.web.comparison import PRICING_NAMES
from config.web.day_field import DayField
from config.web.rule_sets.words import MISFITS
from marketplace.domain.money import PRICE_MAX_MICRO_PER_KWH
from marketplace.domain.pricing_comparison import PRICINGS
from marketplace.domain.rules import preset, preset_names
from marketplace.domain.what_if.change import AS_IT_WAS, PERCENT_MAX, SEED_MAX

MICRO: Final = 10**6
_FEE_MAX = Decimal(PRICE_MAX_MICRO_PER_KWH) / MICRO
_AS_IT_WAS = _("unchanged")
_FEES: Final = {
    "platform_fee": "platform_fee_micro_per_kwh",
    "grid_fee": "grid_fee_micro_per_kwh",
    "link_fee": "link_fee_micro_per_kwh",
}
_NUMBERS: Final = (
    "retail_percent",
    "feed_in_percent",
    "link_limit_percent",
    "solar_percent",
    "roofs_percent",
    "seed",
)
# Which field an error of a change is shown beside.
_FIELD_OF: Final[Mapping[str, str]] = {
    **{key: field for field, key in _FEES.items()},
    "retail_tariff": "retail_percent",
    "feed_in_tariff": "feed_in_percent",
    "grid_fees": "grid_fee",
    "links": "link_fee",
    "zones": "pricing",
    "change": "rules",
}


def _percent(label: Any, help_text: Any, *, most: int = PERCENT_MAX) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        min_value=0,
        max_value=most,
        required=False,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "step": 5}),
    )


def _fee(label: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        help_text=_("Per kWh. Empty: as it was."),
        min_value=0,
        max_value=_FEE_MAX,
        max_digits=10,
        decimal_places=6,
        required=False,
    )


class WhatIfForm(forms.Form):
    """A period, and what is different in it; whatever is empty stays as it was."""

    first_day = DayField(label=_("First day"))
    last_day = DayField(label=_("Last day"), help_text=_("At most 92 days, all of them over."))
    preset = forms.ChoiceField(
        label=_("Rule set"), required=False, help_text=_("Examples, not legal advice.")
    )
    pricing = forms.ChoiceField(
        label=_("Pricing of the pool"),
        required=False,
        help_text=_("Pricings other than one price know one zone only."),
    )
    platform_fee = _fee(_("Platform fee"))
    grid_fee = _fee(_("Grid fee among neighbours"))
    link_fee = _fee(_("Fee on energy between zones"))
    link_limit_percent = _percent(_("Limits between zones, in %"), _("100: as they were."))
    retail_percent = _percent(_("Retail tariff, in %"), _("100: as it was."))
    feed_in_percent = _percent(_("Feed-in tariff, in %"), _("100: as it was."))
    solar_percent = _percent(
        _("Size of the solar roofs, in %"), _("100: as they were. From what they gave to the grid.")
    )
    roofs_percent = _percent(
        _("Others who get a roof, in %"),
        _("Drawn by lot; each is like the median roof."),
        most=100,
    )
    seed = forms.IntegerField(
        label=_("Seed of the lot"),
        help_text=_("The same number draws the same homes."),
        min_value=0,
        max_value=SEED_MAX,
        required=False,
    )
    rules = forms.CharField(
        label=_("A whole rule set, as JSON"),
        help_text=_("For experts, in place of the rule set above; it is checked as any other."),
        required=False,
        max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "code"}),
    )

    def __init__(self, *args: Any, has_links: bool, draws_lots: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        presets = [name for name in preset_names() if preset(name)["mode"] == "metered"]
        self._choices("preset", [(name, name) for name in presets])
        self._choices("pricing", [(name, PRICING_NAMES[name]) for name in PRICINGS])
        if not draws_lots:
            del self.fields["seed"]
        if not has_links:
            del self.fields["link_fee"], self.fields["link_limit_percent"]

    def _choices(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField), name
        field.choices = [("", _AS_IT_WAS), *choices]

    @classmethod
    def days_before(
        cls, last: date, *, has_links: bool, draws_lots: bool, first: date
    ) -> "WhatIfForm":
        """Return an empty form about the last month or less that there is."""
        start = max(first, last - timedelta(days=29))
        initial = {"first_day": start, "last_day": last, "solar_percent": AS_IT_WAS}
        return cls(has_links=has_links, draws_lots=draws_lots, initial=initial)

    def clean_rules(self) -> dict[str, Any] | None:
        """Return the rule set that was pasted."""
        text = self.cleaned_data["rules"].strip()
        if not text:
            return None
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                _("This is no JSON: %(what)s."), params={"what": str(error)}
            ) from error
        if not isinstance(document, dict):
            raise forms.ValidationError(_("A rule set is an object: begin with a curly bracket."))
        return document

    def change(self) -> dict[str, Any]:
        """Return what is different."""
        given = self.cleaned_data
        change: dict[str, Any] = {}
        for name in ("preset", "pricing", "rules"):
            if given.get(name):
                change[name] = given[name]
        for name in _NUMBERS:
            if given.get(name) is not None:
                change[name] = given[name]
        for field, key in _FEES.items():
            if given.get(field) is not None:
                change[key] = int(given[field] * MICRO)
        return change

    def place_error(self, field: str, text: str) -> None:
        """Put an error beside what was changed; where several were, beside what it is about."""
        first = field.partition(".")[0].partition("[")[0]
        name = first if first in self.fields else _FIELD_OF.get(first, "")
        if first not in ("first_day", "last_day"):
            changed = list(self.change())
            fields = {key: field for field, key in _FEES.items()}
            if len(changed) == 1:
                name = fields.get(changed[0], changed[0])
            if "rules" not in changed and first in MISFITS:
                text = str(MISFITS[first])
        self.add_error(name if name in self.fields else None, text)
