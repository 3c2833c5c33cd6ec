"""Forms of joining: an address, a password, the steps of an application."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.validators import ProhibitNullCharactersValidator
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from config.web.join.texts import MemberText
from config.web.rule_form import MICRO, price_limit
from config.web.shell import ROLE_NAMES
from marketplace.domain.applications import (
    METER_MAX_LENGTH,
    NAME_MAX_LENGTH,
    OPEN_ROLES,
    PROOF_MAX_BYTES,
    Details,
)
from marketplace.domain.readings.cells import CellInvalid, checked_name
from marketplace.queries.applications import OpenCommunity

METER_KINDS: Final = {
    "smart": _("Smart meter, read every quarter of an hour or hour"),
    "file": _("I send files from my grid operator's portal"),
    "none": _("Not there yet: a meter is to be installed"),
}
RULES: Final = {
    "default": _("Recommended: the rule set draws both prices; never worse than the grid"),
    "own": _("My own prices"),
    "paused": _("Begin paused: trade with the grid alone until I change it"),
}


class AddressForm(forms.Form):
    """Where the link goes."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("We send a link. Nothing is stored before you open it."),
    )


class PasswordForm(forms.Form):
    """What a new person signs in with."""

    password = forms.CharField(
        label=_("Choose a password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least eight characters, not only digits."),
    )

    def clean_password(self) -> str:
        """Hold it against what every password is held against."""
        password: str = self.cleaned_data["password"]
        validate_password(password)
        return password


class SiteForm(forms.Form):
    """Who joins what, and where."""

    role = forms.ChoiceField(label=_("I join as"), widget=forms.RadioSelect)
    place = forms.ChoiceField(
        label=_("Community and zone"), help_text=_("The zone your connection lies in.")
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_MAX_LENGTH,
        help_text=_("Of your home or organisation: you and the operator see it, nobody else."),
    )
    label = forms.CharField(
        label=_("Name of the site"),
        required=False,
        max_length=NAME_MAX_LENGTH,
        help_text=_("For several meters, such as “roof”; nothing personal. May stay empty."),
    )

    def __init__(
        self, *args: object, communities: Sequence[OpenCommunity], **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # what Django's form takes
        language = get_language() or "en"
        self.fields["role"].choices = [(role, ROLE_NAMES[role]) for role in OPEN_ROLES]  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["place"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            (
                f"{each.place.community_id}:{code}",
                # Of a community's one zone nobody need know the name.
                each.place.name_in(language) + (f" · {name}" if len(each.zones) > 1 else ""),
            )
            for each in communities
            for code, name in each.zones
        ]

    @staticmethod
    def initial_of(details: Details, role: str, community_id: int | None) -> dict[str, object]:
        """Return what was said before."""
        return {
            "role": role or OPEN_ROLES[0],
            "place": f"{community_id}:{details.zone}" if community_id else None,
            "name": details.name,
            "label": details.label,
        }

    @property
    def community_id(self) -> int:
        """The community chosen."""
        return int(str(self.cleaned_data["place"]).partition(":")[0])

    @property
    def zone(self) -> str:
        """The code of the zone chosen."""
        return str(self.cleaned_data["place"]).partition(":")[2]


class MeterForm(forms.Form):
    """The metering point."""

    meter = forms.CharField(
        label=_("Number of the metering point"),
        max_length=METER_MAX_LENGTH,
        validators=[ProhibitNullCharactersValidator()],
        help_text=_("As on your bill or on the meter itself."),
    )
    kind = forms.ChoiceField(label=_("How it is read"), choices=list(METER_KINDS.items()))
    proof = forms.FileField(
        label=_("A bill that shows it is yours"),
        required=False,
        help_text=_("PDF, PNG or JPEG, at most 2 MB. It is destroyed with the answer."),
    )

    def clean_meter(self) -> str:
        """Take what a readings file could name."""
        try:
            return checked_name(self.cleaned_data["meter"].strip())
        except CellInvalid as error:
            raise forms.ValidationError(_("This cannot be the number of a meter.")) from error

    def proof_bytes(self) -> bytes | None:
        """Return the file's content, one byte more than may be at most."""
        file = self.cleaned_data.get("proof")
        return file.read(PROOF_MAX_BYTES + 1) if file else None


class TextsForm(forms.Form):
    """One box for each text, none of them ticked."""

    def __init__(self, *args: object, texts: Sequence[MemberText], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # what Django's form takes
        for text in texts:
            self.fields[text.named.slug] = forms.BooleanField(
                label=_("I have read “{title}”, version {version}, and agree.").format(
                    title=text.title, version=text.named.version
                )
            )


class JoinRuleForm(forms.Form):
    """The rule that a metering point begins with."""

    rule = forms.ChoiceField(
        label=_("My rule"), choices=list(RULES.items()), widget=forms.RadioSelect, initial="default"
    )
    sell = price_limit(
        _("Sell my surplus at or above"), _("Price per kWh; for your own prices only.")
    )
    buy = price_limit(
        _("Buy from neighbours at or below"), _("Price per kWh; for your own prices only.")
    )

    @property
    def sell_micro(self) -> int | None:
        """The selling limit. [micro/kWh]"""
        return _micro(self.cleaned_data["sell"])

    @property
    def buy_micro(self) -> int | None:
        """The buying limit. [micro/kWh]"""
        return _micro(self.cleaned_data["buy"])


def _micro(price: Decimal | None) -> int | None:
    return None if price is None else int(price * MICRO)
