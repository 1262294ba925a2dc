"""The pages that show: each asks the queries, and fills a template. Forms are sent to `orders_write.pages`.

The two meet in the session, where a form that was refused leaves its input as `drafts`, and in a cookie, where a
command that succeeded leaves the consistency token of what the reader must see next. These pages only read both.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import orjson
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from orders_write.events import Status

from . import queries
from .forms import (
    GROUPINGS,
    STATUSES,
    CatalogueForm,
    DashboardForm,
    OrderListForm,
    RevenueForm,
    first_errors,
)
from .revenue import RECENT_DAYS, recent_days, revenue_of
from .showing import shows

Document = dict[str, Any]

PAGE_SIZE = 25
RECENT_ORDERS = 8
PRODUCTS_FOUND = 12
QUANTITY = re.compile(r"[0-9]{1,9}")
PERIODS = [
    ("today", "Today"),
    ("last_7_days", "7 days"),
    ("last_30_days", "30 days"),
    ("last_day_with_orders", "Last day with orders"),
    ("always", "Since the beginning"),
]
PAYMENT_METHODS = [("card", "Card"), ("transfer", "Bank transfer"), ("cheque", "Cheque")]


@login_required
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Show staff how the shop does, and customers their dashboard."""
    return _shop(request) if request.user.is_staff else _dashboard(request, request.user.pk)


@shows("order_search", "daily_revenue")
def _shop(request: HttpRequest) -> HttpResponse:
    recent = _read(queries.orders, user_id=None, limit=RECENT_ORDERS)["results"]
    context = {"recent": recent, "recent_days": RECENT_DAYS, **revenue_of(*recent_days(_newest_day(recent)))}
    return render(request, "start.html", context)


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show how the reader stands with the shop, or to staff how anybody does."""
    form = DashboardForm(request.GET)
    if not form.is_valid():
        raise Http404("There is no such customer.")
    user_id = form.cleaned_data["user_id"] or request.user.pk
    if _only_user_id(request) not in (None, user_id):
        raise Http404("There is no such customer.")
    return _dashboard(request, user_id)


@shows("order_search", "user_dashboard")
def _dashboard(request: HttpRequest, user_id: Any) -> HttpResponse:
    recent = _read(queries.orders, user_id=user_id, limit=RECENT_ORDERS)["results"]
    totals = _read(queries.user_dashboard, user_id)
    context = {"totals": totals, "recent": recent, "mine": True, "own": user_id == request.user.pk}
    return render(request, "dashboard.html", context)


@login_required
@require_safe
@shows("order_search")
def order_list(request: HttpRequest) -> HttpResponse:
    """Show the orders that match, newest first; all the reader's own, or for staff everybody's."""
    form, after = OrderListForm(request.GET), _cursor(request)
    valid = form.is_valid()
    context = {
        "values": request.GET,
        "errors": first_errors(form),
        "statuses": STATUSES,
        "filtered": bool(valid and form.given()),
        "page": _matching(form, _only_user_id(request), after) if valid else None,
        "after": after,
        "mine": not request.user.is_staff,
    }
    return render(request, "orders/list.html", context)


def _matching(form: OrderListForm, user_id: int | None, after: str | None) -> Document:
    """Ask for a page of orders; words alone also find an order by its number or reference."""
    if form.given().keys() == {"q"}:
        return _read(queries.search, form.cleaned_data["q"], user_id=user_id, after=after, limit=PAGE_SIZE)
    return _read(queries.orders, filters=form.filters(), user_id=user_id, after=after, limit=PAGE_SIZE)


@login_required
@require_safe
@shows("order_details")
def order_page(request: HttpRequest, order_id: int) -> HttpResponse:
    """Show one order; one that cannot be seen yet, right after a command, may still come."""
    text = queries.order_details(order_id, user_id=_only_user_id(request))
    if text is None and request.reading.is_stale:  # type: ignore[attr-defined]
        return render(request, "orders/processing.html", {"order_id": order_id})
    if text is None:
        raise Http404("There is no such order.")
    order = orjson.loads(text)
    context = {
        "order": order,
        "actions": _actions(order, request.user),
        "refused": _refused(request, order_id=str(order_id)),
        "payment_methods": PAYMENT_METHODS,
        "key": uuid4(),
    }
    return render(request, "orders/order.html", context)


def _actions(order: Document, user: Any) -> set[str]:
    """Return what this user can ask for next; the rules themselves stand in the domain and in the permissions."""
    status, is_open = order["status"], Decimal(order["open_amount"]) > 0
    waits = status in (Status.CONFIRMED, Status.PAID)
    anybodys = _may_change_orders(user)
    ours = anybodys or order["user_id"] == str(user.pk)
    offered = {
        "pay": ours and is_open and status != Status.CANCELLED,
        "ship": anybodys and waits and (order["on_credit"] or not is_open),
        "deliver": anybodys and status == Status.SHIPPED,
        "cancel": ours and waits,
    }
    return {action for action, possible in offered.items() if possible}


def _may_change_orders(user: Any) -> bool:
    """Tell whether what needs this permission is shown; what is sent is judged by `orders_write.permissions`."""
    return bool(user.is_staff and user.has_perm("orders_write.change_order"))


def _refused(request: HttpRequest, **about: str) -> Document:
    """Return the draft of the form that was refused just now, as `{form: draft}`."""
    form = request.GET.get("refused", "")
    draft = request.session.get("drafts", {}).get(form, {})
    return {form: draft} if draft and about.items() <= draft.items() else {}


@login_required
@require_safe
@shows("product_catalogue", "order_search", "order_details")
def new_order(request: HttpRequest) -> HttpResponse:
    """Show the order that the reader is putting together, with today's prices."""
    draft = request.session.get("drafts", {}).get("place", {})
    search = CatalogueForm(request.GET)
    q = search.cleaned_data["q"] if search.is_valid() else ""
    refused = "refused" in request.GET
    lines = [line if refused else line | {"error": ""} for line in _priced(draft.get("lines", []))]
    context = {
        "q": q,
        "found": _read(queries.product_catalogue, q=q, limit=PRODUCTS_FOUND)["results"] if q else None,
        "lines": lines,
        "total": sum((line["amount"] for line in lines if line["amount"] is not None), Decimal(0)),
        "values": draft.get("values") or _last_address(request.user.pk),
        "errors": draft.get("errors", {}) if refused else {},
        "for_others": _may_change_orders(request.user),
        "key": uuid4(),
    }
    return render(request, "orders/new.html", context)


