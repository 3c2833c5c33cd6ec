"""Who may trade data: sellers and buyers by role, never the one who runs the hall.

The database holds the same lists (migration 0020): a row that names an operator or a household as
seller or buyer is refused there too, whoever writes it.
"""

from typing import Final

from marketplace.errors import N_, RoleNotAllowed

SELLERS: Final = frozenset({"data_provider", "enterprise"})
BUYERS: Final = frozenset({"enterprise", "planner", "data_provider"})
# Households may have a share of what their data brings; the operator earns nothing by it.
SHARERS: Final = SELLERS | BUYERS | {"household"}


def may_sell(role: str) -> bool:
    """Tell whether participants of a role may offer data."""
    return role in SELLERS


def may_buy(role: str) -> bool:
    """Tell whether participants of a role may ask for data and buy it."""
    return role in BUYERS


def check_may_sell(role: str) -> None:
    """Refuse a seller of another role; raises `RoleNotAllowed`."""
    if not may_sell(role):
        raise RoleNotAllowed(N_("Data is offered by data providers and enterprises alone."))


def check_may_buy(role: str) -> None:
    """Refuse a buyer of another role; raises `RoleNotAllowed`."""
    if not may_buy(role):
        raise RoleNotAllowed(
            N_("Data is bought by enterprises, city planners and data providers alone.")
        )


def check_may_share(role: str) -> None:
    """Refuse to share what data brings with the operator; raises `RoleNotAllowed`."""
    if role not in SHARERS:
        raise RoleNotAllowed(N_("The operator of the hall has no share in what data brings."))


def check_two(seller_id: int, buyer_id: int) -> None:
    """Refuse a purchase from oneself; raises `RoleNotAllowed`."""
    if seller_id == buyer_id:
        raise RoleNotAllowed(N_("Nobody buys from themselves."))
