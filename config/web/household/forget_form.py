"""The form by which a member asks to be forgotten: their own number typed, so that no slip does."""

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.queries.pages import Persona


class ForgetForm(forms.Form):
    """The member's number, as a hand types it."""

    number = forms.CharField(
        label=gettext_lazy("Type your member number to go on"),
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: object, persona: Persona, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as the base class takes them
        self.persona = persona

    def clean_number(self) -> str:
        """Return the number, if it is theirs."""
        number: str = self.cleaned_data["number"].strip()
        if number != str(self.persona.participant_id):
            raise forms.ValidationError(
                _("Your member number is {number}.").format(number=self.persona.participant_id)
            )
        return number
