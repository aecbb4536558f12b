"""How fast the harness is: as ratios to a peer or to another revision, measured interleaved on one machine."""
