"""A lie, and whether a validator and the hall's own verification name it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from ledger.domain.growing_log import entries_in
from ledger.models import Block
from ledger.queries import get_attested_block, list_objections
from marketplace.errors import BookDiffers
from marketplace.queries.agreements import verify_agreements
from marketplace.services.auction_verification import verify_auctions
from marketplace.services.verification import verify_clearings
from tests.log.lying_operator import Operator
from validator.checks import CHECKS

# A checkpoint is wrong, or the bytes of a file, and no leaf.
NO_LEAF = ""
# Not objected to, and not cosigned either: the hall says too little to be judged.
WAITS = "waits"
ACCEPTED = "accepted"
AnyOperator = TypeVar("AnyOperator", bound=Operator)


@dataclass(frozen=True)
class Lie(Generic[AnyOperator]):
    """What is done, the code of the objection, and the kind of leaf that it names.

    ``hall_says`` is what the hall's own verification finds in its database, if anything.
    """

    name: str
    do: Callable[[AnyOperator], None]
    code: str
    leaf: str = NO_LEAF
    noticed_by: str = ""
    hall_says: str = ""


def require_caught(lie: Lie[AnyOperator], operator: AnyOperator) -> None:
    """Publish what was done, and see what the validator says of it."""
    operator.publish()
    attested = get_attested_block()

    found = operator.objections()

    if lie.code in (WAITS, ACCEPTED):
        assert found == []
        assert (get_attested_block() > attested) == (lie.code == ACCEPTED)
    else:
        ((leaf, code),) = found
        assert (code, kind_of(leaf) if lie.leaf else NO_LEAF) == (lie.code, lie.leaf)
        assert get_attested_block() == attested
        # Signed, handed in, and shown by the hall itself.
        assert [(each.leaf_index, each.code) for each in list_objections()] == found
    print(line(lie))


def kind_of(leaf: int) -> str:
    """Return the type of a leaf of the newest block."""
    block = Block.objects.latest("number")
    entry = entries_in(bytes(block.entries))[leaf - block.first_leaf]
    return entry.rpartition(b'"type":')[2].split(b'"')[1].decode()


def verify_market() -> tuple[int, int, int]:
    """Let the hall check its clearings, auctions and agreements; return how many there are."""
    return verify_clearings(), verify_auctions(), verify_agreements()


def require_named_by_the_hall(lie: Lie[Any]) -> None:
    """See what the hall's own verification says of its database."""
    if lie.hall_says:
        with pytest.raises(BookDiffers, match=lie.hall_says):
            verify_market()
    else:
        verify_market()


def line(lie: Lie[Any]) -> str:
    """Return a lie's line of the page."""
    return f"| {lie.name} | `{lie.code}` | {lie.leaf} | {CHECKS.get(lie.code, lie.noticed_by)} |"
