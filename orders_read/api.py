"""The questions over HTTP: each view reads parameters, asks one query and hands on the JSON that it answered."""

import orjson
from django.http import HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request

from . import queries, schemas
from .filters import (
    CatalogueParameters,
    OrderParameters,
    ProductSalesParameters,
    RevenueParameters,
    SearchParameters,
)
from .parameter_fields import LARGEST_ID
from .parameters import DashboardParameters, NoParameters, described
from .question_view import NothingThere, QuestionView

# Answers are for the one who asked, and may be kept as long as they are asked for again.
HEADERS = {"Cache-Control": "private, no-cache"}


class Orders(QuestionView):
    """Orders."""

    read_models = ("order_search",)

    @extend_schema(
        operation_id="orders",
        tags=["orders"],
        parameters=described(OrderParameters),
        responses=schemas.OrderPage,
    )
    def get(self, request: Request) -> HttpResponse:
        """List orders, newest first: your own, or as staff all."""
        question = OrderParameters.question(request.query_params)
        return _answer(queries.orders(user_id=_only_user_id(request), **question))


class Order(QuestionView):
    """One order."""

    read_models = ("order_details",)

    @extend_schema(
        operation_id="order",
        tags=["orders"],
        parameters=[OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER)],
        responses={200: schemas.Order, 304: None},
    )
    def get(self, request: Request, order_id: int) -> HttpResponse:
        """Show an order with its timeline. Anybody else's does not exist for a customer."""
        NoParameters.question(request.query_params)
        text = (
            queries.order_details(order_id, user_id=_only_user_id(request))
            if order_id <= LARGEST_ID
            else None
        )
        if text is None:
            raise NothingThere("There is no such order.", order_id=order_id)
        etag = f'"v{orjson.loads(text)["version"]}"'
        headers = {**HEADERS, "ETag": etag}
        if {etag, f"W/{etag}", "*"} & {*parse_etags(request.headers.get("If-None-Match", ""))}:
            return HttpResponseNotModified(headers=headers)
        return _answer(text, headers)


class Search(QuestionView):
    """Orders that hold words."""

    read_models = ("order_search",)

    @extend_schema(
        operation_id="search",
        tags=["orders"],
        parameters=described(SearchParameters),
        responses=schemas.OrderPage,
    )
    def get(self, request: Request) -> HttpResponse:
        """Find orders by words, id or reference: your own, or as staff all."""
        question = SearchParameters.question(request.query_params)
        return _answer(queries.search(user_id=_only_user_id(request), **question))


class Dashboard(QuestionView):
    """How a customer stands with the shop."""

    read_models = ("user_dashboard",)

    @extend_schema(
        operation_id="dashboard",
        tags=["customers"],
        parameters=described(DashboardParameters),
        responses=schemas.Dashboard,
    )
    def get(self, request: Request) -> HttpResponse:
        """Show your own dashboard, or as staff anybody's."""
        own = request.user.pk
        assert own is not None
        user_id: int = DashboardParameters.question(request.query_params).get("user_id", own)
        if _only_user_id(request) not in (None, user_id):
            raise NothingThere("There is no such customer.", user_id=user_id)
        return _answer(queries.user_dashboard(user_id))


class DailyRevenue(QuestionView):
    """What the shop earned."""

    read_models = ("daily_revenue",)
    permission_classes = [IsAdminUser]

    @extend_schema(
        operation_id="daily_revenue",
        tags=["analytics"],
        parameters=described(RevenueParameters),
        responses=schemas.Revenue,
    )
    def get(self, request: Request) -> HttpResponse:
        """Show revenue by day, month, category or country. Staff only."""
        return _answer(queries.daily_revenue(**RevenueParameters.question(request.query_params)))


class ProductSales(QuestionView):
    """What products sold."""

    read_models = ("product_sales",)
    permission_classes = [IsAdminUser]

    @extend_schema(
        operation_id="product_sales",
        tags=["analytics"],
        parameters=described(ProductSalesParameters),
        responses=schemas.ProductSalesPage,
    )
    def get(self, request: Request) -> HttpResponse:
        """List what products sold, the greatest first. Staff only."""
        return _answer(queries.product_sales(**ProductSalesParameters.question(request.query_params)))


class ShopOverview(QuestionView):
    """The shop at a glance: as new as its last refresh."""

    read_models = ("shop_overview",)
    permission_classes = [IsAdminUser]

    @extend_schema(operation_id="shop_overview", tags=["analytics"], responses=schemas.ShopOverview)
    def get(self, request: Request) -> HttpResponse:
        """Show orders and revenue of today, 7 and 30 days, by status, the best customers and products. Staff only."""
        NoParameters.question(request.query_params)
        return _answer(queries.shop_overview())


class Products(QuestionView):
    """The catalogue."""

    read_models = ("product_catalogue",)

    @extend_schema(
        operation_id="products",
        tags=["products"],
        parameters=described(CatalogueParameters),
        responses=schemas.ProductPage,
    )
    def get(self, request: Request) -> HttpResponse:
        """List what can be bought, by SKU."""
        return _answer(queries.product_catalogue(**CatalogueParameters.question(request.query_params)))


class Product(QuestionView):
    """One product."""

    read_models = ("product_catalogue",)

    @extend_schema(operation_id="product", tags=["products"], responses=schemas.Product)
    def get(self, request: Request, sku: str) -> HttpResponse:
        """Show a product, retired or not."""
        NoParameters.question(request.query_params)
        text = queries.product(sku) if "\0" not in sku else None
        if text is None:
            raise NothingThere("There is no such product.", sku=sku)
        return _answer(text)


def _answer(text: str, headers: dict[str, str] = HEADERS) -> HttpResponse:
    return HttpResponse(text, content_type="application/json", headers=headers)


def _only_user_id(request: Request) -> int | None:
    """Return whose rows may be seen; None is everybody's, for staff."""
    return None if request.user.is_staff else request.user.pk
