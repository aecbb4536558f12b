"""Speed of the harness, as ratios to a peer or to another revision, measured interleaved on one machine."""
