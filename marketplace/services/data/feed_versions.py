"""The version of a feed: what its source answered when it came in, fetched and validated once.

Contracts pin it by its manifest: the files, their hashes, how many records they had. What comes
afterwards is looked at by `marketplace.services.data.probes`.
"""

import hashlib
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.db import transaction

from gate.errors import Refused
from gate.formats import Checked
from gate.manifest import canonical_json
from ledger.services import submit
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, Invalid, NotFound
from marketplace.models import DataProduct, DataVersion
from marketplace.services.data import catalogue
from marketplace.services.data.feed_fetching import (
    ODD_SHAPE,
    Came,
    fetch_feed,
    judge_feed,
    served_files,
    storable,
)
from marketplace.services.data.probes import show_files, source_of, trying_alone
from marketplace.services.data.version_notices import tell_provider
from marketplace.services.data.version_work import version_document, version_document_key

MANIFEST_TYPE: Final = "heliopolis/feed-manifest/1"
FETCHING: Final = "fetch"
State = DataVersion.State


@transaction.atomic
def begin_feed_version(*, product_id: int, participant_ids: Collection[int], now: datetime) -> int:
    """Ask the hall to fetch and validate a feed for its next version; return the version's id.

    One that waits already is the one.

    Raises
    ------
    NotFound
        If it is no product of these participants.
    Invalid
        If it is no feed, or was withdrawn.
    """
    product = (
        DataProduct.objects.select_for_update(no_key=True)
        .filter(id=product_id, provider__in=participant_ids)
        .first()
    )
    if product is None:
        raise NotFound(N_("There is no such product of yours."))
    if product.kind != DataProduct.Kind.FEED or product.state == DataProduct.State.WITHDRAWN:
        raise Invalid("product", N_("Only a feed that is not withdrawn is fetched."))
    waiting = product.versions.filter(state=State.WORKING).first()
    if waiting is not None:
        return int(waiting.id)
    newest = product.versions.order_by("-number").values_list("number", flat=True).first()
    made = DataVersion.objects.create(
        product=product,
        number=(newest or 0) + 1,
        state=State.WORKING,
        progress={"step": FETCHING, "share_ppm": 0},
        created_at=now,
    )
    return made.id


def work_waiting_feeds(*, now: datetime) -> int:
    """Make the versions of feeds that wait; return how many. Safe twice, late, on two hosts.

    Raises
    ------
    ExceptionGroup
        Of versions that could not be worked on by a fault of the hall; all others were.
    """
    waiting = DataVersion.objects.filter(
        state=State.WORKING, product__kind=DataProduct.Kind.FEED
    ).select_related("product")
    worked, failures = 0, []
    for version in waiting.order_by("id"):
        try:
            worked += _worked(version, now=now)
        except Exception as failure:  # one bad feed must not hold up the others
            failures.append(failure)
    if failures:
        raise ExceptionGroup("feeds that could not be taken in", failures)
    return worked


def _worked(version: DataVersion, *, now: datetime) -> bool:
    with trying_alone(version.product_id) as is_ours:
        if not is_ours:
            return False
        source = source_of(version.product)
        # Whatever came before is another version's: only the feed itself is judged.
        source = replace(source, previous=None)
        try:
            came = fetch_feed(source, now=now)
            checked = judge_feed(source, _there(came), now=now)
            _check_valid(checked)
            files = served_files(source, came, records=checked.records)
        except Refused as wrong:
            return _refuse(version, wrong, now=now)
        except ODD_SHAPE as odd:
            return _refuse(version, _unreadable(odd), now=now)
        return _publish(version, files, checked, now=now)


def _there(came: Came) -> Came:
    if came.problem:
        raise Refused(
            f"source-{came.problem}".replace("_", "-"),
            N_("the feed's source gave nothing that can be read ({detail})"),
            "",
            N_("Open the address in a browser; the hall asks from the public internet."),
            detail=came.detail,
        )
    return came


def _unreadable(odd: Exception) -> Refused:
    """Return the end of a version whose source answered in a shape that nobody foresaw."""
    return Refused(
        "feed-unreadable",
        N_("the feed cannot be read ({kind})"),
        "",
        N_("Correct the feed at its source; only valid files are passed on to buyers."),
        kind=type(odd).__name__,
    )


def _check_valid(checked: Checked) -> None:
    first = next((one for one in checked.findings if one.severity == "error"), None)
    if first is not None:
        raise Refused(
            "feed-invalid",
            N_("the feed has {count} errors, the first: {first}"),
            first.place,
            N_("Correct the feed at its source; only valid files are passed on to buyers."),
            count=checked.error_count,
            first=first.text,
        )


@transaction.atomic
def _publish(
    version: DataVersion,
    files: dict[str, tuple[bytes, int]],
    checked: Checked,
    *,
    now: datetime,
) -> bool:
    product = version.product
    manifest = canonical_json(
        {
            "type": MANIFEST_TYPE,
            "product": product.id,
            "version": version.number,
            "format": product.format,
            "files": [
                {
                    "name": name,
                    "sha256": hashlib.sha256(body).hexdigest(),
                    "bytes": len(body),
                    "records": records,
                }
                for name, (body, records) in sorted(files.items())
            ],
        }
    )
    ready = DataVersion.objects.filter(id=version.id, state=State.WORKING).update(
        state=State.READY,
        published_at=now,
        progress={},
        manifest=manifest,
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        byte_count=sum(len(body) for body, _ in files.values()),
        row_count=checked.records,
        profile=storable(checked.profile.as_json()),
        findings=storable([one.as_json() for one in checked.findings]),
        sample=storable(checked.sample.as_json()),
    )
    if not ready:
        return False
    show_files(product, files, checked.source_time, now=now)
    version.refresh_from_db()
    logged = version_document(version).command(version_document_key(version.id))
    submit(commands=[logged], submitted_at=now)
    if product.state == DataProduct.State.LISTED:
        catalogue.refresh(product_id=product.id, now=now)
    tell_provider(version, NoticeKind.VERSION_READY, now=now)
    return True


@transaction.atomic
def _refuse(version: DataVersion, wrong: Refused, *, now: datetime) -> bool:
    waiting = DataVersion.objects.filter(id=version.id, state=State.WORKING)
    if not waiting.update(state=State.REFUSED, refusal=storable(wrong.as_json()), progress={}):
        return False
    tell_provider(version, NoticeKind.VERSION_REFUSED, now=now)
    return True
