"""What comes in for a version: raw uploads into quarantine, packages that were gated at home.

Bytes are taken in before any row is locked, so a slow upload holds nobody up. What a row says has
come is there; what no row tells of is swept away later, and nobody has its key.
"""

import fcntl
import os
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from django.db import transaction

from gate.keys import check_key
from gate.manifest import Manifest, PackageBroken
from marketplace.domain.data.product import ABOUT_PEOPLE
from marketplace.errors import (
    N_,
    Invalid,
    NotFound,
    ProductClosed,
    UploadTooLarge,
    UploadUnfit,
    VersionBeingMade,
)
from marketplace.models import DataProduct, DataUpload, DataVersion
from marketplace.services.data import storage
from marketplace.services.data.deposit_key import open_for_hall, seal_for_hall
from marketplace.services.data.products import ABANDONED, lock_own_product
from marketplace.services.data.quotas import check_quota
from marketplace.services.data.storage import Quarantined

State = DataVersion.State
FILE_NAME_MAX: Final = 200
NOTE_MAX: Final = 2000
MANIFEST_MAX_BYTES: Final = 8 * 2**20
# Of a version that is being made, what its page shows; the worker writes the other steps.
WAITING, PREVIEW = "waiting", "preview"


def check_may_upload(*, product_id: int, participant_ids: Collection[int]) -> None:
    """Refuse an upload before its bytes come; the same is asked again when they are there.

    Raises
    ------
    NotFound, ProductClosed, VersionBeingMade, Invalid
        If the product takes none from these participants now.
    """
    with transaction.atomic():
        _takes_files(lock_own_product(product_id=product_id, participant_ids=participant_ids))


@transaction.atomic
def add_upload(
    *,
    product_id: int,
    participant_ids: Collection[int],
    upload: Quarantined,
    file_name: str,
    role: str = DataUpload.Role.DATA,
    note: str = "",
    is_confirmed: bool = False,
    now: datetime,
) -> int:
    """Note an upload that stands in quarantine; return the id of the version it is for.

    The table of places comes before the data, which a worker begins with at once.

    Parameters
    ----------
    is_confirmed : bool
        Publish what passes the gate without showing the provider first what remains.

    Raises
    ------
    Invalid, NotFound, ProductClosed, VersionBeingMade
        If it cannot be taken; the caller then throws the upload away.
    """
    product = lock_own_product(product_id=product_id, participant_ids=participant_ids)
    _takes_files(product)
    if role not in DataUpload.Role.values:
        raise Invalid("role", N_("An upload is the data, or the table of its stations."))
    if upload.byte_count == 0:
        raise Invalid("file", N_("The file is empty."))
    version = _open_version(product, now)
    if version.uploads.filter(role=role).exists():
        raise VersionBeingMade(N_("This version has such a file already."))
    _check_note(note)
    DataUpload.objects.create(
        version=version,
        role=role,
        token=upload.token,
        file_name=plain_file_name(file_name),
        sealed_key=seal_for_hall(package_id=bytes.fromhex(upload.token), key=upload.key),
        byte_count=upload.byte_count,
        is_complete=True,
        received_at=now,
    )
    is_data = role == DataUpload.Role.DATA
    progress = {"step": WAITING, "confirmed": is_confirmed} if is_data else {}
    DataVersion.objects.filter(id=version.id).update(
        note=note or version.note, progress=progress or version.progress
    )
    return version.id


@transaction.atomic
def confirm_version(*, version_id: int, participant_ids: Collection[int], now: datetime) -> None:
    """Say that what remains after the gate may be published.

    Raises
    ------
    NotFound, ProductClosed
        If it is no version of these participants, or does not wait for this.
    """
    version = lock_own_version(version_id=version_id, participant_ids=participant_ids)
    if version.state != State.WORKING or version.progress.get("step") != PREVIEW:
        raise ProductClosed(N_("This version does not wait for your word."))
    DataVersion.objects.filter(id=version_id).update(
        progress={"step": WAITING, "confirmed": True, "since": now.isoformat()}
    )


