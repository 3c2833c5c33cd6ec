"""What a transfer of the book was for, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ledger.queries import TransferLine
from marketplace.domain.transfer_codes import TransferCode
from marketplace.queries.pages import Place

REASONS = {
    TransferCode.POOL_PURCHASE: gettext_lazy("Bought from neighbours, platform fee included"),
    TransferCode.POOL_SALE: gettext_lazy("Sold to neighbours"),
    TransferCode.GRID_PURCHASE: gettext_lazy("Bought from the grid"),
    TransferCode.GRID_SALE: gettext_lazy("Sold to the grid"),
    TransferCode.PLATFORM_FEE: gettext_lazy("Platform fee"),
    TransferCode.ROUNDING: gettext_lazy("Rounding"),
    TransferCode.AGREED_PURCHASE: gettext_lazy("Bought by agreement"),
    TransferCode.GRID_FEE: gettext_lazy("Grid fee"),
    TransferCode.LINK_FEE: gettext_lazy("Fees of links between zones"),
    TransferCode.DATA_PURCHASE: gettext_lazy("Data"),
    TransferCode.CONGESTION_RENT: gettext_lazy("Congestion rent"),
    TransferCode.DEVIATION_DUE: gettext_lazy("Paid for a deviation"),
    TransferCode.DEVIATION_RECEIVED: gettext_lazy("Received for a deviation"),
    TransferCode.SHORTFALL: gettext_lazy("Sold ahead and not delivered"),
    TransferCode.NOT_TAKEN: gettext_lazy("Bought ahead and not taken"),
    TransferCode.DEPOSIT: gettext_lazy("Deposit"),
    TransferCode.CREDIT_LINE: gettext_lazy("Credit line"),
    TransferCode.MARGIN: gettext_lazy("Margin of orders"),
    TransferCode.CERTIFICATE_ISSUE: gettext_lazy("Certificates issued"),
    TransferCode.CERTIFICATE_TRADE: gettext_lazy("Certificates that moved with a trade"),
    TransferCode.CERTIFICATE_TRANSFER: gettext_lazy("Certificates handed over"),
    TransferCode.CERTIFICATE_CANCELLATION: gettext_lazy("Certificates cancelled"),
    TransferCode.CERTIFICATE_WITHDRAWAL: gettext_lazy("Certificates withdrawn"),
    TransferCode.CERTIFICATE_RETURN: gettext_lazy("Certificates returned by a correction"),
    TransferCode.DATA_ESCROW: gettext_lazy("Data, until its dispute window ends"),
    TransferCode.DATA_SALE: gettext_lazy("Data sold"),
    TransferCode.DATA_SHARE: gettext_lazy("Share in data sold"),
    TransferCode.DATA_REFUND: gettext_lazy("Refund for data"),
    TransferCode.PRIVACY_GRANT: gettext_lazy("Privacy budget granted"),
    TransferCode.PRIVACY_QUERY: gettext_lazy("Privacy budget used by a question"),
}


@dataclass(frozen=True)
class WordedTransfer:
    """A transfer with its reason and the other side in words."""

    line: TransferLine
    reason: str
    counterparty: str
    revision: int


def worded_transfers(lines: Sequence[TransferLine], place: Place) -> list[WordedTransfer]:
    """Return transfers of interval settlements in words."""
    names = {
        place.pool_account_id: _("Community pool"),
        place.supplier_account_id: _("Supplier"),
        place.platform_account_id: _("Platform"),
        place.rounding_account_id: _("Rounding"),
        place.grid_account_id: _("Grid operator"),
    }
    return [
        WordedTransfer(
            line=line,
            reason=str(REASONS[TransferCode(line.code)]),
            counterparty=names.get(line.counterparty_account_id, _("Another member")),
            revision=int(line.command_key.rpartition(":")[2]),
        )
        for line in lines
    ]
