"""The admin: rows of the write side to look at. What changes them are commands through the handlers, as everywhere.

Nothing can be added, edited or deleted here but users. An action asks for what its command needs, runs one command per
chosen row, and tells what was refused.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.contrib.auth.admin import UserAdmin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join

from .admin_actions import cancel, deliver, reprice, restock, retire, set_limit, ship
from .models import CreditAccount, CreditNote, Order, Payment, Product, User
from .permissions import may_change_credit_limits, may_change_orders, may_change_products

COUNTED_AT_MOST = 10_000
RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class ShortCountPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than anybody pages, so that a list of millions opens at once."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, or the most that are counted."""
        rows: QuerySet[Any] = self.object_list[:COUNTED_AT_MOST]  # type: ignore[assignment]
        return rows.count()


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at; whoever may run their commands does nothing else to them."""

    paginator = ShortCountPaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Add nothing: a row comes from a command."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Edit nothing: a row changes together with an event."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Delete nothing: the log knows it anyway."""
        return False


@admin.register(User)
class ShopUserAdmin(UserAdmin):  # type: ignore[type-arg]
    """Users as Django has them, with the customer number. Only a superuser gives rights."""

    list_display = ("username", "customer_number", "email", "is_staff", "is_active")
    search_fields = ("username", "customer_number", "email", "first_name", "last_name")
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Shop", {"fields": ("customer_number",)}))
    add_fieldsets = (*UserAdmin.add_fieldsets, ("Shop", {"fields": ("customer_number",)}))
    actions = (set_limit,)
    paginator = ShortCountPaginator
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Let nobody give rights that they could then use."""
        fixed = tuple(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else (*fixed, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Edit nobody who may do more than oneself: setting their password would be a way to it."""
        return super().has_change_permission(request, obj) and not _may_do_more(obj, request.user)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Delete nobody who may do more than oneself."""
        return super().has_delete_permission(request, obj) and not _may_do_more(obj, request.user)

    def has_command_permission(self, request: HttpRequest) -> bool:
        """Tell the action whether this user may set credit limits."""
        return may_change_credit_limits(request.user)


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders with their items and payments."""

    list_display = (
        "order_id",
        "reference",
        "status",
        "user",
        "total",
        "paid",
        "returned",
        "ship_country",
        "created_at",
    )
    list_filter = ("status", "on_credit", "created_at")
    search_fields = ("=order_id", "=reference", "=user__customer_number")
    search_help_text = "An order's number, its reference or its customer's number"
    list_select_related = ("user",)
    ordering = ("-order_id",)
    fields = (
        ("order_id", "version"),
        ("source", "reference"),
        ("user", "on_credit"),
        ("status", "created_at"),
        ("total", "paid", "returned", "currency"),
        ("ship_name", "ship_email"),
        ("ship_street", "ship_postcode", "ship_city", "ship_country"),
        "items_sold",
        "payments_made",
    )
    readonly_fields = ("items_sold", "payments_made")
    actions = (ship, deliver, cancel)

    def has_command_permission(self, request: HttpRequest) -> bool:
        """Tell the actions whether this user may change orders."""
        return may_change_orders(request.user)

    @admin.display(description="Items")
    def items_sold(self, order: Order) -> str:
        """Show the items, whose composite key no inline can handle."""
        items = order.items.select_related("product").order_by("line_no")
        head = ("Line", "SKU", "Product", "Qty", "Price", "Returned")
        rows = [(i.line_no, i.product.sku, i.product.name, i.qty, i.price, i.returned_qty) for i in items]
        return _table(head, rows)

    @admin.display(description="Payments")
    def payments_made(self, order: Order) -> str:
        """Show what came in and what was refunded."""
        payments = order.payments.order_by("payment_id")
        head = ("Kind", "Amount", "Reference", "Method", "At")
        return _table(head, [(p.kind, p.amount, p.reference, p.method, p.created_at) for p in payments])


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    """Products with their stock."""

    list_display = ("sku", "name", "category", "price", "on_hand", "reserved", "retired")
    list_filter = ("retired",)
    search_fields = ("=sku", "name")
    search_help_text = "A SKU, or words of the name"
    list_select_related = ("stock",)
    ordering = ("sku",)
    readonly_fields = ("on_hand", "reserved")
    actions = (reprice, restock, retire)

    def has_command_permission(self, request: HttpRequest) -> bool:
        """Tell the actions whether this user may change products."""
        return may_change_products(request.user)

    @admin.display(ordering="stock__on_hand")
    def on_hand(self, product: Product) -> int:
        """Show what lies in the warehouse."""
        return product.stock.on_hand

    @admin.display(ordering="stock__reserved")
    def reserved(self, product: Product) -> int:
        """Show what is promised to orders that have not left."""
        return product.stock.reserved


@admin.register(CreditAccount)
class CreditAccountAdmin(ReadOnlyAdmin):
    """Who buys on credit; the limit is set by an action on the users."""

    list_display = ("user", "limit", "used", "version")
    search_fields = ("=user__customer_number", "=user__username")
    search_help_text = "A customer's number or name"
    list_select_related = ("user",)
    ordering = ("user_id",)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Money that came in or went back."""

    list_display = ("payment_id", "order_id", "kind", "amount", "reference", "method", "created_at")
    list_filter = ("kind", "created_at")
    search_fields = ("=reference", "=order__order_id")
    search_help_text = "A payment's reference, or an order's number"
    ordering = ("-payment_id",)


@admin.register(CreditNote)
class CreditNoteAdmin(ReadOnlyAdmin):
    """Credit notes with their lines."""

    list_display = ("credit_note_id", "reference", "user", "total", "country", "reason", "created_at")
    list_filter = ("created_at",)
    search_fields = ("=credit_note_id", "=reference", "=user__customer_number")
    search_help_text = "A credit note's number, its reference or its customer's number"
    list_select_related = ("user",)
    ordering = ("-credit_note_id",)
    readonly_fields = ("credited_lines",)

    @admin.display(description="Lines")
    def credited_lines(self, note: CreditNote) -> str:
        """Show the lines, whose composite key no inline can handle."""
        head = ("Line", "SKU", "Qty", "Price", "Order", "Order line")
        lines = note.lines.order_by("line_no")
        rows = [(x.line_no, x.sku, x.qty, x.price, x.order_id, x.order_line_no) for x in lines]
        return _table(head, rows)


def _may_do_more(somebody: User | None, user: Any) -> bool:
    if somebody is None or user.is_superuser:
        return False
    # As if active: who is not has no permissions now, but would have them again.
    active = User(pk=somebody.pk, is_active=True)
    return somebody.is_superuser or not active.get_all_permissions() <= user.get_all_permissions()


def _table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    """Print rows as a table; a dash for none."""
    if not rows:
        return "–"
    cells = format_html_join("", "<th>{}</th>", ((name,) for name in head))
    lines = format_html_join(
        "",
        "<tr>{}</tr>",
        (
            (format_html_join("", "<td>{}</td>", ((display_for_value(cell, "–"),) for cell in row)),)
            for row in rows
        ),
    )
    return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", cells, lines)
