"""Training of one cell: the trainer, its clock, its checkpoints, and the compiled loss."""
