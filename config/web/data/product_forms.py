"""What a provider writes into the pages of publishing."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from config.web.data.wish_forms import Complaining
from config.web.data.words import FORMAT_LABELS
from marketplace.domain.data.product import FEED_FORMATS, FILE_FORMATS, TITLE_MAX, URL_MAX
from marketplace.domain.data.vocabularies import THEMES
from marketplace.errors import Invalid

ZONES: Final = (
    "UTC",
    "Asia/Shanghai",
    "Australia/Melbourne",
    "Australia/Brisbane",
    "Europe/Berlin",
    "Europe/London",
    "America/Los_Angeles",
    "America/New_York",
)
# Where a complaint of a service belongs on a page.
_FIELD_OF: Final = {
    "form": "price_form",
    "price_micro": "price",
    "cap_micro": "cap",
    "service_level": "availability",
    "availability_ppm": "availability",
    "max_age_s": "age",
    "delete_after_days": "delete_days",
    "duties": "delete_days",
}


def named(choices: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return choices with their words translated when they are shown."""
    return [(key, gettext_lazy(label)) for key, label in choices.items()]


class OfProduct(Complaining):
    """A form about a product, which puts complaints beside the fields they are about."""

    def complain(self, error: Invalid) -> None:
        """Show an error of a service beside the value it is about."""
        name = _FIELD_OF.get(error.field, error.field)
        text = gettext(error.text).format(**error.params)
        self.add_error(name if name in self.fields else None, text)


class NewProductForm(OfProduct):
    """The first step: what it is."""

    what = forms.ChoiceField(
        label=gettext_lazy("What do you publish?"),
        widget=forms.RadioSelect,
        choices=[
            (
                gettext_lazy("Files, in versions"),
                [(f"file:{each}", FORMAT_LABELS[each]) for each in sorted(FILE_FORMATS)],
            ),
            (
                gettext_lazy("A live feed that the hall fetches and passes on"),
                [(f"feed:{each}", FORMAT_LABELS[each]) for each in sorted(FEED_FORMATS)],
            ),
        ],
        initial="file:trips",
        help_text=gettext_lazy(
            "Trips are published as counts of groups only: the privacy gate sees to it."
        ),
    )
    title = forms.CharField(label=gettext_lazy("Title"), max_length=TITLE_MAX)
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    theme = forms.ChoiceField(label=gettext_lazy("Theme"), choices=named(THEMES))
    zone = forms.ChoiceField(
        label=gettext_lazy("Clock of times without a zone"),
        choices=[(each, each) for each in ZONES],
    )
    source_url = forms.CharField(
        label=gettext_lazy("Address of the feed"),
        required=False,
        max_length=URL_MAX,
        widget=forms.URLInput,
        help_text=gettext_lazy("Only for a live feed; of GBFS its gbfs.json."),
    )

    @property
    def is_feed(self) -> bool:
        """Whether it is a live feed."""
        return str(self.cleaned_data["what"]).startswith("feed:")

    @property
    def format(self) -> str:
        """The format chosen."""
        return str(self.cleaned_data["what"]).partition(":")[2]

    def terms(self) -> dict[str, Any]:
        """Return terms to begin with; the last step asks for the others."""
        clean = self.cleaned_data
        return {
            "title": clean["title"],
            "description": clean["description"],
            "theme": clean["theme"],
            "licence": "contract",
            "price": {"form": "free"},
            "reading": {"zone": clean["zone"]},
        }


class UploadForm(forms.Form):
    """Beside the files, which go past every form into quarantine."""

    note = forms.CharField(
        label=gettext_lazy("What is new in this version?"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class GateForm(OfProduct):
    """What the gate is told."""

    minimum_group = forms.IntegerField(
        label=gettext_lazy("Smallest group of trips"), min_value=5, max_value=1000
    )
    minimum_distinct = forms.IntegerField(
        label=gettext_lazy("Different people in it, at least"), min_value=3, max_value=1000
    )
    dominance_percent = forms.IntegerField(
        label=gettext_lazy("Most that one person may hold of a group, in percent"),
        min_value=1,
        max_value=75,
    )

    def policy(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return the policy with what was chosen."""
        clean = self.cleaned_data
        distinct = dict(before.get("minimum_distinct") or {"column": ""})
        return {
            **before,
            "minimum_group": clean["minimum_group"],
            "minimum_distinct": {**distinct, "n": clean["minimum_distinct"]},
            "dominance_percent": clean["dominance_percent"],
        }
