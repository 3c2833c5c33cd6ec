"""What somebody may not do for a participant is not offered to them: no button ends in a 403."""

from typing import Final, assert_never

from django import template
from django.http import HttpRequest
from django.template.base import NodeList, Parser, Token
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from config.web.organisation.forms import ROLE_SHORT
from config.web.personas import current_persona
from config.web.rights import PERSONAL, right_to
from marketplace.domain.organisations import OrgRole, Right

register = template.Library()

_SILENT: Final = "silent"


class Permitted(template.Node):
    """What only those see who may do it; others read in one line who may."""

    def __init__(self, inside: NodeList, deed: str, *, is_silent: bool) -> None:
        self.inside = inside
        self.deed = deed
        self.is_silent = is_silent

    def render(self, context: Context) -> SafeString | str:
        """Render what is inside, or the line."""
        request: HttpRequest = context["request"]
        match = request.resolver_match
        deed = self.deed or (match.url_name if match else None) or ""
        persona = current_persona(request)
        if deed in PERSONAL or persona is None or persona.may(right_to(deed)):
            return self.inside.render(context)
        if self.is_silent:
            return ""
        role = ROLE_SHORT[OrgRole(persona.membership.role)]
        return format_html('<p class="soft">{}</p>', _who(right_to(deed)).format(role=role))


@register.tag
def permitted(parser: Parser, token: Token) -> Permitted:
    """Show a form only to those who may send it.

    ``{% permitted "agreement_step" %}<form ...>{% endpermitted %}`` names the address that the
    form is sent to; without a name it is the page's own. With ``silent`` at the end nothing stands
    in its place, as in each row of a table.
    """
    words = token.split_contents()[1:]
    is_silent = words[-1:] == [_SILENT]
    names = [word.strip('"') for word in (words[:-1] if is_silent else words)]
    if len(names) > 1:
        raise template.TemplateSyntaxError("permitted takes one name of an address at most")
    inside = parser.parse(("endpermitted",))
    parser.delete_first_token()
    return Permitted(inside, names[0] if names else "", is_silent=is_silent)


def _who(right: Right) -> str:
    match right:
        case Right.TRADE:
            return _("Owners and traders may do this; your role here is {role}.")
        case Right.PAY:
            return _("Owners and accountants may do this; your role here is {role}.")
        case Right.MANAGE:
            return _("Only owners may do this; your role here is {role}.")
        case Right.LOOK:
            raise AssertionError("everybody may look")
    assert_never(right)
