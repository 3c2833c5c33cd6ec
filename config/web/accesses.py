"""Note on a page that shows somebody else's data whose it was: an explicit call, no middleware."""

from collections.abc import Collection
from datetime import datetime

from marketplace.domain.accesses import AccessKind, AccessWay
from marketplace.queries.pages import Persona
from marketplace.services.accesses import note_access


def note(
    persona: Persona,
    participant_ids: Collection[int],
    what: AccessKind,
    *,
    now: datetime,
    way: AccessWay = AccessWay.PAGE,
) -> None:
    """Note for the members whose data a page or file shows that this persona looked.

    The persona's own data is left out, so a view of members and operators may always call it.
    """
    note_access(
        participant_ids=participant_ids,
        viewer_id=persona.participant_id,
        viewer_role=persona.role,
        what=what,
        way=way,
        now=now,
    )
