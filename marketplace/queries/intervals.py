"""Which intervals are due for what."""

from django.db.models import Exists, OuterRef, Q

from marketplace.models import Clearing, Community, DeliveryInterval, Settlement

State = DeliveryInterval.State
IS_BOOKED = Q(state__gte=State.SETTLED)
IS_DUE = Q(state=State.METERED) | IS_BOOKED & Q(has_news=True)


def due_interval_ids(*, community_id: int, limit: int) -> list[int]:
    """Return the intervals to clear or clear again, earliest first.

    What was traded ahead is cleared once the auction at its gate closure was held.
    """
    return list(
        DeliveryInterval.objects.filter(IS_DUE, community_id=community_id)
        .exclude(rule_set__document__mode="forward", auction__isnull=True)
        .order_by("starts_at")
        .values_list("id", flat=True)[:limit]
    )


def due_settlement_ids(*, community_id: int, limit: int) -> list[int]:
    """Return the clearings whose settlement was not submitted yet, earliest first."""
    submitted = Settlement.objects.filter(clearing=OuterRef("pk"))
    return list(
        Clearing.objects.filter(
            ~Exists(submitted),
            interval__community_id=community_id,
            interval__state=State.CLEARED,
        )
        .order_by("interval__starts_at", "revision")
        .values_list("id", flat=True)[:limit]
    )


def has_unsettled_clearing(*, community_id: int) -> bool:
    """Return whether any cleared interval of a community still waits for its booking."""
    return DeliveryInterval.objects.filter(community_id=community_id, state=State.CLEARED).exists()


def list_community_ids() -> list[int]:
    """Return every community."""
    return list(Community.objects.order_by("id").values_list("id", flat=True))
