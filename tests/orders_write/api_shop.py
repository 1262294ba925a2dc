"""What the tests of the API order, and how."""

from typing import Any

ADDRESS = {
    "name": "Ada",
    "street": "1 Rue A",
    "postcode": "75001",
    "city": "Paris",
    "country": "France",
    "email": "ada@example.org",
}
MUGS = {"lines": [{"sku": "mug", "qty": 2}], "address": ADDRESS}


def place(client: Any, **changes: Any) -> Any:
    response = client.post("/api/v1/orders", MUGS | changes)
    assert response.status_code == 201, response.content
    return response.json()
