"""Every path of the project on one screen."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.views import APIView

import orders_read.api as read
import orders_read.pages as show
import orders_write.api as write
import orders_write.pages as act
from orders_write.login import LogIn, LogOut, ObtainToken

from . import health, metrics, problems


def both(question: type[APIView], command: type[APIView]) -> Any:
    """Serve a question (GET) and a command (POST) at one path, each with its own permissions."""

    class Both(question, command):  # type: ignore[misc,valid-type]
        __doc__ = question.__doc__

        def get_permissions(self) -> list[Any]:
            asked = command if self.request.method == "POST" else question
            return [permission() for permission in asked.permission_classes]

    Both.__name__ = question.__name__
    return Both.as_view()


API = [
    path("token", ObtainToken.as_view(), name="token"),
    path("orders", both(read.Orders, write.PlaceOrder), name="orders"),
    path("orders/<int:order_id>", read.Order.as_view(), name="order"),
    path("orders/<int:order_id>/payments", write.ChargePayment.as_view(), name="payments"),
    path("orders/<int:order_id>/shipment", write.ShipOrder.as_view(), name="shipment"),
    path("orders/<int:order_id>/delivery", write.DeliverOrder.as_view(), name="delivery"),
    path("orders/<int:order_id>/cancellation", write.CancelOrder.as_view(), name="cancellation"),
    path("orders/<int:order_id>/credit-notes", write.CreditOrder.as_view(), name="order_credit_notes"),
    path("credit-notes", write.RecordCreditNote.as_view(), name="credit_notes"),
    path("products", both(read.Products, write.ListProduct), name="products"),
    path("products/<str:sku>", read.Product.as_view(), name="product"),
    path("products/<str:sku>/price", write.RepriceProduct.as_view(), name="price"),
    path("products/<str:sku>/restocks", write.RestockProduct.as_view(), name="restocks"),
    path("products/<str:sku>/retirement", write.RetireProduct.as_view(), name="retirement"),
    path("customers/<int:user_id>/credit-limit", write.SetCreditLimit.as_view(), name="credit_limit"),
    path("search", read.Search.as_view(), name="search"),
    path("dashboard", read.Dashboard.as_view(), name="dashboard"),
    path("overview", read.ShopOverview.as_view(), name="overview"),
    path("analytics/daily-revenue", read.DailyRevenue.as_view(), name="daily_revenue"),
    path("analytics/product-sales", read.ProductSales.as_view(), name="product_sales"),
]

# Pages that show, then pages that take a form, run a command and redirect to one that shows.
PAGES = [
    path("login/", LogIn.as_view(), name="login"),
    path("logout/", LogOut.as_view(), name="logout"),
    path("", show.start, name="start"),
    path("dashboard/", show.dashboard, name="dashboard"),
    path("orders/", show.order_list, name="order_list"),
    path("orders/<int:order_id>/", show.order_page, name="order_page"),
    path("orders/new/", show.new_order, name="new_order"),
    path("products/", show.catalogue, name="catalogue"),
    path("revenue/", show.revenue, name="revenue"),
    path("overview/", show.overview, name="overview"),
    path("orders/new/draft/", act.draft_order, name="draft_order"),
    path("orders/new/place/", act.place_order, name="place_order"),
    path("orders/<int:order_id>/pay/", act.pay_order, name="pay_order"),
    path("orders/<int:order_id>/ship/", act.ship_order, name="ship_order"),
    path("orders/<int:order_id>/deliver/", act.deliver_order, name="deliver_order"),
    path("orders/<int:order_id>/cancel/", act.cancel_order, name="cancel_order"),
]

HEALTH = [
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("metrics", metrics.metrics, name="metrics"),
]

urlpatterns = [
    *PAGES,
    *HEALTH,
    path("api/v1/", include((API, "api"))),
    re_path(r"^api/schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^api/docs/?$", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    re_path(r"^api/", problems.nowhere),
    # Asked for by browsers where a page names no icon: the admin, the API's documentation.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    # One place to log in, where attempts are counted.
    path("admin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("admin/logout/", LogOut.as_view()),
    path("admin/", admin.site.urls),
]

handler400 = problems.bad_request
handler403 = problems.permission_denied
handler404 = problems.not_found
handler500 = problems.server_error
