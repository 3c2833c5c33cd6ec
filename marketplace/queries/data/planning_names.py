"""Names and licences of products that public figures are made from."""

from collections.abc import Collection
from dataclasses import dataclass

from marketplace.models import DataProduct
from marketplace.queries.identity import names_of


@dataclass(frozen=True)
class ProductName:
    """A product as a figure's source names it."""

    title: str
    provider_name: str
    licence: str


def names_of_products(*, product_ids: Collection[int]) -> dict[int, ProductName]:
    """Return names by product; one that is not listed any more is absent."""
    listed = DataProduct.objects.filter(
        id__in=product_ids, state=DataProduct.State.LISTED
    ).select_related("provider")
    names = names_of(each.provider for each in listed)
    return {
        each.id: ProductName(each.title, names[each.provider_id], each.licence) for each in listed
    }
