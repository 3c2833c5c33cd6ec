"""What a version keeps for questions: rows of when and between which places, sealed.

They lie beside the version's package, under a key of their own that no buyer ever has.
"""

import os
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

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


@dataclass(frozen=True)
class SealedRows:
    """Rows that stand beside a package, and the only key to them."""

    manifest: Manifest
    key: bytes = field(repr=False)
    areas: Areas = field(repr=False)


class QueryRows:
    """Takes packed rows in, bucket by bucket, encrypting as they come.

    Parameters
    ----------
    package : str
        Id of the package that is being made; what throws that away throws these rows away.
    """

    def __init__(self, package: str) -> None:
        self._id, self._key = new_package_id(), new_key()
        self._file = storage.new_rows(package)
        self._packer = Packer(self._file, self._id, self._key)
        self._part = self._packer.add_part(ROWS_PART, "application/octet-stream")
        self._count = 0

    def add(self, keys: Int64Array) -> None:
        """Add packed rows, see `gate.trip_rows.packed`."""
        # Sorted: in what order they came would say which trips were one after the other.
        self._part.write(np.sort(keys).astype(_DTYPE).tobytes())
        self._count += len(keys)

    def finish(self, areas: Areas) -> SealedRows:
        """End the file and make it last."""
        self._part.close()
        package = self._packer.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        manifest = Manifest(
            format="query-rows",
            row_count=self._count,
            package=package,
            key_commitment=key_commitment(self._id, self._key),
        )
        return SealedRows(manifest, self._key, areas)


def keep_rows(*, version: DataVersion, rows: SealedRows, now: datetime) -> None:
    """Note the rows of a version that becomes ready, in its transaction."""
    package_id = rows.manifest.package.package_id
    DataQueryStore.objects.create(
        version=version,
        sealed_key=seal_for_hall(package_id=package_id, key=rows.key),
        manifest=rows.manifest.to_bytes(),
        areas=rows.areas.to_csv(),
        created_at=now,
    )


def read_rows(store: DataQueryStore) -> Int64Array:
    """Return the packed rows of a store; they are in memory alone."""
    manifest = Manifest.from_bytes(bytes(store.manifest))
    key = open_for_hall(package_id=manifest.package.package_id, sealed_key=bytes(store.sealed_key))
    with storage.rows_path(store.version.package).open("rb") as file:
        data = read_part(file, manifest.package, key, ROWS_PART)
    return np.frombuffer(data, _DTYPE).astype(np.int64)


def read_areas(store: DataQueryStore) -> Areas:
    """Return the areas that the rows' places belong to."""
    return Areas.from_csv(bytes(store.areas))
