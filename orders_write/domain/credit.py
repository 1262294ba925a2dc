"""A credit account: what a customer may owe, and what they do owe."""

from dataclasses import dataclass, replace
from decimal import Decimal

from ..commands import SetCreditLimit
from ..events import CreditLimitSet
from ..exceptions import CreditExceeded, CreditLimitBelowUse, CreditLimitNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAccount:
    """`used` is the sum that the customer's orders hold; an account not yet opened has version 0."""

    user_id: int
    limit: Decimal
    used: Decimal
    version: int


def unopened(user_id: int) -> CreditAccount:
    """Return the account of a customer who has none yet."""
    return CreditAccount(user_id=user_id, limit=Decimal(0), used=Decimal(0), version=0)


def decide(account: CreditAccount, command: SetCreditLimit) -> CreditLimitSet:
    """Decide on a new limit."""
    if command.limit < 0:
        raise CreditLimitNegative(limit=command.limit)
    if command.limit < account.used:
        raise CreditLimitBelowUse(limit=command.limit, used=account.used)
    return CreditLimitSet(
        user_id=account.user_id, limit=command.limit, previous_limit=account.limit, used=account.used
    )


def evolve(account: CreditAccount, event: CreditLimitSet) -> CreditAccount:
    """Return the account after a new limit was set."""
    return replace(account, limit=event.limit, version=account.version + 1)


def hold(account: CreditAccount, amount: Decimal) -> CreditAccount:
    """Return the account after an order's hold changed by `amount`; refuse to pass the limit."""
    used = account.used + amount
    if amount > 0 and used > account.limit:
        raise CreditExceeded(limit=account.limit, used=account.used, amount=amount)
    return replace(account, used=used)
