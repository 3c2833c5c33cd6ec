"""The form of a draft: what is changed most, and beside it the whole document."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from config.web.day_field import DayField
from config.web.rule_sets.words import MISFITS, VALUES, words_of
from marketplace.domain.money import PRICE_MAX_MICRO_PER_KWH
from marketplace.domain.pricing_comparison import PRICINGS

MICRO: Final = 10**6
_FEE_MAX: Final = Decimal(PRICE_MAX_MICRO_PER_KWH) / MICRO
PRICES: Final = ("platform_fee_micro_per_kwh",)
NUMBERS: Final[Mapping[str, tuple[int, int]]] = {
    "readings_deadline_minutes": (0, 89_280),
    "correction_deadline_days": (0, 3660),
    "minimum_group_size": (1, 10_000),
}


class DraftForm(forms.Form):
    """Keys by their names; the document beside them has all others."""

    name = forms.CharField(
        label=words_of("name").name,
        help_text=words_of("name").explanation,
        max_length=100,
    )

    def __init__(self, *args: Any, base: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._base = base
        if base.get("form") == 2:
            self.fields["pricing"] = forms.ChoiceField(
                label=words_of("pricing").name,
                help_text=words_of("pricing").explanation,
                choices=[(name, VALUES[name]) for name in PRICINGS],
            )
        for key in PRICES:
            self.fields[key] = forms.DecimalField(
                label=words_of(key).name,
                help_text=words_of(key).explanation,
                min_value=0,
                max_value=_FEE_MAX,
                max_digits=10,
                decimal_places=6,
            )
        self.fields["credit_limit_micro"] = forms.DecimalField(
            label=words_of("credit_limit_micro").name,
            help_text=_(
                "What a member may owe and still take part, in the community's currency. Empty: no"
                " limit."
            ),
            min_value=0,
            max_value=10**9,
            max_digits=16,
            decimal_places=6,
            required=False,
        )
        for key, (low, high) in NUMBERS.items():
            self.fields[key] = forms.IntegerField(
                label=words_of(key).name,
                help_text=words_of(key).explanation,
                min_value=low,
                max_value=high,
            )

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "DraftForm":
        """Return the form filled with a document."""
        initial: dict[str, Any] = {key: document[key] for key in ("name", "pricing", *NUMBERS)}
        for key in (*PRICES, "credit_limit_micro"):
            value = document[key]
            # "f" keeps a round price out of scientific notation.
            initial[key] = None if value is None else f"{(Decimal(value) / MICRO).normalize():f}"
        return cls(base=document, initial=initial)

    def document(self) -> dict[str, Any]:
        """Return the base with what the form says."""
        given = self.cleaned_data
        changed = {key: given[key] for key in ("name", *NUMBERS)}
        for key in (*PRICES, "credit_limit_micro"):
            changed[key] = None if given[key] is None else int(given[key] * MICRO)
        if "pricing" in given:
            changed["pricing"] = given["pricing"]
        return {**self._base, **changed}

    def place_error(self, path: str, text: str) -> None:
        """Put an error beside the key that it is about; of other keys above the form."""
        first = path.partition(".")[0].partition("[")[0]
        words = str(MISFITS[first]) if first in MISFITS else text
        self.add_error(first if first in self.fields else None, words)


class DocumentForm(forms.Form):
    """A whole rule set as JSON."""

    document = forms.CharField(
        label=_("The whole rule set, as JSON"),
        help_text=_("Every key; prices are whole micro-units of the currency per kWh."),
        max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false", "class": "code"}),
    )

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "DocumentForm":
        """Return the form filled with a document."""
        text = json.dumps(document, indent=2, ensure_ascii=False)
        return cls(initial={"document": text})

    def clean_document(self) -> dict[str, Any]:
        """Return what was written."""
        try:
            document = json.loads(self.cleaned_data["document"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                _("This is no JSON: %(what)s."), params={"what": str(error)}
            ) from error
        if not isinstance(document, dict):
            raise forms.ValidationError(_("A rule set is an object: begin with a curly bracket."))
        return document


class ForceForm(forms.Form):
    """From which day, of which draft."""

    day = DayField(label=_("In force from the beginning of"))
    sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)
