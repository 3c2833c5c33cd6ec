"""Makes a version of what came in: recognised, checked, gated, packaged, sealed, ready or refused.

A worker that is killed anywhere leaves nothing that counts: the next one finds the upload in
quarantine and starts over, under a new key. An advisory lock of the database's session says who is
at it, so the kernel's end of a process is also the end of its turn.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Q

from gate.errors import Refused
from gate.manifest import PackageBroken
from ledger.domain.documents import Document
from ledger.services import submit
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, DepositKeyMissing, MarketplaceError
from marketplace.models import DataProduct, DataUpload, DataVersion
from marketplace.services.data import catalogue, home_packages, raw_uploads, storage
from marketplace.services.data.deposit_key import open_for_hall, seal_for_hall
from marketplace.services.data.intake import PREVIEW
from marketplace.services.data.made import Made
from marketplace.services.data.query_stores import keep_rows
from marketplace.services.data.storage import Quarantined
from marketplace.services.data.version_notices import tell_provider

State = DataVersion.State
DOCUMENT_KIND: Final = "data-version"
# How often a worker may die over one upload, and how long a provider may take to go on.
ATTEMPTS_MAX: Final = 5
PREVIEW_KEPT: Final = timedelta(hours=48)
_LOCK: Final = 0x0DA7B << 32


def work_waiting_versions(*, now: datetime) -> int:
    """Work on every version that waits; return how many. Safe twice, late, or on two hosts.

    One after the other over all hosts: the market's other tasks share their workers with this one.
    """
    try:
        with _turn(0) as is_ours:
            return _work_one_by_one(now) if is_ours else 0
    finally:
        _let_old_ones_go(now)
        destroy_uploads(now=now)


def _work_one_by_one(now: datetime) -> int:
    waiting = DataVersion.objects.filter(
        state=State.WORKING,
        uploads__role=DataUpload.Role.DATA,
        uploads__is_complete=True,
    ).exclude(progress__step=PREVIEW)
    count, failures = 0, []
    for version_id in waiting.order_by("id").values_list("id", flat=True):
        try:
            count += work_version(version_id=version_id, now=now)
        except Exception as failure:  # one bad file must not hold up the others
            failures.append(failure)
    if failures:
        raise ExceptionGroup("versions that could not be worked on", failures)
    return count


def work_version(*, version_id: int, now: datetime) -> bool:
    """Make a version of what came in for it; return whether this call was the one.

    Whatever is wrong with the upload ends as a refusal that its provider reads; what is wrong with
    the hall is raised, and the version waits.
    """
    with _turn(version_id) as is_ours:
        was_done = is_ours and _worked(version_id, now)
    if was_done:
        destroy_uploads(now=now, version_id=version_id)
    return was_done


def _worked(version_id: int, now: datetime) -> bool:
    version = DataVersion.objects.select_related("product").get(id=version_id)
    uploads = {each.role: each for each in version.uploads.all()}
    upload = uploads.get(DataUpload.Role.DATA)
    if version.state != State.WORKING or version.progress.get("step") == PREVIEW:
        return False
    if upload is None or not upload.is_complete:
        return False
    # What a run that was killed has left: a package under a key that nobody has any more. It is
    # no run's from here on, so that one which only lost its connection cannot publish it.
    DataVersion.objects.filter(id=version_id, state=State.WORKING).update(package="")
    storage.discard_package(version.package)
    attempts = version.progress.get("attempts", 0)
    if attempts >= ATTEMPTS_MAX:
        _refuse(version, _gave_up(), now)
        return True
    is_confirmed = bool(version.progress.get("confirmed"))
    follower = _Progress(version_id, {"attempts": attempts + 1, "confirmed": is_confirmed})
    follower("recognise")
    try:
        made = _made(version, uploads, upload, follower, now)
    except (Refused, PackageBroken, MarketplaceError) as wrong:
        if isinstance(wrong, DepositKeyMissing):
            raise
        _discard_reserved(version_id)
        _refuse(version, wrong, now)
    else:
        _keep(version, made, is_confirmed=is_confirmed, now=now)
    return True


def destroy_uploads(*, now: datetime, version_id: int | None = None) -> int:
    """Destroy what versions that are ready or refused were made of; return how many were."""
    over = DataUpload.objects.exclude(version__state=State.WORKING).filter(destroyed_at=None)
    if version_id is not None:
        over = over.filter(version=version_id)
    count = 0
    for upload in over.select_related("version__product"):
        storage.destroy_upload(upload.token)
        with transaction.atomic():
            mine = DataUpload.objects.filter(id=upload.id, destroyed_at=None)
            if not mine.update(sealed_key=None, destroyed_at=now):
                continue
            count += 1
            if upload.role == DataUpload.Role.DATA and upload.home_manifest is None:
                DataVersion.objects.filter(id=upload.version_id, raw_deleted_at=None).update(
                    raw_deleted_at=now
                )
                tell_provider(upload.version, NoticeKind.RAW_DELETED, now=now)
    return count


def sweep_strays() -> int:
    """Remove files of uploads that ended before their row was written; return how many."""
    known = DataUpload.objects.filter(destroyed_at=None).values_list("token", flat=True)
    return storage.sweep_strays(known=frozenset(known))


def version_document(version: DataVersion) -> Document:
    """Return what the log keeps of a ready version: in public its manifest's hash alone."""
    return Document(
        kind=DOCUMENT_KIND,
        public={"manifest_sha256": version.manifest_sha256},
        private={
            "product": str(version.product_id),
            "version": str(version.number),
            "format": version.product.format,
            "rows": str(version.row_count),
            "bytes": str(version.byte_count),
            "key_commitment": version.key_commitment,
            "gated_at_home": "yes" if version.gated_at_home else "no",
        },
    )


