"""The same work as most Django projects do it: the ORM, row by row, and one event at a time."""
