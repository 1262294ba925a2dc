"""Rebuild a read model from the log beside the live one, and put it in its place without a reader noticing."""
