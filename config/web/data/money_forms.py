"""What buyers, providers and the operator write into a dispute."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from config.web.data.money_words import REASONS
from config.web.data.wish_forms import Complaining
from marketplace.domain.data.disputes import EVIDENCE_BYTES_MAX, TEXT_MAX, Reason
from marketplace.errors import Invalid

MICRO: Final = 10**6


def _text(label: Any, *, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        max_length=TEXT_MAX,
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class DisputeForm(Complaining):
    """A buyer's complaint about a charge."""

    reason = forms.ChoiceField(label=gettext_lazy("What went wrong?"))
    statement = _text(gettext_lazy("What happened, in your words"), required=False)
    evidence = forms.FileField(
        label=gettext_lazy("Evidence file about a chunk"),
        required=False,
        help_text=gettext_lazy(
            "heliopolis-client writes it when a chunk fails. It is judged at once."
        ),
    )

    def __init__(self, *args: Any, reasons: Sequence[Reason], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reason = self.fields["reason"]
        assert isinstance(reason, forms.ChoiceField)
        reason.choices = [(each.value, REASONS[each]) for each in reasons]
        if Reason.BAD_CHUNK not in reasons:
            del self.fields["evidence"]

    def evidence_bytes(self) -> bytes | None:
        """Return the evidence file, cut where it is too long to be one."""
        upload = self.cleaned_data.get("evidence")
        return upload.read(EVIDENCE_BYTES_MAX + 1) if upload else None


class AnswerForm(Complaining):
    """The provider's side."""

    answer = _text(gettext_lazy("Your side"))


class VerdictForm(Complaining):
    """The operator's decision."""

    refund = forms.DecimalField(
        label=gettext_lazy("Give back to the buyer"),
        min_value=Decimal(0),
        max_digits=15,
        decimal_places=6,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    verdict = _text(gettext_lazy("Reasons, for both sides to read"))

    def __init__(self, *args: Any, most_micro: int, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["refund"].help_text = gettext_lazy(
            "From 0 to {most} {currency}; the rest is paid to the provider."
        ).format(most=Decimal(most_micro) / MICRO, currency=currency)

    def refund_micro(self) -> int:
        """Return the refund. [micro]"""
        return int(self.cleaned_data["refund"] * MICRO)

    def complain(self, error: Invalid) -> None:
        """Show an error of the service beside the value it is about."""
        field = "refund" if error.field == "refund_micro" else error.field
        super().complain(Invalid(field, error.text, **error.params))
