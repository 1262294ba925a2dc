"""The errors of mirrors.

MirrorError
├── NoSuchMirror         the settings name no other store for this read model
├── MirrorAtWork         another process builds, verifies or keeps it
├── NothingToVerify      it was never built, or what it held is lost
├── NoSource             the read model has no live generation
└── MirrorStandsStill    it does not take in events, so that it cannot be shown or compared
"""


class MirrorError(Exception):
    """Something is wrong with a mirror."""

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**details))


class NoSuchMirror(MirrorError):
    """READ_STORES names no other store for {read_model}; it does for: {known}."""


class MirrorAtWork(MirrorError):
    """Another process is at work on {mirror}."""


class NothingToVerify(MirrorError):
    """{mirror} holds nothing that could be compared: build it with rebuild_mirror."""


class NoSource(MirrorError):
    """{read_model} has no live generation in this database."""


class MirrorStandsStill(MirrorError):
    """{mirror} stands at position {position} and should come to {goal}: {why}."""
