"""The store that every read model has: its tables in this database."""

from typing import Any

from ..answering import ask
from .documents import Documents

ORDER_DETAILS = """
SELECT document::text FROM read_order_details
 WHERE order_id = %(key)s AND (%(user_id)s::bigint IS NULL OR user_id = %(user_id)s::bigint)
"""
USER_DASHBOARD = """
SELECT {text}
  FROM (SELECT %(key)s::bigint AS user_id) AS asked LEFT JOIN read_user_dashboard USING (user_id)
"""
STATEMENTS = {"order_details": "ORDER_DETAILS", "user_dashboard": "USER_DASHBOARD"}


class Store:
    """Answers from the views that show the live generation."""

    OPTIONS = frozenset[str]()
    REQUIRED = frozenset[str]()

    def __init__(self, documents: Documents, options: dict[str, Any]) -> None:
        self._read_model = documents.read_model
        self._text = documents.text

    def answer(self, key: int, user_id: int | None) -> str | None:
        """Answer the document's text; None where there is none, or another customer's."""
        statement: str = globals()[STATEMENTS[self._read_model]]
        return ask(statement.replace("{text}", self._text), {"key": key, "user_id": user_id})
