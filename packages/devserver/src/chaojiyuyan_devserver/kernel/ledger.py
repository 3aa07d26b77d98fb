"""Balances in whole nc. Money moves between accounts; none is created or lost."""

from collections.abc import Callable, Iterable

from .errors import Refusal
from .records import Account, Job, Transfer

ISSUER = "acc_issuer"


class Ledger:
    """The accounts and the transfers between them.

    The issuer's account represents the platform. Its grants make its balance negative, so the sum
    over all accounts, including held money, is always zero.

    Args:
        on_change: Called with every record that changed.
    """

    def __init__(self, on_change: Callable[[Account | Transfer], None]) -> None:
        self._on_change = on_change
        self.accounts: dict[str, Account] = {}

    def restore(self, accounts: Iterable[Account]) -> None:
        """Add stored accounts."""
        self.accounts = {account.id: account for account in accounts}

    def open(self, account_id: str, name: str) -> Account:
        """Open an account with a balance of 0."""
        account = self.accounts[account_id] = Account(account_id, name)
        self._on_change(account)
        return account

    def require(self, account_id: str) -> Account:
        """Return an account by its id.

        Raises:
            Refusal: 404 ``account_not_found``.
        """
        account = self.accounts.get(account_id)
        if account is None:
            raise Refusal(404, "account_not_found", "There is no such account.")
        return account

    def grant(self, account_id: str, amount_nc: int, at: float) -> None:
        """Transfer money from the issuer to an account."""
        issuer = self.accounts.get(ISSUER) or self.open(ISSUER, "Issuer")
        account = self.accounts[account_id]
        issuer.available_nc -= amount_nc
        account.available_nc += amount_nc
        self._note(Transfer(at, "grant", amount_nc, ISSUER, account_id, None))

    def hold(self, job: Job, at: float) -> None:
        """Hold a job's price.

        Raises:
            Refusal: 402 ``insufficient_balance``.
        """
        account, price = self.accounts[job.account_id], job.price_nc
        if account.available_nc < price:
            raise Refusal(
                402,
                "insufficient_balance",
                f"The job costs {price} nc; the account has {account.available_nc} nc.",
                price_nc=price,
                balance_nc=account.available_nc,
            )
        account.available_nc -= price
        account.held_nc += price
        self._note(Transfer(at, "hold", price, account.id, account.id, job.number))

    def release(self, job: Job, at: float) -> None:
        """Return a job's held price to its caller."""
        account, price = self.accounts[job.account_id], job.price_nc
        account.held_nc -= price
        account.available_nc += price
        self._note(Transfer(at, "release", price, account.id, account.id, job.number))

    def pay(self, job: Job, payee_id: str, at: float) -> None:
        """Pay a job's held price to a worker's account."""
        payer, payee, price = self.accounts[job.account_id], self.accounts[payee_id], job.price_nc
        payer.held_nc -= price
        payee.available_nc += price
        self._note(Transfer(at, "pay", price, payer.id, payee.id, job.number))

    def _note(self, transfer: Transfer) -> None:
        self._on_change(transfer)
        self._on_change(self.accounts[transfer.payer_id])
        if transfer.payee_id != transfer.payer_id:
            self._on_change(self.accounts[transfer.payee_id])
