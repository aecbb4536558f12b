"""Running cells: the session, the scheduler and its workers, claims, signals, the display, trackers."""
