"""Forms of an organisation: a seat with its limits, an invitation."""

from decimal import Decimal
from typing import Final

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.domain.organisations import ALIAS_MAX_LENGTH, LIMIT_MAX_MICRO, OrgRole
from marketplace.services.organisations import Seat

MICRO: Final = 10**6
ROLES: Final = {
    OrgRole.OWNER: _("Owner: everything, people and keys too"),
    OrgRole.TRADER: _("Trader: rules, orders, agreements, contracts, data"),
    OrgRole.ACCOUNTANT: _("Accountant: charges, invoices, billing, disputes"),
    OrgRole.VIEWER: _("Viewer: looks, changes nothing"),
}
ROLE_SHORT: Final = {
    OrgRole.OWNER: _("owner"),
    OrgRole.TRADER: _("trader"),
    OrgRole.ACCOUNTANT: _("accountant"),
    OrgRole.VIEWER: _("viewer"),
}


class SeatForm(forms.Form):
    """A role with limits."""

    role = forms.ChoiceField(label=_("Role"), choices=list(ROLES.items()), initial="trader")
    limit = forms.DecimalField(
        label=_("Most for one order or contract"),
        required=False,
        min_value=0,
        max_value=Decimal(LIMIT_MAX_MICRO) / MICRO,
        decimal_places=2,
        help_text=_("Empty: no limit."),
    )
    monthly_limit = forms.DecimalField(
        label=_("Most in a month"),
        required=False,
        min_value=0,
        max_value=Decimal(LIMIT_MAX_MICRO) / MICRO,
        decimal_places=2,
        help_text=_("Of all orders and contracts together. Empty: no limit."),
    )

    def seat(self) -> Seat:
        """Return the seat that was chosen."""
        return Seat(
            self.cleaned_data["role"],
            _micro(self.cleaned_data["limit"]),
            _micro(self.cleaned_data["monthly_limit"]),
        )


class InviteForm(SeatForm):
    """An address, what colleagues call its reader, and their seat."""

    field_order = ("email", "alias", "role", "limit", "monthly_limit")
    email = forms.EmailField(label=_("E-mail address"), max_length=254)
    alias = forms.CharField(
        label=_("What colleagues see"),
        max_length=ALIAS_MAX_LENGTH,
        help_text=_("A task rather than a name, such as “Purchasing 2”. It goes when they leave."),
    )


def as_amount(micro: int | None) -> Decimal | None:
    """Return a limit as it stands in a form."""
    return None if micro is None else Decimal(micro) / MICRO


def _micro(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * MICRO)
