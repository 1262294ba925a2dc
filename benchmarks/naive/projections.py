"""Read models of the naive twin: each event read, applied and saved by itself."""

from decimal import Decimal

from django.db import transaction

from .models import DailyRevenue, Event, OrderDocument, ProductSales


def project_new_events() -> int:
    """Apply what is not published yet, one event and one transaction at a time."""
    count = 0
    for event in Event.objects.filter(published=False).order_by("id").iterator():
        apply(event)
        count += 1
    return count


@transaction.atomic
def apply(event: Event) -> None:
    """Bring three read models up to date with one event, and remember that it was done."""
    if event.kind == "OrderPlaced":
        order_id = event.payload["order_id"]
        OrderDocument.objects.update_or_create(order_id=order_id, defaults={"document": event.payload})
    for line in event.payload["lines"]:
        _count(event, line)
    event.published = True
    event.save(update_fields=["published"])


def _count(event: Event, line: dict[str, str]) -> None:
    key = {
        "day": event.created_at.date(),
        "category": line["category"],
        "country": event.payload["country"],
    }
    revenue, _ = DailyRevenue.objects.select_for_update().get_or_create(**key)
    sales, _ = ProductSales.objects.select_for_update().get_or_create(sku=line["sku"])
    for row in (revenue, sales):
        if event.kind == "OrderPlaced":
            row.units += int(line["qty"])
            row.gross += Decimal(line["amount"])
        else:
            row.returned += Decimal(line["amount"])
        row.save()