@transaction.atomic
def look_again(*, version_id: int, participant_ids: Collection[int]) -> None:
    """Put a version that waits for its provider's word through the gate again.

    Raises
    ------
    NotFound, ProductClosed
        If it is no version of these participants, or does not wait for this.
    """
    version = lock_own_version(version_id=version_id, participant_ids=participant_ids)
    if version.state != State.WORKING or version.progress.get("step") != PREVIEW:
        raise ProductClosed(N_("This version does not wait for your word."))
    DataVersion.objects.filter(id=version_id).update(progress={"step": WAITING})


@transaction.atomic
def begin_home_version(
    *,
    product_id: int,
    participant_ids: Collection[int],
    manifest: bytes,
    sealed_key: bytes,
    note: str = "",
    now: datetime,
) -> int:
    """Begin to take in a package that its provider gated at home; return the version's id.

    The same manifest again is the same version: the provider's machine may have died before it
    read the answer.

    Raises
    ------
    UploadUnfit
        If the manifest is not one of this product, or the key does not open for the hall.
    Invalid, NotFound, ProductClosed, VersionBeingMade
        If the product takes none from these participants now.
    """
    product = lock_own_product(product_id=product_id, participant_ids=participant_ids)
    on_its_way = DataUpload.objects.filter(version__state=State.WORKING, is_complete=False)
    begun = on_its_way.filter(version__product=product, home_manifest=manifest).first()
    if begun is not None:
        return begun.version_id
    _takes_files(product)
    _check_note(note)
    said = _checked_manifest(product, manifest)
    package = said.package
    check_quota(provider_id=product.provider_id, byte_count=package.cipher_byte_count)
    # home_packages reads formats, which a web process should not import for this.
    if DataVersion.objects.filter(package=package.package_id.hex()).exists():
        raise UploadUnfit(N_("A package of this number was published before: pack the data anew."))
    try:
        key = open_for_hall(package_id=package.package_id, sealed_key=sealed_key)
        check_key(package.package_id, key, said.key_commitment)
    except PackageBroken as broken:
        raise UploadUnfit(N_("The key is not sealed to this hall: {why}"), why=broken) from broken
    version = _open_version(product, now)
    if version.uploads.exists():
        raise VersionBeingMade(N_("This version has such a file already."))
    DataVersion.objects.filter(id=version.id).update(note=note, gated_at_home=True)
    DataUpload.objects.create(
        version=version,
        token=storage.new_token(),
        file_name="package",
        sealed_key=sealed_key,
        byte_count=package.cipher_byte_count,
        is_complete=False,
        home_manifest=manifest,
        received_at=now,
    )
    return version.id


def received_bytes(*, version_id: int, participant_ids: Collection[int]) -> tuple[int, int]:
    """Return how much of a home package is there, and how much there will be. [byte]

    Raises
    ------
    NotFound
        If no such package is on its way from these participants.
    """
    upload = _home_upload(version_id, participant_ids)
    return _size_of(upload), upload.byte_count


def append_home(
    *,
    version_id: int,
    participant_ids: Collection[int],
    offset: int,
    pieces: Iterable[bytes],
    now: datetime,
) -> int:
    """Add bytes of a home package where the last ones ended; return how many are there now.

    What is there stays when the connection breaks, and the next request goes on behind it.

    Raises
    ------
    NotFound, ProductClosed
        If no such package is on its way.
    Invalid
        On ``offset``, if it is not where the last bytes ended.
    UploadTooLarge
        If more comes than the manifest says.
    """
    upload = _home_upload(version_id, participant_ids)
    if upload.is_complete:
        raise ProductClosed(N_("All of this package is here."))
    path = storage.quarantine_path(upload.token)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        try:
            # One sender at a time: two would write over each other's end.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise VersionBeingMade(N_("Another request is sending this package.")) from error
        size = file.seek(0, os.SEEK_END)
        if offset != size:
            raise Invalid("offset", N_("The next byte to send is {size}."), size=size)
        for piece in pieces:
            storage.check_room(len(piece))
            size += len(piece)
            if size > upload.byte_count:
                raise UploadTooLarge(N_("The package is longer than its manifest says."))
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if size == upload.byte_count:
        with transaction.atomic():
            DataUpload.objects.filter(id=upload.id).update(is_complete=True, received_at=now)
            DataVersion.objects.filter(id=version_id, state=State.WORKING).update(
                progress={"step": WAITING, "confirmed": True}
            )
    return size


