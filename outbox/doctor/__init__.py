"""Find out what is in the way of delivery, who it is, and how to mend it."""
