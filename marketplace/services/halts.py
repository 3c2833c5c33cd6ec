"""Stop trading in a community, and let it go on; both are logged, with the reason."""

from datetime import datetime
from typing import Final

from django.db import transaction

from ledger.domain.documents import Document
from ledger.services import submit
from marketplace.errors import N_, Invalid, ListingClosed, NotFound
from marketplace.models import Community, TradingHalt
from marketplace.queries.forward import is_halted

HALT_KIND: Final = "halt"
REASON_MAX: Final = 500


@transaction.atomic
def halt_trading(
    *,
    community_id: int,
    operator_id: int,
    reason: str,
    until: datetime | None,
    now: datetime,
) -> TradingHalt:
    """Stop trading from now on: orders are refused, and gates that close meanwhile trade nothing.

    Orders may still be cancelled.

    Parameters
    ----------
    operator_id : int
        Participant that orders the halt.
    reason : str
        For everybody to read, and logged; nothing personal belongs in it.
    until : datetime, optional
        End; None: until it is lifted.

    Raises
    ------
    Invalid
        If there is no reason, or the end is not ahead.
    ListingClosed
        If trading stands still already.
    """
    text = reason.strip()
    if not 0 < len(text) <= REASON_MAX or not text.isprintable():
        raise Invalid(
            "reason", N_("Give a reason of at most {maximum} characters."), maximum=REASON_MAX
        )
    if until is not None and until <= now:
        raise Invalid("until", N_("The end must be ahead."))
    community = Community.objects.select_for_update(no_key=True).filter(id=community_id).first()
    if community is None:
        raise NotFound(N_("There is no such community."))
    if is_halted(community_id=community_id, at=now):
        raise ListingClosed(N_("Trading stands still already."))
    halt = TradingHalt.objects.create(
        community=community,
        starts_at=now,
        ends_at=until,
        reason=text,
        ordered_by_id=operator_id,
        created_at=now,
    )
    _log(halt, f"halt:{halt.id}", now)
    return halt


@transaction.atomic
def lift_halt(*, halt_id: int, operator_id: int, now: datetime) -> TradingHalt:
    """Let trading go on from now.

    Raises
    ------
    NotFound, ListingClosed
        If there is no such halt, or it is over.
    """
    halt = TradingHalt.objects.select_for_update(no_key=True).filter(id=halt_id).first()
    if halt is None:
        raise NotFound(N_("There is no such halt."))
    if halt.ends_at is not None and halt.ends_at <= now:
        raise ListingClosed(N_("This halt is over."))
    halt.ends_at, halt.lifted_by_id = now, operator_id
    halt.save(update_fields=["ends_at", "lifted_by"])
    _log(halt, f"halt:{halt.id}:end", now)
    return halt


def _log(halt: TradingHalt, key: str, now: datetime) -> None:
    """Log what was decided, in public: everybody may know why nothing was traded."""
    public = {
        "community": str(halt.community_id),
        "from": halt.starts_at.isoformat(),
        "reason": halt.reason,
        "until": "" if halt.ends_at is None else halt.ends_at.isoformat(),
    }
    submit(commands=[Document(kind=HALT_KIND, public=public).command(key)], submitted_at=now)
