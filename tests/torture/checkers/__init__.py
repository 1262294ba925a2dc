"""The checks after a run: each takes data and answers a finding, with counts and with what is wrong."""
