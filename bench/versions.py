"""Versions that records carry: a record whose version is not today's is stale."""

PROTOCOL = "v3"  # of kNN and linear evaluation; raise it with any change of their numbers
STATE = 4  # of checkpoints; raise it when the meaning of a saved state changes
