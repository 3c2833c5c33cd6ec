"""What a provider is told of a version that was being made."""

from datetime import datetime

from marketplace.domain.notices import NoticeKind
from marketplace.models import DataVersion
from marketplace.services.notices import notify


def tell_provider(version: DataVersion, kind: NoticeKind, *, now: datetime) -> None:
    """Tell a version's provider what became of it."""
    notify(
        participant_id=version.product.provider_id,
        kind=kind,
        key=f"version:{version.id}",
        subject={
            "product": version.product_id,
            "version": version.id,
            "number": version.number,
            "title": version.product.title,
        },
        now=now,
    )
