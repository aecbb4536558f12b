"""Versions in records: a record with another one than today's is stale."""

PROTOCOL = "v3"  # of evaluation; changes with any number that knn or linear evaluation gives
STATE = 4  # of checkpoints; changes whenever the meaning of a saved state does
