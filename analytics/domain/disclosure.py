"""Which figures over groups of households may be shown, so that nobody reads one household."""

from collections.abc import Mapping


def shown_groups(sizes: Mapping[int, int], minimum: int) -> frozenset[int]:
    """Choose the groups whose figures may stand beside the figure of all of them together.

    Parameters
    ----------
    sizes : mapping of int to int
        Households (meters) by group.
    minimum : int
        How many households a shown figure covers at least.

    Returns
    -------
    frozenset of int
        Groups to show. The others hold no household, or at least ``minimum`` together: what is
        left of the total after taking away all shown groups is again a figure over enough.
    """
    hidden = {group for group, size in sizes.items() if size < minimum}
    by_size = sorted(sizes.keys() - hidden, key=lambda group: (sizes[group], group))
    for group in by_size:
        rest = sum(sizes[other] for other in hidden)
        if rest == 0 or rest >= minimum:
            break
        hidden.add(group)
    return frozenset(sizes.keys() - hidden)
