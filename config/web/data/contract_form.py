"""What a buyer chooses before a contract is written."""

from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from marketplace.domain.data.contract import MONTHS_MAX
from marketplace.errors import Invalid
from marketplace.queries.data.contract_course import ForSale
from marketplace.services.data.contract_drafts import Choice

MICRO: Final = 10**6
_FIELD_OF: Final = {
    "cap_micro": "cap",
    "privacy_budget_micro_epsilon": "budget",
    "version_number": "version",
}


class ContractForm(forms.Form):
    """How long, and of a metered feed up to what price; the rest are the product's terms."""

    months = forms.IntegerField(
        label=gettext_lazy("For how many months"), min_value=1, max_value=MONTHS_MAX, initial=12
    )
    version = forms.TypedChoiceField(
        label=gettext_lazy("Version"),
        coerce=int,
        help_text=gettext_lazy("The contract names exactly this one, whatever is published later."),
    )
    cap = forms.DecimalField(
        label=gettext_lazy("Pay at most, for a month"),
        required=False,
        min_value=Decimal("0.000001"),
        decimal_places=6,
        max_digits=16,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        help_text=gettext_lazy("The feed stops there until the next month. Empty: as offered."),
    )
    budget = forms.DecimalField(
        label=gettext_lazy("Privacy budget for queries with noise (epsilon)"),
        required=False,
        min_value=Decimal(0),
        decimal_places=6,
        max_digits=16,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        help_text=gettext_lazy("Empty: none."),
    )

    def __init__(self, *args: Any, product: ForSale, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        version = self.fields["version"]
        assert isinstance(version, forms.TypedChoiceField)
        version.choices = [(number, str(number)) for number in product.version_numbers]
        if not product.price.is_metered:
            del self.fields["cap"]
        if not product.query_budget_micro_epsilon:
            del self.fields["budget"]

    def choice(self, answer_id: int | None) -> Choice:
        """Return what was chosen."""
        cap, budget = self.cleaned_data.get("cap"), self.cleaned_data.get("budget")
        return Choice(
            months=self.cleaned_data["months"],
            cap_micro=None if cap is None else int(cap * MICRO),
            privacy_budget_micro_epsilon=0 if budget is None else int(budget * MICRO),
            version_number=self.cleaned_data["version"],
            answer_id=answer_id,
        )

    def complain(self, error: Invalid) -> None:
        """Show an error of the service beside the value it is about."""
        name = _FIELD_OF.get(error.field, error.field)
        self.add_error(
            name if name in self.fields else None, gettext(error.text).format(**error.params)
        )
