"""Sign-in by e-mail, and the language of the pages."""

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django.views.i18n import set_language

from config.web.personas import current_persona
from config.web.public.pages import front_door
from config.web.shell import home_url
from marketplace.services import preferences


class SignInForm(AuthenticationForm):
    """The e-mail address is the name; how it is written does not matter."""

    username = forms.EmailField(
        label=_("E-mail address"),
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": _("The e-mail address or the password is wrong."),
    }

    def clean_username(self) -> str:
        """Return the address as accounts store it."""
        address: str = self.cleaned_data["username"]
        return address.lower()


class SignIn(LoginView):
    """Sign in, and go on in the language the person chose."""

    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Carry the person's language over to this device."""
        response = super().form_valid(form)
        language = form.get_user().language
        if language != get_language():
            response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, samesite="Lax")
        return response


@login_not_required
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Set the language of the pages; for somebody signed in, on every device."""
    response = set_language(request)
    chosen = request.POST.get("language", "")
    if request.user.is_authenticated and chosen in dict(settings.LANGUAGES):
        preferences.set_language(user_id=request.user.pk, language=chosen)
    return response


@login_not_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Go to the home page of the role in use; the front door for who is not signed in."""
    if not request.user.is_authenticated:
        return front_door(request)
    persona = current_persona(request)
    if persona is None:
        return render(request, "pages/no_role.html")
    return HttpResponseRedirect(home_url(persona))
