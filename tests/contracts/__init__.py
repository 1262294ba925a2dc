"""Tests of what others build upon: the API's schema, and events as they were released."""
