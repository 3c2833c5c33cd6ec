"""What an operator enters by hand: a production device at a meter, a deposit into a wallet."""

from datetime import datetime, time
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from config.web.certificate_forms import TECHNOLOGY_WORDS
from config.web.day_field import DayField
from config.web.operator_pages.home import places_of
from config.web.personas import use_persona
from config.web.signing import translated
from ledger.errors import KeyReused
from marketplace.errors import MarketplaceError
from marketplace.queries.pages import Persona, Place, find_persona
from marketplace.services.production_devices import NewDevice, register_devices
from marketplace.services.wallets import DEPOSIT_MAX_MICRO, open_wallet, post_deposit

MICRO: Final = 1_000_000


class DeviceForm(forms.Form):
    """A production device: without one no export is certified."""

    community = forms.ChoiceField(label=gettext_lazy("Community"))
    meter = forms.CharField(label=gettext_lazy("Meter"), max_length=80)
    technology = forms.ChoiceField(
        label=gettext_lazy("Technology"), choices=[*TECHNOLOGY_WORDS.items()]
    )
    capacity = forms.DecimalField(
        label=gettext_lazy("Capacity [kW]"),
        min_value=Decimal("0.001"),
        max_value=10_000_000,
        decimal_places=3,
    )
    commissioned_on = DayField(label=gettext_lazy("Produces since"))
    certified_from = DayField(
        label=gettext_lazy("Certified from"),
        help_text=gettext_lazy("A day after the last one whose certificates were issued."),
    )

    def __init__(self, *arguments: Any, places: list[Place], **named: Any) -> None:
        super().__init__(*arguments, **named)
        language = get_language() or "en"
        self._places = {str(place.community_id): place for place in places}
        choices = [(key, place.name_in(language)) for key, place in self._places.items()]
        self.fields["community"] = forms.ChoiceField(
            label=gettext_lazy("Community"), choices=choices
        )

    def register(self, now: datetime) -> None:
        """Register what was entered."""
        asked = self.cleaned_data
        place = self._places[asked["community"]]
        register_devices(
            community_id=place.community_id,
            devices=[
                NewDevice(
                    asked["meter"],
                    asked["technology"],
                    int(asked["capacity"] * 1000),
                    asked["commissioned_on"],
                )
            ],
            active_from=datetime.combine(asked["certified_from"], time(), tzinfo=place.zone),
            now=now,
        )


class DepositForm(forms.Form):
    """A deposit that has come in at the bank."""

    participant = forms.IntegerField(
        label=gettext_lazy("Member’s number"),
        min_value=1,
        max_value=2**62,
        help_text=gettext_lazy("As the list of meters shows it."),
    )
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        min_value=Decimal("0.01"),
        max_value=DEPOSIT_MAX_MICRO // MICRO,
        decimal_places=2,
    )
    currency = forms.RegexField(
        label=gettext_lazy("Currency"), regex="^[A-Z]{3}$", max_length=3, initial="CNY"
    )
    reference = forms.CharField(
        label=gettext_lazy("The bank’s reference"),
        max_length=100,
        help_text=gettext_lazy("Each is booked once: the same one again changes nothing."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def operator_entries(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Register a device, or book a deposit."""
    persona = use_persona(request, participant_id, "operator")
    places = list(places_of(persona))
    what = request.POST.get("what", "")
    device = DeviceForm(
        request.POST if what == "device" else None,
        places=places,
        prefix="device",
        initial={"meter": request.GET.get("meter", "")[:80]},
    )
    deposit = DepositForm(request.POST if what == "deposit" else None, prefix="deposit")
    now = timezone.now()
    done = ""
    if what == "device" and device.is_valid():
        done = _registered(device, now)
    elif what == "deposit" and deposit.is_valid():
        done = _booked(persona, deposit, now)
    if done:
        messages.success(request, done)
        return redirect("operator_entries", participant_id)
    context = {"persona": persona, "device": device, "deposit": deposit}
    return render(request, "operator/entries.html", context)


def _registered(form: DeviceForm, now: datetime) -> str:
    try:
        form.register(now)
    except MarketplaceError as refusal:
        field = {"capacity_w": "capacity", "active_from": "certified_from"}.get(
            getattr(refusal, "field", ""), getattr(refusal, "field", "")
        )
        form.add_error(field if field in form.fields else None, translated(refusal))
        return ""
    return _("The device is registered.")


def _booked(persona: Persona, form: DepositForm, now: datetime) -> str:
    """Book a deposit for whom the operator runs a community of, or anybody where they run all."""
    asked = form.cleaned_data
    who = find_persona(participant_id=asked["participant"])
    is_theirs = who is not None and (
        persona.place is None
        or (who.place is not None and who.place.community_id == persona.place.community_id)
    )
    if who is None or not is_theirs or who.role in ("operator", "planner"):
        form.add_error("participant", _("There is no such member with a wallet here."))
        return ""
    try:
        open_wallet(participant_id=who.participant_id, currency=asked["currency"])
        post_deposit(
            participant_id=who.participant_id,
            amount_micro=int(asked["amount"] * MICRO),
            reference=asked["reference"],
            now=now,
        )
    except KeyReused:
        form.add_error("reference", _("It was used before, for another amount or wallet."))
        return ""
    except MarketplaceError as refusal:
        field = "reference" if getattr(refusal, "field", "") == "reference" else None
        form.add_error(field, translated(refusal))
        return ""
    return _("The deposit is submitted; the ledger books it at once.")
