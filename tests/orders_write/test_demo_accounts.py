"""The demo accounts: who they are, and where they must not be."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from rest_framework.authtoken.models import Token

from orders_write.models import CreditAccount, User
from tests.clients import COMMANDS

pytestmark = pytest.mark.usefixtures("database")


def create(**options: Any) -> str:
    output = StringIO()
    call_command("create_demo_accounts", stdout=output, **options)
    return output.getvalue()


def test_everybody_can_log_in_with_what_is_printed() -> None:
    for line in create().splitlines()[1:]:
        username, password = line.split()[:2]
        user = authenticate(username=username, password=password)
        assert user is not None
        assert Token.objects.get(key=line.split()[-1]).user == user


def test_there_are_two_of_staff_and_two_customers_of_whom_one_has_credit() -> None:
    create()

    assert User.objects.filter(is_staff=True).count() == 2
    assert User.objects.get(username="admin").is_superuser
    clerk = User.objects.get(username="clerk")
    assert clerk.has_perms(f"orders_write.{name}" for name in (*COMMANDS, "view_order", "trusted_source"))
    assert not clerk.has_perm("orders_write.change_user")
    assert User.objects.filter(customer_number__isnull=False).count() == 2
    assert CreditAccount.objects.get().user.username == "wholesaler"


def test_repeating_it_changes_nothing() -> None:
    first = create()

    assert create() == first
    assert User.objects.count() == 4


def test_a_password_that_was_changed_is_left_alone() -> None:
    create()
    clerk = User.objects.get(username="clerk")
    clerk.set_password("another one")
    clerk.save()

    assert "(changed)" in create()
    assert authenticate(username="clerk", password="another one") is not None


def test_an_imported_customer_becomes_a_demo_account() -> None:
    imported = User(username="customer-17850", customer_number="17850")
    imported.set_unusable_password()
    imported.save()

    create()

    assert User.objects.get(username="customer") == imported


def test_two_users_for_one_account_are_an_error() -> None:
    User.objects.create(username="customer")
    User.objects.create(username="customer-17850", customer_number="17850")

    with pytest.raises(CommandError, match="two different users"):
        create()


def test_a_site_that_is_served_to_others_gets_none(settings: Any) -> None:
    settings.HTTPS, settings.DEBUG = True, False

    with pytest.raises(CommandError, match="passwords that everybody knows"):
        create()
    assert not User.objects.exists()
    assert "admin" in create(force=True)
