"""Training of one cell: the trainer, its clock, checkpoints, and the compiled loss."""
