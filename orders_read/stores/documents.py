"""Which read models other stores can hold as documents, and what their documents are."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SQL = Path(__file__).resolve().parent.parent / "sql" / "documents"
EMPTY_KEY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The documents of one read model, one for each row of the table of its name.

    `key` is the column that names a document, `text` the SQL of what is answered, `owner` that of the only customer who
    may see it. An event concerns the document that `payload_key` of its payload names, or the one of its own aggregate,
    where its aggregate is one of `aggregate_types`. Where `has_empty`, there is an answer for keys without a row.
    """

    read_model: str
    key: str
    text: str
    owner: str = "NULL::bigint"
    has_owner: bool = False
    has_empty: bool = False
    aggregate_types: Sequence[str] = ()
    payload_key: str = ""

    @property
    def form(self) -> str:
        """Name what today's code writes: another form is another document."""
        return hashlib.sha256(f"{self.text} {self.owner}".encode()).hexdigest()[:16]

    def key_of(self, aggregate_type: str, aggregate_id: int, payload: str) -> int | None:
        """Say which document an event concerns; None when none."""
        if aggregate_type not in self.aggregate_types:
            return None
        if not self.payload_key:
            return aggregate_id
        key = json.loads(payload).get(self.payload_key)
        return None if key is None else int(key)

    def empty_answer(self, key: int, template: str) -> str:
        """Turn the empty answer of EMPTY_KEY into that of another key."""
        return template.replace(f'"{self.key}" : "{EMPTY_KEY}"', f'"{self.key}" : "{key}"', 1)


DOCUMENTS: Mapping[str, Documents] = {
    one.read_model: one
    for one in (
        Documents(
            read_model="order_details",
            key="order_id",
            text="document::text",
            owner="user_id",
            has_owner=True,
            aggregate_types=("order",),
        ),
        Documents(
            read_model="user_dashboard",
            key="user_id",
            text=(SQL / "user_dashboard.sql").read_text(encoding="utf-8").strip(),
            has_empty=True,
            aggregate_types=("order", "credit_note", "credit_account"),
            payload_key="user_id",
        ),
    )
}
