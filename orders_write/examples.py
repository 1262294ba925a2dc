"""Bodies that work, for the API's documentation; a test sends them all."""

from drf_spectacular.utils import OpenApiExample

PLACE_ORDER = OpenApiExample(
    "An order of two lines",
    request_only=True,
    value={
        "lines": [{"sku": "85123A", "qty": 6}, {"sku": "71053", "qty": 2}],
        "address": {
            "name": "A. Customer",
            "street": "1 High Street",
            "postcode": "AB1 2CD",
            "city": "Aberdeen",
            "country": "United Kingdom",
        },
    },
)
CHARGE_PAYMENT = OpenApiExample(
    "A card payment",
    request_only=True,
    value={"amount": "22.08", "reference": "charge-0001", "method": "card"},
)
CANCEL_ORDER = OpenApiExample("A change of mind", request_only=True, value={"reason": "Ordered twice"})
SHIP_ORDER = OpenApiExample(
    "A parcel", request_only=True, value={"carrier": "Parcel Service", "tracking_number": "PS0001"}
)
CREDIT_ORDER = OpenApiExample(
    "Two pieces came back",
    request_only=True,
    value={"lines": [{"line_no": 1, "qty": 2}], "reason": "Broken on arrival"},
)
RECORD_CREDIT_NOTE = OpenApiExample(
    "A discount that names no order",
    request_only=True,
    value={
        "lines": [{"sku": "DISCOUNT", "qty": 1, "price": "10.00"}],
        "country": "United Kingdom",
        "reason": "Goodwill",
    },
)
LIST_PRODUCT = OpenApiExample(
    "A product",
    request_only=True,
    value={
        "sku": "85123A",
        "name": "White hanging heart T-light holder",
        "category": "merchandise",
        "price": "2.55",
        "on_hand": 1000,
    },
)
REPRICE_PRODUCT = OpenApiExample("A price with three decimals", request_only=True, value={"price": "2.555"})
RESTOCK_PRODUCT = OpenApiExample("A delivery", request_only=True, value={"qty": 144})
SET_CREDIT_LIMIT = OpenApiExample("A limit", request_only=True, value={"limit": "5000.00"})
