"""Alarms that look right and are not."""

from collections.abc import Sequence

from outbox.alarms import EPISODES, Alarm, Watch, _call_hook


class HookInTheWorker(Watch):
    """Calls the hook within the worker's own thread."""

    def _ring(self, changes: Sequence[Alarm]) -> None:
        _call_hook(changes)


class ForgetfulHookCaller(Watch):
    """Starts a call for every change, however many hang."""

    def _ring(self, changes: Sequence[Alarm]) -> None:
        self._calls, hanging = [], self._calls
        super()._ring(changes)
        self._calls += hanging


def _changed(old: str, new: str) -> str:
    assert EPISODES.count(old) == 1, old
    return EPISODES.replace(old, new)


RINGS_AT_EACH_LOOK = _changed("DO NOTHING", "DO UPDATE SET detail = excluded.detail")
NEVER_ENDS = _changed("AND NOT EXISTS", "AND false AND NOT EXISTS")
ENDS_BY_SUBJECT = _changed("AND trouble.kind = alarm_episodes.kind", "")
NO_LOCK = "SELECT true, $1::int"
