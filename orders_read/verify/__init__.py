"""Compare a live read model with a fresh fold of the same events, every column of every row, and mend what differs."""
