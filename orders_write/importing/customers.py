"""See to it that every customer of an import is a user."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from django.contrib.auth.hashers import make_password

from ..models import User
from .fields import Fields, WrongShape
from .files import BadFile, rows
from .records import CUSTOMER

COLUMNS = ("customer_id", "first_country", "first_seen")
BATCH = 1_000


class NameTaken(Exception):
    """A user name that a customer would get belongs to somebody else."""


def read_customers(path: Path) -> dict[str, datetime]:
    """Read when each customer was first seen; raises BadFile with the line's number."""
    customers: dict[str, datetime] = {}
    for number, row in rows(path, COLUMNS):
        try:
            customer = Fields(row, frozenset(row)).text("customer_id", CUSTOMER)
            customers[customer] = _first_seen(row["first_seen"])
        except WrongShape as error:
            raise BadFile(path, str(error), number) from error
    return customers


def create_customers(customers: Mapping[str, datetime]) -> int:
    """Create the users that are missing, by customer number, and say how many; they cannot log in."""
    missing = customers.keys() - user_ids().keys()
    password = make_password(None)
    users = [
        User(
            username=f"customer-{number}",
            customer_number=number,
            password=password,
            date_joined=customers[number],
        )
        for number in sorted(missing)
    ]
    # Another import may be creating the same customers.
    User.objects.bulk_create(users, batch_size=BATCH, ignore_conflicts=True)
    unmade = customers.keys() - user_ids().keys()
    if unmade:
        raise NameTaken(
            f"The user name customer-{min(unmade)} belongs to somebody who is not customer {min(unmade)}."
        )
    return len(missing)


def user_ids() -> dict[str, int]:
    """Return the users who are customers, by customer number."""
    customers = User.objects.exclude(customer_number=None).values_list("customer_number", "id")
    return {number: user_id for number, user_id in customers if number is not None}


def _first_seen(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongShape("first_seen must be a time, such as 2010-12-01 08:26:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
