"""The last step of publishing: what it costs, what may be done with it, what is promised."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from config.web.data.product_forms import OfProduct, named
from config.web.data.wish_forms import MICRO
from marketplace.domain.data.licences import LICENCES
from marketplace.domain.data.policy import PROHIBITIONS, PURPOSES, Policy
from marketplace.domain.data.product import TITLE_MAX
from marketplace.domain.data.service import ServiceLevel
from marketplace.domain.data.vocabularies import FREQUENCIES, THEMES
from marketplace.errors import N_, Invalid

PPM_OF_PERCENT: Final = 10_000
PURPOSE_LABELS: Final = {
    "commercial-products": gettext_lazy("Commercial products"),
    "education": gettext_lazy("Education"),
    "journalism": gettext_lazy("Journalism"),
    "operations": gettext_lazy("One's own operations"),
    "public-information": gettext_lazy("Information for the public"),
    "research": gettext_lazy("Research"),
    "transport-planning": gettext_lazy("Transport planning"),
}
PROHIBITION_LABELS: Final = {
    "derive": gettext_lazy("Make other data of it"),
    "distribute": gettext_lazy("Pass it on"),
    "reidentify": gettext_lazy("Find out who somebody in it is"),
    "sell": gettext_lazy("Sell it"),
}
PRICE_LABELS: Final = {
    "free": gettext_lazy("Free"),
    "one_off": gettext_lazy("Once, for the file"),
    "subscription": gettext_lazy("By the month"),
    "per_record": gettext_lazy("For 1,000 records, with a monthly cap"),
    "per_request": gettext_lazy("For 1,000 requests, with a monthly cap"),
}
_PROMISES: Final = ("availability", "age", "freshness", "credit")


class TermsForm(OfProduct):
    """The last step: what it costs, what may be done with it, what is promised."""

    title = forms.CharField(label=gettext_lazy("Title"), max_length=TITLE_MAX)
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    keywords = forms.CharField(
        label=gettext_lazy("Keywords"),
        required=False,
        help_text=gettext_lazy("Separated by commas."),
    )
    theme = forms.ChoiceField(label=gettext_lazy("Theme"), choices=named(THEMES))
    frequency = forms.ChoiceField(
        label=gettext_lazy("Renewed"),
        choices=named({key: each.label for key, each in FREQUENCIES.items()}),
    )
    licence = forms.ChoiceField(
        label=gettext_lazy("Licence"),
        choices=named({key: each.title for key, each in LICENCES.items()}),
    )
    price_form = forms.ChoiceField(
        label=gettext_lazy("How it is paid"), choices=list(PRICE_LABELS.items())
    )
    price = forms.DecimalField(
        label=gettext_lazy("Price"),
        required=False,
        min_value=Decimal(0),
        max_digits=15,
        decimal_places=6,
    )
    cap = forms.DecimalField(
        label=gettext_lazy("At most a month"),
        required=False,
        min_value=Decimal(0),
        max_digits=15,
        decimal_places=6,
        help_text=gettext_lazy("Of a metered feed: never more is charged."),
    )
    trial_days = forms.IntegerField(
        label=gettext_lazy("Days on trial"), required=False, min_value=0, max_value=92
    )
    free_units = forms.IntegerField(
        label=gettext_lazy("Free every month, in records or requests"),
        required=False,
        min_value=0,
    )
    availability = forms.DecimalField(
        label=gettext_lazy("Answers, in percent of looks"),
        required=False,
        min_value=Decimal(0),
        max_value=Decimal(100),
        max_digits=7,
        decimal_places=4,
        help_text=gettext_lazy("The hall looks every minute, and what was missed is credited."),
    )
    age = forms.IntegerField(
        label=gettext_lazy("At most so old, in seconds"), required=False, min_value=1
    )
    freshness = forms.DecimalField(
        label=gettext_lazy("… in percent of answers"),
        required=False,
        min_value=Decimal(0),
        max_value=Decimal(100),
        max_digits=7,
        decimal_places=4,
    )
    credit = forms.DecimalField(
        label=gettext_lazy("Credit for each percent missed, in percent of the price"),
        required=False,
        min_value=Decimal(0),
        max_value=Decimal(100),
        max_digits=7,
        decimal_places=4,
    )
    purposes = forms.MultipleChoiceField(
        label=gettext_lazy("May be used for"),
        required=False,
        choices=[(each, PURPOSE_LABELS[each]) for each in PURPOSES],
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None chosen: for anything that is not forbidden."),
    )
    prohibitions = forms.MultipleChoiceField(
        label=gettext_lazy("Nobody may"),
        required=False,
        choices=[(each, PROHIBITION_LABELS[each]) for each in PROHIBITIONS],
        widget=forms.CheckboxSelectMultiple,
    )
    delete_days = forms.IntegerField(
        label=gettext_lazy("Must be deleted so many days after the contract's end"),
        required=False,
        min_value=0,
        max_value=3650,
        help_text=gettext_lazy("Empty: may be kept."),
    )
    shares = forms.CharField(
        label=gettext_lazy("Shares of others"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy(
            "One a line: the participant's number, a colon, percent. The rest is yours."
        ),
    )
    accepts_automatically = forms.BooleanField(
        label=gettext_lazy("The hall signs contracts for me, with the key it keeps for me"),
        required=False,
    )
    is_for_planning = forms.BooleanField(
        label=gettext_lazy("The city may make its public indicators of it"), required=False
    )

    def __init__(self, *args: Any, is_feed: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        forms_of = [key for key in PRICE_LABELS if (key != "one_off") == is_feed or key == "free"]
        field = self.fields["price_form"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(key, PRICE_LABELS[key]) for key in forms_of]
        if not is_feed:
            for name in ("cap", "trial_days", "free_units", *_PROMISES):
                del self.fields[name]

    def terms(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return all terms; what the page does not show stays.

        Raises
        ------
        Invalid
            If policy or promise cannot be made of what was written.
        """
        clean = self.cleaned_data
        delete_days = clean["delete_days"]
        same = ("title", "description", "theme", "frequency", "licence")
        return {
            **before,
            **{name: clean[name] for name in same},
            "keywords": [each.strip() for each in clean["keywords"].split(",") if each.strip()],
            "price": self._price(),
            "policy": Policy.of(
                purposes=clean["purposes"],
                prohibitions=clean["prohibitions"],
                duties=("attribute", *(("delete",) if delete_days is not None else ())),
                delete_after_days=delete_days,
            ).to_json(),
            "service_level": self._promise().to_json(),
            "shares": _shares(clean["shares"]),
            "accepts_automatically": clean["accepts_automatically"],
            "is_for_planning": clean["is_for_planning"],
        }

    def _price(self) -> dict[str, Any]:
        clean = self.cleaned_data
        form = clean["price_form"]
        price: dict[str, Any] = {"form": form}
        if form != "free":
            price["price_micro"] = int((clean["price"] or 0) * MICRO)
        if form in ("per_record", "per_request"):
            price["cap_micro"] = int((clean["cap"] or 0) * MICRO)
            price["free_units"] = clean["free_units"] or 0
        if form in ("subscription", "per_record", "per_request"):
            price["trial_days"] = clean["trial_days"] or 0
        return price

    def _promise(self) -> ServiceLevel:
        clean = self.cleaned_data
        if "availability" not in self.fields:
            return ServiceLevel()
        share = {
            name: int((clean[name] or 0) * PPM_OF_PERCENT)
            for name in ("availability", "freshness", "credit")
        }
        return ServiceLevel(
            availability_ppm=share["availability"],
            freshness_ppm=share["freshness"],
            max_age_s=clean["age"] or 0,
            credit_ppm_per_percent=share["credit"],
        )


