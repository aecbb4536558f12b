"""Versions that records carry: another one today makes them stale."""

PROTOCOL = "v2"  # of evaluation; changes with any number that knn or linear evaluation gives
STATE = 4  # of checkpoints; changes whenever the meaning of a saved state does
