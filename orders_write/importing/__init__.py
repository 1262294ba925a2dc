"""Feed a file of real commands through the handlers: read and check all of it first, then run it in batches."""
