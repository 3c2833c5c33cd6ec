"""What a version keeps for questions: rows of when and between which places, sealed."""

from contextlib import closing
from datetime import datetime

import numpy as np
from django.db import transaction

from gate.areas import Areas
from gate.keys import key_commitment, new_key, new_package_id
from gate.manifest import Manifest
from gate.package import Packer, read_part
from gate.spill import Int64Array
from marketplace.models import DataQueryStore, DataVersion
from marketplace.services.data import storage
from marketplace.services.data.deposit_key import open_for_hall, seal_for_hall

ROWS_PART = "rows"
_DTYPE = "<i8"


class QueryRows:
    """Takes packed rows in, bucket by bucket, encrypting as they come.

    Leave it by `keep` or `discard`; a process that dies leaves ciphertext whose key is gone.
    """

    def __init__(self) -> None:
        self._id, self._key = new_package_id(), new_key()
        self._writing = storage.new_package(self._id.hex())
        self._packer = Packer(self._writing.__enter__(), self._id, self._key)
        self._part = self._packer.add_part(ROWS_PART, "application/octet-stream")
        self.row_count = 0

    def add(self, keys: Int64Array) -> None:
        """Add packed rows, see `gate.trip_rows.packed`."""
        self._part.write(np.sort(keys).astype(_DTYPE).tobytes())
        self.row_count += len(keys)

    def keep(self, *, version: DataVersion, areas: Areas, now: datetime) -> None:
        """End the file and name it in a row, in the caller's transaction."""
        self._part.close()
        manifest = Manifest(
            format="query-rows",
            row_count=self.row_count,
            package=self._packer.finish(),
            key_commitment=key_commitment(self._id, self._key),
        )
        self._writing.__exit__(None, None, None)
        DataQueryStore.objects.create(
            version=version,
            package=self._id.hex(),
            sealed_key=seal_for_hall(package_id=self._id, key=self._key),
            manifest=manifest.to_bytes(),
            areas=areas.to_csv(),
            row_count=self.row_count,
            created_at=now,
        )

    def discard(self) -> None:
        """Throw file and key away."""
        with closing(self._part):
            pass
        storage.discard_package(self._id.hex())


@transaction.atomic
def store_rows(*, version: DataVersion, keys: Int64Array, areas: Areas, now: datetime) -> None:
    """Keep all rows of a version at once."""
    rows = QueryRows()
    rows.add(keys)
    rows.keep(version=version, areas=areas, now=now)


def read_rows(store: DataQueryStore) -> Int64Array:
    """Return the packed rows of a store; they are in memory alone."""
    manifest = Manifest.from_bytes(bytes(store.manifest))
    key = open_for_hall(package_id=bytes.fromhex(store.package), sealed_key=bytes(store.sealed_key))
    with storage.package_path(store.package).open("rb") as file:
        data = read_part(file, manifest.package, key, ROWS_PART)
    return np.frombuffer(data, _DTYPE).astype(np.int64)


def read_areas(store: DataQueryStore) -> Areas:
    """Return the areas that the rows' places belong to."""
    return Areas.from_csv(bytes(store.areas))
