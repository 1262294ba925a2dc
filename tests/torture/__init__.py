"""Commands from many sides while processes are killed, then proof that nothing was lost, doubled or swapped."""
