"""The errors of a rebuild.

RebuildError
├── RebuildAtWork        another process rebuilds or verifies this read model
├── RebuildUnfinished    an earlier rebuild was interrupted and stands where it was
├── NothingToResume      there is no interrupted rebuild
├── RebuildCancelled     somebody asked for the end of this rebuild
├── ColumnsDiffer        the new tables cannot stand behind the views of the old ones
├── EventsAreParked      some aggregates wait behind dead letters of the new generation
├── FoldsFail            the new generation cannot fold the log, and it is not a single event's fault
├── SampleDiffers        the new generation does not hold what a fresh fold of the same events gives
├── NoKeptGeneration     there is no earlier generation to go back to
└── ReadersInTheWay      the views are read for so long that they cannot be changed
"""


class RebuildError(Exception):
    """A rebuild cannot go on."""

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**details))


class RebuildAtWork(RebuildError):
    """{projection} is being rebuilt or verified by {worker}, since {since}."""


class RebuildUnfinished(RebuildError):
    """A rebuild of {projection} was interrupted at {percent} %: go on with --resume, or give it up with --cancel."""


class NothingToResume(RebuildError):
    """No rebuild of {projection} was interrupted: leave --resume out."""


class RebuildCancelled(RebuildError):
    """The rebuild of {projection} was cancelled; readers have noticed nothing."""


class ColumnsDiffer(RebuildError):
    """Column {column} of read_{table} is {was} and would become {now}: give the changed read model a new name."""


class EventsAreParked(RebuildError):
    """{count} aggregates of {projection} generation {generation} are parked.

    See `list_dead_letters`. Cancel the rebuild and mend the fold, or swap without them: --resume --accept-parked.
    """


class FoldsFail(RebuildError):
    """The new generation of {projection} cannot be folded after position {position}: {error}."""


class SampleDiffers(RebuildError):
    """{count} rows of {table} differ from a fresh fold of their events; the live generation stays. First: {first}."""


class NoKeptGeneration(RebuildError):
    """{projection} has no earlier generation to go back to."""


class ReadersInTheWay(RebuildError):
    """The views of {projection} were read without a pause for {seconds:g} s: `doctor` says by whom; then --resume."""
