"""Every acknowledged command once, no refused one, an unknown one once or not at all; one key, one answer."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from ..history import KEY_REUSED, OK, REFUSED, UNKNOWN, Answer, Operation
from ..snapshot import PREPARATION, Logged, Snapshot
from .finding import Finding

Operations = Mapping[str, Operation]

NO_ANSWER = Answer(outcome=UNKNOWN)

# What each command's answer is named by, and the events that it leads to; the first is about what the answer shows.
LEADS_TO = {
    "PlaceOrder": ("order_id", ["OrderPlaced"]),
    "ChargePayment": ("order_id", ["PaymentCharged"]),
    "ShipOrder": ("order_id", ["OrderShipped"]),
    "DeliverOrder": ("order_id", ["OrderDelivered"]),
    "CancelOrder": ("order_id", ["OrderCancelled"]),
    "CreditOrder": ("credit_note_id", ["CreditNoteRecorded", "ItemsReturned"]),
    "RecordCreditNote": ("credit_note_id", ["CreditNoteRecorded"]),
    "ListProduct": ("product_id", ["ProductListed"]),
    "RepriceProduct": ("product_id", ["ProductRepriced"]),
    "RestockProduct": ("product_id", ["ProductRestocked"]),
    "RetireProduct": ("product_id", ["ProductRetired"]),
    "SetCreditLimit": ("user_id", ["CreditLimitSet"]),
}


def effects_once(operations: Operations, snapshot: Snapshot) -> Finding:
    """Check the events of every operation against its outcome, and that no event came from nowhere."""
    finding = Finding("every acknowledged command once, no refused one")
    of_operation = _by_operation(snapshot.log)
    for op, operation in operations.items():
        events = of_operation.get(op, [])
        finding.count(operation.outcome)
        if operation.kept and operation.kept.outcome == OK:
            _acknowledged(finding, operation, operation.kept, events)
        else:
            last = operation.kept or (operation.answers or [NO_ANSWER])[-1]
            finding.expect(last.outcome == REFUSED, f"{op} has no outcome, even after it was asked again")
            told = [each.event_type for each in events]
            finding.expect(not events, f"{op} was refused, and yet there are {told}")
    for op in of_operation.keys() - operations.keys() - {PREPARATION}:
        finding.wrong.append(f"events of {op!r}, which nobody asked for")
    return finding


def _acknowledged(finding: Finding, operation: Operation, answer: Answer, events: list[Logged]) -> None:
    name, expected = LEADS_TO[operation.request.command]
    op, told = operation.request.op, [each.event_type for each in events]
    finding.expect(told == expected, f"{op} was acknowledged with {expected}, the log has {told}")
    if told == expected:
        document = answer.document()
        shown = int(document[name]), document.get("version", 1)
        found = events[0].aggregate_id, events[0].version
        finding.expect(shown == found, f"{op} answered {name}, version {shown}, its event has {found}")


def unknown_decided(operations: Operations, asked: Operations, before: Mapping[str, int]) -> Finding:
    """Check what asking again told of unknown outcomes; `before` counts the events that were there before."""
    finding = Finding("unknown outcomes are once or not at all")
    for op, again in asked.items():
        if op not in operations or operations[op].outcome != UNKNOWN:
            continue
        answer, had = again.answers[-1], before.get(op, 0)
        finding.count("unknown")
        finding.expect(
            answer.outcome != UNKNOWN, f"{op} has no answer: {answer.status} {answer.reason or answer.body}"
        )
        expected = len(LEADS_TO[again.request.command][1]) if answer.replayed and answer.outcome == OK else 0
        finding.count("were carried out" if answer.replayed else "were not")
        finding.expect(
            had == expected,
            f"{op} had {had} events, and answers {answer.status}, replayed: {answer.replayed}",
        )
    return finding


def one_answer(operations: Operations, snapshot: Snapshot, scopes: Mapping[str, str]) -> Finding:
    """Check that one key has one answer, byte for byte, each time and in the database; `scopes` are the keys'."""
    finding = Finding("one key, one answer")
    for op, operation in operations.items():
        kept = [answer for answer in operation.answers if answer.is_kept]
        finding.count("answers", len(kept))
        finding.expect(
            len({(answer.status, answer.body) for answer in kept}) <= 1, f"{op} got different answers: {kept}"
        )
        if kept and not operation.request.is_changed:
            stored = snapshot.answers.get((scopes[op], operation.request.key))
            told = (kept[0].status, kept[0].body)
            finding.expect(stored == told, f"{op} was told {told}, {stored} is stored")
    return finding


def changed_refused(operations: Operations) -> Finding:
    """Check that a key was refused for another body."""
    finding = Finding("a key with another body is refused")
    for op, operation in operations.items():
        if operation.request.is_changed:
            finding.count("changed bodies")
            last = (operation.answers or [NO_ANSWER])[-1]
            finding.expect(KEY_REUSED in last.body, f"{op} got {last.status} {last.body[:200]}")
    return finding


def no_failures(operations: Operations) -> Finding:
    """Check that no answer was a failure that nobody foresaw."""
    finding = Finding("no request failed unforeseen")
    for op, operation in operations.items():
        for answer in operation.answers:
            finding.count(str(answer.status or "without an answer"))
            finding.expect(
                answer.status != 500, f"{op} ({operation.request.command}) got 500 {answer.body[:200]}"
            )
            finding.expect(
                answer.status not in (400, 401, 403), f"{op} got {answer.status} {answer.body[:200]}"
            )
    return finding


def _by_operation(log: Iterable[Logged]) -> dict[str, list[Logged]]:
    found: dict[str, list[Logged]] = defaultdict(list)
    for each in log:
        found[each.correlation].append(each)
    return found
