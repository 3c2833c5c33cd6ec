"""The ledger commands of a privacy budget: granted once, taken by each question, never overdrawn.

A budget is an account in micro-epsilon whose overdraft limit is zero: the ledger itself refuses the
question that would pass it. For pure differential privacy losses add up, so that sums are all it
takes. Every question takes from two budgets at once: from the product's, over all buyers, since
they may compare what they were told; and from its contract's.
"""

from typing import Final

import numpy as np

from ledger.domain.commands import Command, TransferKind, Transfers
from marketplace.domain.transfer_codes import TransferCode

UNIT: Final = "EPS/6"
ISSUE_PATH: Final = "privacy:issue"
SPENT_PATH: Final = "privacy:spent"


def product_path(product_id: int) -> str:
    """Return the path of the account with what is left of a product's budget."""
    return f"privacy:product:{product_id}"


def contract_path(contract_id: int) -> str:
    """Return the path of the account with what is left of a contract's budget."""
    return f"privacy:contract:{contract_id}"


def query_key(query_id: int) -> str:
    """Return the key of the command that takes a question's price from both budgets."""
    return f"privacy-query:{query_id}"


def grant_key(path: str) -> str:
    """Return the key of the command that grants a budget."""
    return f"privacy-grant:{path}"


def grant_command(path: str, *, issue: int, budget: int, micro_epsilon: int) -> Command:
    """Grant a budget; the same path again is the same command."""
    return Command.of(
        grant_key(path),
        Transfers(
            debit=np.array([issue]),
            credit=np.array([budget]),
            amount=np.array([micro_epsilon]),
            code=np.array([TransferCode.PRIVACY_GRANT], dtype=np.int64),
        ),
    )


def query_command(
    query_id: int, *, product: int, contract: int, spent: int, micro_epsilon: int
) -> Command:
    """Take the price of a question from both budgets, or be refused and take nothing.

    It is taken before anything is drawn and never given back: an answer that is lost on the way
    costs a little, one that was seen for nothing would cost privacy.
    """
    return Command.of(
        query_key(query_id),
        Transfers(
            debit=np.array([product, contract]),
            credit=np.array([spent, spent]),
            amount=np.array([micro_epsilon, micro_epsilon]),
            code=np.full(2, TransferCode.PRIVACY_QUERY, dtype=np.int64),
            kind=np.full(2, TransferKind.POSTED, dtype=np.int64),
            holds=["", ""],
        ),
    )
