"""The read side: projections turn events into read models, and queries answer one question each."""