def terms_as_written(terms: Mapping[str, Any]) -> dict[str, Any]:
    """Return a product's terms as `TermsForm` shows them."""
    price, policy = terms["price"], Policy.of_json(terms["policy"])
    level = ServiceLevel.of_json(terms["service_level"])
    same = ("title", "description", "theme", "frequency", "licence")
    return {
        **{name: terms[name] for name in same},
        "keywords": ", ".join(terms["keywords"]),
        "price_form": price["form"],
        "price": _plain(Decimal(price.get("price_micro", 0)) / MICRO),
        "cap": _plain(Decimal(price.get("cap_micro", 0)) / MICRO),
        "trial_days": price.get("trial_days", 0),
        "free_units": price.get("free_units", 0),
        "availability": _percent(level.availability_ppm),
        "freshness": _percent(level.freshness_ppm),
        "age": level.max_age_s or None,
        "credit": _percent(level.credit_ppm_per_percent),
        "purposes": policy.purposes,
        "prohibitions": policy.prohibitions,
        "delete_days": policy.delete_after_days,
        "shares": "\n".join(
            f"{each['participant']}: {_percent(each['ppm'])}" for each in terms["shares"]
        ),
        "accepts_automatically": terms["accepts_automatically"],
        "is_for_planning": terms["is_for_planning"],
    }


def _percent(ppm: int) -> Decimal | None:
    return _plain(Decimal(ppm) / PPM_OF_PERCENT) if ppm else None


def _plain(number: Decimal) -> Decimal:
    return Decimal(f"{number.normalize():f}")


def _shares(written: str) -> list[dict[str, int]]:
    shares = []
    for line in filter(None, (each.strip() for each in written.splitlines())):
        number, _colon, percent = line.replace("：", ":").partition(":")
        try:
            ppm = Decimal(percent.strip().removesuffix("%").strip()) * PPM_OF_PERCENT
            shares.append({"participant": int(number), "ppm": int(ppm)})
        except (ValueError, ArithmeticError) as error:
            raise Invalid(
                "shares", N_("Write one a line: the participant's number, a colon, percent.")
            ) from error
    return shares
