"""Wires the packages together: settings, addresses, embedded servers, the runner. Nothing imports it."""
