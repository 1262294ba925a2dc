"""`manage.py prepare_torture FOLDER`: make the shop of a torture run; started by `torture`."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from rest_framework.authtoken.models import Token

from orders_write.commands import ListProduct, SetCreditLimit
from orders_write.handlers import handle
from orders_write.models import User
from orders_write.requests import Request
from outbox.publishers import endpoints
from tests.torture import mutations
from tests.torture.schedule import CUSTOMERS, PRODUCTS, STAFF, WORKLOADS
from tests.torture.snapshot import PREPARATION

PARTITIONS = 4
RIGHTS = ("change_order", "change_product", "change_creditaccount", "add_creditnote")


class Command(BaseCommand):
    help = (
        "Make users, products and credit accounts, and write who takes part to cast.json. Part of `torture`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--workload", default="mixed")
        parser.add_argument("--hooks", required=True, help="where webhooks go")

    def handle(self, *args: Any, folder: Path, workload: str, hooks: str, **options: Any) -> None:
        mutations.change_database()
        users = {name: _user(name) for name in (*CUSTOMERS, *STAFF)}
        tokens = {name: Token.objects.create(user=user).key for name, user in users.items()}
        for sku in PRODUCTS:
            pieces = WORKLOADS[workload].pieces
            _do(
                ListProduct(
                    sku=sku, name=sku.title(), category="kitchen", price=Decimal("2.5"), on_hand=pieces
                )
            )
        for name, limit in CUSTOMERS.items():
            if limit is not None:
                _do(SetCreditLimit(user_id=users[name].pk, limit=Decimal(limit)))
        secret = endpoints.add(PREPARATION, "torture", hooks, partitions=PARTITIONS, from_beginning=True)
        cast = {"users": {name: user.pk for name, user in users.items()}, "tokens": tokens, "secret": secret}
        (folder / "cast.json").write_text(json.dumps(cast))


def _user(name: str) -> User:
    is_customer = name in CUSTOMERS
    number = f"N-{name}" if is_customer else None
    user = User.objects.create(username=name, is_staff=not is_customer, customer_number=number)
    if not is_customer:
        user.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS))
    return user


def _do(command: Any) -> None:
    request = Request(command=command, actor=PREPARATION, now=timezone.now(), correlation_id=PREPARATION)
    outcome = handle(request)
    assert outcome.refusal is None, outcome.refusal