@transaction.atomic
def abandon_version(*, version_id: int, participant_ids: Collection[int], now: datetime) -> None:
    """Give up a version that is not ready; what came in for it is destroyed.

    Raises
    ------
    NotFound, ProductClosed
        If it is no version of these participants, or ready or refused.
    """
    version = lock_own_version(version_id=version_id, participant_ids=participant_ids)
    given_up = DataVersion.objects.filter(id=version.id, state=State.WORKING).update(
        state=State.REFUSED,
        refusal=ABANDONED,
        progress={},
    )
    if not given_up:
        raise ProductClosed(N_("This version is ready or refused."))
    DataUpload.objects.filter(version=version).update(sealed_key=None, is_complete=True)


def lock_own_version(*, version_id: int, participant_ids: Collection[int]) -> DataVersion:
    """Return a version of somebody's product, its row locked; raises `NotFound`."""
    own = DataVersion.objects.filter(id=version_id, product__provider__in=participant_ids)
    version = own.select_for_update(no_key=True, of=("self",)).first()
    if version is None:
        raise NotFound(N_("There is no such version of yours."))
    return version


def plain_file_name(name: str) -> str:
    """Return the last part of a file's name, in characters that harm nobody."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1][-FILE_NAME_MAX:]
    return "".join(each if each.isprintable() else "_" for each in last) or "upload"


def _takes_files(product: DataProduct) -> None:
    if product.kind != DataProduct.Kind.FILE:
        raise Invalid("product", N_("A feed is fetched from its address; it takes no uploads."))
    working = product.versions.filter(state=State.WORKING)
    if working.filter(uploads__role=DataUpload.Role.DATA).exists():
        raise VersionBeingMade(
            N_("A version of this product is being made: wait for it, or give it up.")
        )


def _open_version(product: DataProduct, now: datetime) -> DataVersion:
    """Return the version that waits for its data, or the next one. The product is locked."""
    waiting = product.versions.filter(state=State.WORKING).first()
    if waiting is not None:
        return waiting
    last = product.versions.order_by("-number").values_list("number", flat=True).first() or 0
    return DataVersion.objects.create(product=product, number=last + 1, created_at=now)


def _checked_manifest(product: DataProduct, manifest: bytes) -> Manifest:
    if len(manifest) > MANIFEST_MAX_BYTES:
        raise UploadTooLarge(
            N_("A manifest has at most {maximum} bytes."), maximum=MANIFEST_MAX_BYTES
        )
    try:
        said = Manifest.from_bytes(manifest)
    except PackageBroken as broken:
        raise UploadUnfit(N_("The manifest cannot be read: {why}"), why=broken) from broken
    if said.format != product.format:
        raise UploadUnfit(
            N_("The package holds {found}, the product is {wanted}."),
            found=said.format,
            wanted=product.format,
        )
    if product.format in ABOUT_PEOPLE and said.report_sha256 is None:
        raise UploadUnfit(N_("The package did not go through the gate: it has no report."))
    storage.check_size(said.package.cipher_byte_count)
    return said


def _home_upload(version_id: int, participant_ids: Collection[int]) -> DataUpload:
    upload = DataUpload.objects.filter(
        version=version_id,
        version__product__provider__in=participant_ids,
        version__state=State.WORKING,
        home_manifest__isnull=False,
    ).first()
    if upload is None:
        raise NotFound(N_("No package of yours is on its way for this version."))
    return upload


def _size_of(upload: DataUpload) -> int:
    try:
        return storage.quarantine_path(upload.token).stat().st_size
    except FileNotFoundError:
        return 0


def _check_note(note: str) -> None:
    if len(note) > NOTE_MAX or "\0" in note:
        raise Invalid("note", N_("At most {maximum} characters."), maximum=NOTE_MAX)
