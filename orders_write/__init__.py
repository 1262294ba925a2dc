"""The write side: commands change a normalised model under its rules, and every accepted fact becomes an event."""
