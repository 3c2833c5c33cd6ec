"""A member asks to be forgotten: at once where nothing is owed, else once that is settled.

Money is a claim that is settled outside of the hall by the name of whoever it belongs to. Erasing
the name first would leave a debt that nobody can pay and a credit that nobody can claim, so the
operator settles, and then erases. Nobody but the member may begin it.
"""

from datetime import datetime

from marketplace.errors import N_, AlreadyErased, NotFound
from marketplace.models import ErasureRequest
from marketplace.queries.erasures import list_claims
from marketplace.services.erasure import erase_subject, plan_erasure_of_participant


def ask_for_erasure(*, participant_id: int, now: datetime) -> bool:
    """Note that a participant wants to be forgotten, and do it at once where nothing is owed.

    Returns
    -------
    bool
        Whether it is done; else it waits for the operator. Asking again changes nothing.
    """
    ErasureRequest.objects.get_or_create(
        participant_id=participant_id, closed_at__isnull=True, defaults={"asked_at": now}
    )
    if list_claims(participant_id=participant_id):
        return False
    carry_out_erasure(participant_id=participant_id, now=now)
    return True


def take_back_erasure(*, participant_id: int, now: datetime) -> bool:
    """Forget that a participant asked; False if there was nothing to take back."""
    waiting = ErasureRequest.objects.filter(participant=participant_id, closed_at__isnull=True)
    return bool(waiting.update(closed_at=now))


def carry_out_erasure(*, participant_id: int, now: datetime) -> None:
    """Erase a participant who asked for it; a crash half-way is finished by doing it again.

    Raises
    ------
    NotFound
        If they did not ask, or took it back.
    """
    waiting = ErasureRequest.objects.filter(participant=participant_id, closed_at__isnull=True)
    if not waiting.exists():
        raise NotFound(N_("They did not ask for it, or took it back."))
    try:
        plan = plan_erasure_of_participant(participant_id=participant_id)
    except AlreadyErased:
        plan = None  # and what follows was not reached then
    if plan is not None:
        # In transactions of its own: around them, another could bring rows back but no keys.
        erase_subject(plan=plan, now=now)
    waiting.update(closed_at=now, is_done=True)
