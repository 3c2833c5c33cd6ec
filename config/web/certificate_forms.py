"""Forms of certificates: how many, of which month, for what and for whom."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.services.certificate_use import TEXT_MAX, Choice

TECHNOLOGY_WORDS: Final = {
    "solar": _("Solar"),
    "wind": _("Wind"),
    "hydro": _("Hydro"),
    "biomass": _("Biomass"),
}
_KWH_MAX: Final = Decimal(10**9)
# Where a complaint of the service belongs on the page.
FIELD_OF: Final = {"wh": "kwh", "receiver_id": "receiver"}


class ChoiceForm(forms.Form):
    """Which certificates of a month."""

    # Drawn anew with each page, so that a double click or a reload counts once.
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    kwh = forms.DecimalField(
        label=_("How much [kWh]"),
        required=False,
        min_value=Decimal("0.001"),
        max_value=_KWH_MAX,
        decimal_places=3,
        help_text=_("The earliest of the month first. Empty: all of them."),
    )
    technology = forms.ChoiceField(
        label=_("Technology"),
        required=False,
        choices=[("", _("any")), *TECHNOLOGY_WORDS.items()],
    )

    def choice(self, start: datetime, end: datetime) -> Choice:
        """Return what was chosen of a period."""
        asked: dict[str, Any] = self.cleaned_data
        return Choice(
            start,
            end,
            technology=asked["technology"] or None,
            wh=None if asked["kwh"] is None else int(asked["kwh"] * 1000),
            by_hour=asked.get("by_hour", False),
        )


class CancelForm(ChoiceForm):
    """What certificates are used for."""

    purpose = forms.CharField(
        label=_("Purpose"),
        max_length=TEXT_MAX,
        help_text=_("Public for ever with the statement, such as: electricity of our bakery."),
    )
    beneficiary = forms.CharField(
        label=_("Beneficiary"),
        max_length=TEXT_MAX,
        help_text=_("Public for ever: who claims to have used this energy."),
    )
    by_hour = forms.BooleanField(
        label=_("Only what covers my own consumption of the same hour"), required=False
    )
    field_order = ("token", "purpose", "beneficiary", "kwh", "technology", "by_hour")


class HandOverForm(ChoiceForm):
    """Who gets certificates."""

    receiver = forms.IntegerField(
        label=_("Receiver's number"),
        min_value=1,
        max_value=2**63 - 1,
        help_text=_("It stands on the receiver's own page of certificates."),
    )
    field_order = ("token", "receiver", "kwh", "technology")
