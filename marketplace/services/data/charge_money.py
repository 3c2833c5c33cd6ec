"""Who pays and who is paid by a contract: its signed text, and the accounts of its parties."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.queries import get_units
from ledger.queries.accounts import find_accounts
from ledger.services import open_accounts
from marketplace.domain.data.charges import AccountPart, Held, escrow_path, hold_key
from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.shares import split
from marketplace.errors import N_, WalletCurrencyDiffers, WalletMissing
from marketplace.models import DataCharge, DataContract, Participant
from marketplace.services.places import money_unit


@dataclass(frozen=True)
class ContractMoney:
    """A contract's text, and the ledger accounts of those it names.

    Attributes
    ----------
    wallets : mapping of int to int
        Ledger account by participant: the buyer's, the seller's, and of those with a share.
    escrow : int
        Ledger account; 0 until a contract of money in its currency was agreed on.
    """

    text: ContractText
    escrow: int
    wallets: Mapping[int, int]

    def held(self, charge: DataCharge) -> Held:
        """Return the hold that a charge stands on."""
        buyer = self.wallets[self.text.buyer.participant_id]
        key = hold_key(charge.id, charge.attempt)
        return Held(key, buyer, self.escrow, charge.held_micro)

    def parts(self, charge: DataCharge) -> tuple[AccountPart, ...]:
        """Return who is paid what for what was delivered, credits taken off."""
        net = charge.due_micro - charge.credit_micro
        seller_id = self.text.seller.participant_id
        return tuple(
            AccountPart(part.participant_id, part.micro, self.wallets[part.participant_id])
            for part in split(net, self.text.shares, seller_id=seller_id)
        )


def money_of(contracts: Iterable[DataContract]) -> dict[int, ContractMoney]:
    """Return the money side of contracts by id; wallets that are missing are left out."""
    texts = {each.id: ContractText.read(bytes(each.body)) for each in contracts}
    ids = {id_ for text in texts.values() for id_ in participants_of(text)}
    wallets = {
        id_: account
        for id_, account in Participant.objects.filter(id__in=ids).values_list(
            "id", "wallet_account_id"
        )
        if account is not None
    }
    paths = {escrow_path(text.currency) for text in texts.values()}
    escrow = find_accounts(paths=paths)
    return {
        id_: ContractMoney(
            text,
            escrow.get(escrow_path(text.currency), 0),
            {each: wallets[each] for each in participants_of(text) if each in wallets},
        )
        for id_, text in texts.items()
    }


def participants_of(text: ContractText) -> tuple[int, ...]:
    """Return everybody whose wallet a contract needs: buyer, seller, those with a share."""
    sharers = (share.participant_id for share in text.shares)
    return (text.buyer.participant_id, text.seller.participant_id, *sharers)


def check_wallets(money: ContractMoney) -> None:
    """Refuse a contract of money whose parties could not pay or be paid.

    Raises
    ------
    WalletMissing, WalletCurrencyDiffers
        If one of them has no wallet, or one in another currency.
    """
    if set(participants_of(money.text)) - set(money.wallets):
        raise WalletMissing(
            N_("The buyer, the provider or somebody with a share has no wallet; open one first.")
        )
    unit = money_unit(money.text.currency)
    units = get_units(account_ids=money.wallets.values())
    if any(each != unit for each in units.values()):
        raise WalletCurrencyDiffers(
            N_("A wallet of the parties is not in {currency}."), currency=money.text.currency
        )


def open_escrow(currency: str) -> None:
    """Open the escrow account of a currency, unless it is open: it can never be overdrawn."""
    open_accounts(paths=[escrow_path(currency)], unit=money_unit(currency), overdraft_limit=0)
