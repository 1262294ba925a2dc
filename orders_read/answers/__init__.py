"""Compare the read models with the known answers of a real data set."""