def version_document_key(version_id: int) -> str:
    """Return the key of the command that logs a version."""
    return f"{DOCUMENT_KIND}:{version_id}"


class _Progress:
    """Writes how far the work is, where the page of the version reads it."""

    def __init__(self, version_id: int, kept: Mapping[str, Any]) -> None:
        self._version_id, self._kept = version_id, dict(kept)

    def __call__(self, step: str, share_ppm: int = 0) -> None:
        progress = {**self._kept, "step": step, "share_ppm": share_ppm}
        DataVersion.objects.filter(id=self._version_id, state=State.WORKING).update(
            progress=progress
        )


def _made(
    version: DataVersion,
    uploads: Mapping[str, DataUpload],
    upload: DataUpload,
    follow: _Progress,
    now: datetime,
) -> Made:
    key = _key_of(upload)
    if upload.home_manifest is not None:
        return home_packages.make(version=version, upload=upload, key=key, follow=follow, now=now)
    stations = uploads.get(DataUpload.Role.STATIONS)
    companions = {}
    if stations is not None:
        companions["stations"] = _quarantined(stations, _key_of(stations))
    return raw_uploads.make(
        version=version,
        upload=_quarantined(upload, key),
        file_name=upload.file_name,
        companions=companions,
        follow=follow,
        now=now,
    )


def _key_of(upload: DataUpload) -> bytes:
    assert upload.sealed_key is not None, "an upload of a version in work has its key"
    # A home package's key is sealed for the package, an upload's for its own file.
    if upload.home_manifest is not None:
        identity = home_packages.package_id(upload)
    else:
        identity = bytes.fromhex(upload.token)
    return open_for_hall(package_id=identity, sealed_key=bytes(upload.sealed_key))


def _quarantined(upload: DataUpload, key: bytes) -> Quarantined:
    return Quarantined(upload.token, upload.byte_count, key)


