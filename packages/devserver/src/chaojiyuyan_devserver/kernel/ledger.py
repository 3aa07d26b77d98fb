"""Balances in whole nc. Money moves between accounts and is never made or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import Refusal
from .records import Account, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ISSUER = "acc_issuer"


class Ledger:
    """The accounts and what moves between them.

    The issuer's account stands for the platform: what it grants makes its own balance negative,
    so the sum over all accounts, held money included, is always zero.
    """

    def __init__(self, on_change: Callable[[Account | Transfer], None]) -> None:
        self._on_change = on_change
        self.accounts: dict[str, Account] = {}

    def restore(self, accounts: Iterable[Account]) -> None:
        """Take over stored accounts."""
        self.accounts = {account.id: account for account in accounts}

    def open(self, account_id: str, name: str) -> Account:
        """Open an account with nothing in it."""
        account = self.accounts[account_id] = Account(account_id, name)
        self._on_change(account)
        return account

    def grant(self, transfer_id: str, at: float, account_id: str, amount_nc: int) -> None:
        """Give an account money from the issuer."""
        issuer = self.accounts.get(ISSUER) or self.open(ISSUER, "Issuer")
        account = self.accounts[account_id]
        issuer.available_nc -= amount_nc
        account.available_nc += amount_nc
        self._note(Transfer(transfer_id, at, "grant", amount_nc, ISSUER, account_id, None))

    def hold(self, transfer_id: str, at: float, account_id: str, amount_nc: int, job: str) -> None:
        """Set a job's price aside.

        Raises:
            Refusal: 402 ``insufficient_balance``.
        """
        account = self.accounts[account_id]
        if account.available_nc < amount_nc:
            raise Refusal(
                402,
                "insufficient_balance",
                f"the job costs {amount_nc} nc, the account has {account.available_nc} nc",
                price_nc=amount_nc,
                balance_nc=account.available_nc,
            )
        account.available_nc -= amount_nc
        account.held_nc += amount_nc
        self._note(Transfer(transfer_id, at, "hold", amount_nc, account_id, account_id, job))

    def release(
        self, transfer_id: str, at: float, account_id: str, amount_nc: int, job: str
    ) -> None:
        """Give held money back."""
        account = self.accounts[account_id]
        account.held_nc -= amount_nc
        account.available_nc += amount_nc
        self._note(Transfer(transfer_id, at, "release", amount_nc, account_id, account_id, job))

    def pay(
        self, transfer_id: str, at: float, payer_id: str, payee_id: str, amount_nc: int, job: str
    ) -> None:
        """Pay held money out to a worker's account."""
        payer, payee = self.accounts[payer_id], self.accounts[payee_id]
        payer.held_nc -= amount_nc
        payee.available_nc += amount_nc
        self._note(Transfer(transfer_id, at, "pay", amount_nc, payer_id, payee_id, job))

    def _note(self, transfer: Transfer) -> None:
        self._on_change(transfer)
        self._on_change(self.accounts[transfer.payer_id])
        if transfer.payee_id != transfer.payer_id:
            self._on_change(self.accounts[transfer.payee_id])
