"""Measure the figures that the README quotes, each beside a peer or limit in the same run: `python -m benchmarks`."""
