"""Mirrors: keep documents in other stores equal to read models of this database."""
