"""Which of the staff may run which commands: one rule for the API, the pages and the admin.

Reading as staff asks for `is_staff` alone; a command asks for Django's permission of its aggregate too.
"""

from collections.abc import Callable
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


def may_change_orders(user: Any) -> bool:
    """Tell whether a user ships and delivers, and orders, pays and cancels for others."""
    return _may(user, "change_order")


def may_change_products(user: Any) -> bool:
    """Tell whether a user lists, reprices, restocks and retires products."""
    return _may(user, "change_product")


def may_change_credit_limits(user: Any) -> bool:
    """Tell whether a user says what customers may owe."""
    return _may(user, "change_creditaccount")


def may_record_credit_notes(user: Any) -> bool:
    """Tell whether a user gives money back."""
    return _may(user, "add_creditnote")


def _may(user: Any, permission: str) -> bool:
    return bool(user.is_staff and user.has_perm(f"orders_write.{permission}"))


class _Asks(BasePermission):
    """Lets in whom a rule lets in."""

    rule: Callable[[Any], bool]

    def has_permission(self, request: Request, view: Any) -> bool:
        """Ask the rule about the request's user."""
        return self.rule(request.user)


class MayChangeOrders(_Asks):
    """Lets in who may change anybody's order."""

    rule = staticmethod(may_change_orders)


class MayChangeProducts(_Asks):
    """Lets in who may change the catalogue."""

    rule = staticmethod(may_change_products)


class MayChangeCreditLimits(_Asks):
    """Lets in who may set credit limits."""

    rule = staticmethod(may_change_credit_limits)


class MayRecordCreditNotes(_Asks):
    """Lets in who may give money back."""

    rule = staticmethod(may_record_credit_notes)
