"""Drills: each breaks something under load and proves that a promise holds; see `make drill`."""
