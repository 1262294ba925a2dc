"""Wake a worker: one best-effort Redis call after commit, made by a thread so that no command waits for it."""


def ring() -> None:
    """Say that messages wait; never raises."""
