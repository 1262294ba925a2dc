"""Carry every committed fact from the transaction that made it to every subscriber, once and in order."""
