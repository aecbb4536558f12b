"""Components that methods share, one concept a file."""
