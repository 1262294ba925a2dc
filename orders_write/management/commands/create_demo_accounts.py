"""`manage.py create_demo_accounts`: somebody to log in as."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone
from rest_framework.authtoken.models import Token

from orders_write.commands import SetCreditLimit
from orders_write.handlers import handle
from orders_write.models import CreditAccount, User
from orders_write.requests import Request

ACTOR = "command:create_demo_accounts"

# Look at everything of the shop and run its commands; users stay the superuser's, or a clerk could become one.
CLERKS_MAY = Q(content_type__app_label__in=("orders_write", "orders_read", "outbox")) & (
    Q(codename__startswith="view_")
    | Q(
        codename__in=(
            "change_order",
            "change_product",
            "change_creditaccount",
            "add_creditnote",
            "trusted_source",
        )
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as it should be. A customer number of the sample makes its year of orders visible to the account."""

    username: str
    role: str
    is_staff: bool = False
    is_superuser: bool = False
    customer_number: str | None = None
    credit_limit: Decimal | None = None

    @property
    def password(self) -> str:
        return f"{self.username}-demo"


ACCOUNTS = (
    Account(username="admin", role="superuser", is_staff=True, is_superuser=True),
    Account(username="clerk", role="staff", is_staff=True),
    Account(username="customer", role="pays before shipping", customer_number="17850"),
    Account(
        username="wholesaler", role="buys on credit", customer_number="demo-1", credit_limit=Decimal(5000)
    ),
)


class Command(BaseCommand):
    help = (
        "Create the demo accounts: two of staff, two customers. Their passwords are known to everybody, so this is "
        "refused where the site is served over HTTPS, unless DEBUG is on. Repeating it changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="create them in spite of HTTPS")

    def handle(self, *args: Any, force: bool, **options: Any) -> None:
        if settings.HTTPS and not settings.DEBUG and not force:
            raise CommandError(
                "Demo accounts have passwords that everybody knows; --force creates them here too."
            )
        self.stdout.write(f"{'login':<12}{'password':<18}{'what it is':<22}API token")
        for account in ACCOUNTS:
            user = _create(account)
            password = account.password if user.check_password(account.password) else "(changed)"
            token, _ = Token.objects.get_or_create(user=user)
            self.stdout.write(f"{account.username:<12}{password:<18}{account.role:<22}{token.key}")


def _create(account: Account) -> User:
    user = _existing(account) or User()
    if user.pk is None or not user.has_usable_password():
        user.set_password(account.password)
    user.username = account.username
    user.customer_number = account.customer_number
    user.is_staff, user.is_superuser = account.is_staff, account.is_superuser
    user.save()
    if account.is_staff and not account.is_superuser:
        user.user_permissions.set(Permission.objects.filter(CLERKS_MAY))
    if account.credit_limit is not None:
        _open_credit(user, account.credit_limit)
    return user


def _existing(account: Account) -> User | None:
    """Find the account by its name, or by its customer number: the importer may have created it."""
    by_number = Q(customer_number=account.customer_number) if account.customer_number else Q(pk=None)
    found = User.objects.filter(Q(username=account.username) | by_number)
    if len(found) > 1:
        raise CommandError(
            f"The names {account.username} and {account.customer_number} belong to two different users."
        )
    return found[0] if found else None


def _open_credit(user: User, limit: Decimal) -> None:
    if not CreditAccount.objects.filter(user=user).exists():
        handle(Request(command=SetCreditLimit(user_id=user.pk, limit=limit), actor=ACTOR, now=timezone.now()))
