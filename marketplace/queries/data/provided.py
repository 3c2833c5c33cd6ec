"""A provider's products at a glance: measured quality, and the rows of their last versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from marketplace.models import DataFacet, DataVersion

VERSIONS_SHOWN: Final = 12


@dataclass(frozen=True)
class Measured:
    """The badge of a listed product. [ppm]"""

    quality_ppm: int | None
    quality_band: int
    age_s: int | None


def get_measured_quality(*, product_ids: Sequence[int]) -> dict[int, Measured]:
    """Return the badges of products; one that is not listed is absent."""
    rows = DataFacet.objects.filter(product__in=list(product_ids))
    return {
        product_id: Measured(ppm, band, age)
        for product_id, ppm, band, age in rows.values_list(
            "product_id", "quality_ppm", "quality_band", "age_s"
        )
    }


def list_version_rows(*, product_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return how many rows the last published versions of products have, the oldest first."""
    newest = Window(RowNumber(), partition_by=F("product"), order_by=F("number").desc())
    rows = (
        DataVersion.objects.filter(product__in=list(product_ids), state=DataVersion.State.READY)
        .annotate(rank=newest)
        .filter(rank__lte=VERSIONS_SHOWN)
        .order_by("product", "number")
    )
    found: dict[int, list[int]] = {}
    for product_id, count in rows.values_list("product_id", "row_count"):
        found.setdefault(product_id, []).append(count)
    return found
