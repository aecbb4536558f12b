"""What contestants share, one concept a file."""
