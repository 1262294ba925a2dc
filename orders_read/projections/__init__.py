"""One module per read model: its question, its version, its tables and how events are folded into them."""
