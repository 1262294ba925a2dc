"""Bring events to subscribers outside this database: the contract of a publisher, its loop, and signed webhooks."""