@transaction.atomic
def _keep(version: DataVersion, made: Made, *, is_confirmed: bool, now: datetime) -> None:
    """Publish what was made, or show it to its provider first."""
    package = made.package_id.hex()
    working = DataVersion.objects.filter(
        id=version.id, state=State.WORKING, package=package if made.is_ours else ""
    )
    if made.asks_provider and not is_confirmed:
        storage.discard_package(package)
        working.update(
            package="",
            progress={"step": PREVIEW, "since": now.isoformat()},
            **made.shown(),
        )
        return
    sealed_key = seal_for_hall(package_id=made.package_id, key=made.key)
    ready = working.update(
        state=State.READY,
        published_at=now,
        package=package,
        sealed_key=sealed_key,
        progress={},
        **made.shown(),
        **made.pinned(),
    )
    if not ready:
        storage.discard_package(package)  # given up by its provider meanwhile
        return
    version = DataVersion.objects.select_related("product").get(id=version.id)
    # From here on nothing opens the upload any more; its file goes after the commit.
    version.uploads.update(sealed_key=None)
    logged = version_document(version).command(version_document_key(version.id))
    submit(commands=[logged], submitted_at=now)
    if made.query_rows is not None:
        keep_rows(version=version, rows=made.query_rows, now=now)
    if version.product.state == DataProduct.State.LISTED:
        catalogue.refresh(product_id=version.product_id, now=now)
    tell_provider(version, NoticeKind.VERSION_READY, now=now)


@transaction.atomic
def _refuse(
    version: DataVersion, wrong: Refused | PackageBroken | MarketplaceError, now: datetime
) -> None:
    working = DataVersion.objects.filter(id=version.id, state=State.WORKING)
    if working.update(state=State.REFUSED, refusal=_refusal(wrong), progress={}, package=""):
        version.uploads.update(sealed_key=None, is_complete=True)
        tell_provider(version, NoticeKind.VERSION_REFUSED, now=now)


def _discard_reserved(version_id: int) -> None:
    storage.discard_package(
        DataVersion.objects.values_list("package", flat=True).get(id=version_id)
    )


def _refusal(wrong: Refused | PackageBroken | MarketplaceError) -> dict[str, Any]:
    if isinstance(wrong, Refused):
        return wrong.as_json()
    template = wrong.text if isinstance(wrong, MarketplaceError) else str(wrong)
    values = wrong.params if isinstance(wrong, MarketplaceError) else {}
    return {
        "code": wrong.code,
        "text": str(wrong),
        "place": "",
        "remedy": "",
        "template": template,
        "remedy_template": "",
        "values": {name: str(value) for name, value in values.items()},
    }


def _gave_up() -> Refused:
    return Refused(
        "gave-up",
        N_("the hall's worker died over this file several times"),
        "",
        N_("Split it into smaller files, or tell the operator."),
    )


def _let_old_ones_go(now: datetime) -> None:
    """Refuse versions whose provider has not gone on: uploads do not lie about for ever."""
    working = DataVersion.objects.filter(state=State.WORKING, product__kind=DataProduct.Kind.FILE)
    begun = working.filter(created_at__lt=now - PREVIEW_KEPT)
    in_work = Q(uploads__role=DataUpload.Role.DATA, uploads__is_complete=True)
    unsent = begun.exclude(id__in=working.filter(in_work).values("id"))
    for version in unsent.select_related("product"):
        _refuse(version, _too_late(N_("its files did not come in time")), now)
    for version in working.filter(progress__step=PREVIEW).select_related("product"):
        if now - datetime.fromisoformat(version.progress["since"]) > PREVIEW_KEPT:
            text = N_("what remains after the gate was not confirmed in time")
            _refuse(version, _too_late(text), now)


def _too_late(text: str) -> Refused:
    return Refused("too-late", text, "", N_("Upload the file again."))


@contextmanager
def _turn(version_id: int) -> Iterator[bool]:
    """Be the only one that works on a version, as long as this database session lives."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK + version_id])
        [is_ours] = cursor.fetchone() or (False,)
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK + version_id])