def _priced(lines: list[Document]) -> list[Document]:
    """Return the draft's lines with names, today's prices and amounts; none where the catalogue has no such SKU."""
    skus = [line["sku"] for line in lines if "\0" not in line["sku"]]
    if not skus:
        return [_priced_line(line, None) for line in lines]
    answer = _read(queries.product_catalogue, skus=skus, include_retired=True, limit=len(skus))
    products = {product["sku"]: product for product in answer["results"]}
    return [_priced_line(line, products.get(line["sku"])) for line in lines]


def _priced_line(line: Document, product: Document | None) -> Document:
    countable = product is not None and QUANTITY.fullmatch(line["qty"])
    amount = Decimal(product["price"]) * int(line["qty"]) if product and countable else None
    return {**line, "product": product, "amount": amount}


def _last_address(user_id: Any) -> Document:
    """Return where the reader's last order went, to start the next one with."""
    latest = _read(queries.orders, user_id=user_id, limit=1)["results"]
    text = queries.order_details(int(latest[0]["order_id"]), user_id=user_id) if latest else None
    order = orjson.loads(text) if text else {}
    return {**(order.get("customer") or {}), "country": order["country"]} if order else {}


@login_required
@require_safe
@shows("product_catalogue")
def catalogue(request: HttpRequest) -> HttpResponse:
    """Show what can be bought; staff may also see what is no longer sold."""
    form = CatalogueForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {"q": ""}
    retired = request.user.is_staff and asked.get("include_retired", False)
    after = _cursor(request)
    page = _read(
        queries.product_catalogue, q=asked["q"], include_retired=retired, after=after, limit=PAGE_SIZE
    )
    context = {
        "q": asked["q"],
        "retired": retired,
        "page": page,
        "after": after,
        "errors": first_errors(form),
    }
    return render(request, "catalogue.html", context)


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show staff the shop at a glance, with the moment that the figures are of."""
    if not request.user.is_staff:
        raise PermissionDenied("The overview is shown to the shop's staff only.")
    return _overview(request)


@shows("shop_overview")
def _overview(request: HttpRequest) -> HttpResponse:
    found = _read(queries.shop_overview)
    periods = [
        {**found["periods"][name], "label": label} for name, label in PERIODS if name in found["periods"]
    ]
    counts = [{"status": status, "orders": found["orders_by_status"][status]} for status in Status]
    return render(request, "overview.html", {"overview": found, "periods": periods, "counts": counts})


@login_required
@require_safe
def revenue(request: HttpRequest) -> HttpResponse:
    """Show staff what was sold, returned and cancelled: a chart, and a table by day, month, category or country."""
    if not request.user.is_staff:
        raise PermissionDenied("Revenue is shown to the shop's staff only.")
    return _revenue(request)


@shows("order_search", "daily_revenue")
def _revenue(request: HttpRequest) -> HttpResponse:
    form = RevenueForm(request.GET)
    context: Document = {"values": {"by": "day", **request.GET.dict()}, "groupings": GROUPINGS}
    if form.is_valid():
        newest = _read(queries.orders, user_id=None, limit=1)["results"]
        start, end = form.range(*recent_days(_newest_day(newest)))
        context |= revenue_of(start, end, form.cleaned_data["by"])
        context["values"] |= {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "by": form.cleaned_data["by"],
        }
    return render(request, "revenue.html", context | {"errors": first_errors(form)})


def _read(query: Callable[..., str], *question: Any, **conditions: Any) -> Document:
    """Ask a query and read its answer; a cursor that no page gave is a bad request."""
    try:
        answer: Document = orjson.loads(query(*question, **conditions))
    except queries.InvalidQuestion as error:
        raise BadRequest(str(error)) from error
    return answer


def _cursor(request: HttpRequest) -> str | None:
    """Return where a page of a list starts."""
    after = request.GET.get("after")
    if after and not after.isprintable():
        raise BadRequest("This cursor was not given by a page of this list.")
    return after


def _newest_day(orders: list[Document]) -> date:
    """Return the day of the newest order, or today in a shop that never sold."""
    return date.fromisoformat(orders[0]["placed_at"][:10]) if orders else timezone.now().date()


def _only_user_id(request: HttpRequest) -> int | None:
    """Return whose orders the reader may see; None is everybody's, for staff."""
    return None if request.user.is_staff else request.user.pk
