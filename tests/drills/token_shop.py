"""Who takes part in the drill of tokens: each pair of customer and clerk has a product and a country of its own.

Django must have been set up; says who they are as JSON.
"""

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Permission
from rest_framework.authtoken.models import Token

from orders_write.commands import ListProduct
from orders_write.handlers import handle
from orders_write.models import User
from orders_write.requests import Request


def main(clients: int) -> None:
    """Make them."""
    sys.stdout.write(json.dumps([_client(number) for number in range(clients)]))


def _client(number: int) -> dict[str, Any]:
    name = f"{number}-{uuid4().hex[:6]}"
    customer = User.objects.create(username=f"customer {name}", customer_number=name)
    clerk = User.objects.create(username=f"clerk {name}", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="change_product"))
    product = ListProduct(
        sku=f"sku-{name}", name=f"Product {name}", category="drill", price=Decimal("2.5"), on_hand=10**7
    )
    handle(Request(command=product, actor="drill", now=datetime.now(UTC)))
    return {
        "customer": Token.objects.create(user=customer).key,
        "clerk": Token.objects.create(user=clerk).key,
        "sku": product.sku,
        "country": f"Land {number}",
    }
