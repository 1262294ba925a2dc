"""The errors of a verification.

VerifyError
├── NoLiveGeneration     the projection has no tables to verify
├── LettersMoved         dead letters were settled meanwhile, again and again, so that nothing can be compared
└── NotByAggregate       rows of the projection tell of more than one aggregate, so that samples cannot be folded
"""


class VerifyError(Exception):
    """A read model cannot be verified."""

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__((type(self).__doc__ or "").format(**details))


class NoLiveGeneration(VerifyError):
    """{projection} has no live generation."""


class LettersMoved(VerifyError):
    """Dead letters of {projection} were settled again and again meanwhile; verify it when that is over."""


class NotByAggregate(VerifyError):
    """A row of {projection} tells of more than one aggregate: leave out --since and --sample."""
