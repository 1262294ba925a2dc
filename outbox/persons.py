"""What events say of persons, kept apart from the log so that it can be forgotten."""

from django.db import connection

COUNT = "SELECT count(*) FROM event_personal WHERE subject_id = %s"
FORGET = "DELETE FROM event_personal WHERE subject_id = %s"


def count(subject_id: int) -> int:
    """Say of how many events something personal of a subject is known."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [subject_id])
        return int(cursor.fetchone()[0])


def forget(subject_id: int) -> int:
    """Delete all that events say of a subject, in the caller's transaction; the events stay, and folds see NULL."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [subject_id])
        return int(cursor.rowcount)
