"""Measures the time in which this process stood still: stopped by a signal (Ctrl-Z, SIGSTOP, a scheduler) or by its container.

A thread reads the clock every BEAT. Where two readings are far apart and the main thread used no CPU time in between, the
whole process stood still. On Linux the clock does not run while the machine sleeps. Waiting for a disk counts as work, as
the thread keeps reading then.
"""

from __future__ import annotations

import threading
import time

BEAT = 0.25  # seconds between two readings
LEAST = 2.0  # seconds; a shorter gap between two readings counts as a delay, not as a standstill

_lock = threading.Lock()
_watching = False
_last = (0.0, 0.0)  # wall clock and CPU time at the last reading
_stood = 0.0


def watch() -> None:
    """Start the thread of this process; call this in the main thread."""
    global _watching, _last
    with _lock:
        if not _watching:
            _watching, _last = True, (time.perf_counter(), _computed())
            threading.Thread(target=_keep_looking, daemon=True).start()


def seconds() -> float:
    """How long this process has stood still since `watch`, to within BEAT for each standstill; 0 before `watch` is called."""
    return _look()[1]


def now() -> float:
    """`time.perf_counter` without the seconds in which this process stood still."""
    clock, stood = _look()
    return clock - stood


def _look() -> tuple[float, float]:
    global _last, _stood
    with _lock:
        clock = time.perf_counter()
        if _watching:
            computed = _computed()
            apart = clock - _last[0]
            if apart > LEAST:
                _stood += max(0.0, apart - BEAT - (computed - _last[1]))
            _last = clock, computed
        return clock, _stood


def _keep_looking() -> None:
    while True:
        time.sleep(BEAT)
        _look()


def _computed() -> float:
    """CPU seconds of the main thread, else of the whole process."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(threading.main_thread().ident or 0))
    except (AttributeError, OSError):  # macOS has no such clock
        return time.process_time()
