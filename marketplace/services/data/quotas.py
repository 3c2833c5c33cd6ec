"""How much one provider may bring: disk, fetches and database are everybody's."""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import Sum

from marketplace.errors import N_, Invalid, UploadTooLarge, VersionBeingMade
from marketplace.models import DataProduct, DataUpload, DataVersion

DRAFTS_MAX: Final = 100
# The hall looks at each of them once a minute or more often, also while nobody buys it.
FEEDS_MAX: Final = 50


@contextmanager
def upload_turn(*, product_id: int, participant_ids: Collection[int]) -> Iterator[None]:
    """Let a provider send one file at a time, as long as there is room for what is theirs.

    Whoever may not send for this product at all is turned away by what is called within.

    Raises
    ------
    VersionBeingMade
        If another upload of theirs is on its way.
    UploadTooLarge
        If what they have here is as much as may be.
    """
    own = DataProduct.objects.filter(id=product_id, provider__in=participant_ids)
    provider_id = own.values_list("provider_id", flat=True).first()
    if provider_id is None:
        yield
        return
    check_quota(provider_id=provider_id)
    with _turn(provider_id):
        yield


@contextmanager
def sending_turn(*, version_id: int, participant_ids: Collection[int]) -> Iterator[None]:
    """Let a provider send one piece at a time of what was begun: each holds a thread of the hall.

    Raises
    ------
    VersionBeingMade
        If another upload of theirs is on its way.
    """
    own = DataVersion.objects.filter(id=version_id, product__provider__in=participant_ids)
    provider_id = own.values_list("product__provider_id", flat=True).first()
    if provider_id is None:
        yield
        return
    with _turn(provider_id):
        yield


def check_quota(*, provider_id: int, byte_count: int = 0) -> None:
    """Refuse more bytes of a provider's than the hall keeps for one; raises `UploadTooLarge`."""
    most: int = settings.DATA_QUOTA_BYTES
    versions = DataVersion.objects.filter(
        product__provider=provider_id, state=DataVersion.State.READY
    )
    uploads = DataUpload.objects.filter(
        version__product__provider=provider_id, destroyed_at__isnull=True
    )
    used = sum(rows.aggregate(all=Sum("byte_count"))["all"] or 0 for rows in (versions, uploads))
    if used + byte_count >= most:
        raise UploadTooLarge(
            N_("You have {used} bytes in the hall, of at most {most}: ask the operator for more."),
            used=used,
            most=most,
        )


def check_product_count(*, provider_id: int, is_feed: bool) -> None:
    """Refuse another product where one provider has many; the provider's row is locked.

    Raises
    ------
    Invalid
        If as many drafts, or feeds, as one may have are there.
    """
    own = DataProduct.objects.filter(provider=provider_id)
    if own.filter(state=DataProduct.State.DRAFT).count() >= DRAFTS_MAX:
        raise Invalid(
            "title",
            N_("{most} of your products are drafts: list or withdraw some."),
            most=DRAFTS_MAX,
        )
    feeds = own.filter(kind=DataProduct.Kind.FEED).exclude(state=DataProduct.State.WITHDRAWN)
    if is_feed and feeds.count() >= FEEDS_MAX:
        raise Invalid(
            "source_url", N_("You have {most} live feeds: withdraw one first."), most=FEEDS_MAX
        )


@contextmanager
def _turn(provider_id: int) -> Iterator[None]:
    folder: Path = settings.DATA_FOLDER / "turns"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / str(provider_id), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise VersionBeingMade(
                N_("Another upload of yours is on its way: wait for its end.")
            ) from error
        yield
    finally:
        os.close(descriptor)
