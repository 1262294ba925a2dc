"""Compare the refusals that an import reported with those that its file expects."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .comparison import Comparison

# The rules that may refuse what the file expects to be refused.
RULES = {
    "negative_quantity": {"QuantityBelowOne"},
    "positive_quantity_on_cancellation": {"QuantityBelowOne"},
    "zero_price_only": {"PriceNotPositive"},
    "bad_debt_adjustment": {"UnknownProduct", "PriceNotPositive"},
}


# How many of each there are, as the summary of the answers counts them.
COUNTED_AS = {
    "negative_quantity": "rejected: write_off only",
    "positive_quantity_on_cancellation": "rejected: anomaly",
    "zero_price_only": "rejected: zero_price only",
    "bad_debt_adjustment": "rejected: adjustment",
}


def compare_refusals(report: Iterable[Mapping[str, Any]], counts: Mapping[str, int]) -> Comparison:
    """Compare each refusal, equal when one of the expected rules gave it, and how many there were of each kind."""
    comparison, seen = Comparison("refusals"), Counter[str]()
    for record in report:
        expected, rule = str(record.get("expect_reject")), record.get("rule")
        rules = RULES.get(expected, set())
        wanted = " or ".join(sorted(rules)) or "no refusal"
        comparison.compare(
            f"seq {record.get('seq')} ({expected})", wanted, wanted if rule in rules else str(rule)
        )
        seen[expected] += 1
    for kind, counted_as in COUNTED_AS.items():
        comparison.compare(f"refused: {kind}", counts.get(counted_as, 0), seen[kind])
    return comparison
