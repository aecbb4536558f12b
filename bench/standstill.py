"""Time in which this process stood still: stopped by a signal (Ctrl-Z, SIGSTOP, a scheduler) or frozen by its container.

A thread looks at the clock every BEAT. Where two looks are far apart and the main thread has not computed in between, the
whole process stood still. Sleep of the machine is in neither clock on Linux. Time spent waiting for a disk counts as work, as the
thread goes on looking.
"""

from __future__ import annotations

import threading
import time

BEAT = 0.25  # seconds between two looks
LEAST = 2.0  # seconds apart, below which two looks are late rather than interrupted

_lock = threading.Lock()
_watching = False
_last = (0.0, 0.0)  # what both clocks showed at the last look
_stood = 0.0


def watch() -> None:
    """Start looking, in this process and from now on; call it in the main thread."""
    global _watching, _last
    with _lock:
        if not _watching:
            _watching, _last = True, (time.perf_counter(), _computed())
            threading.Thread(target=_look_on, daemon=True).start()


def seconds() -> float:
    """How long this process has stood still since `watch`, to within BEAT for each time; 0 before `watch` was called."""
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


def _look_on() -> None:
    while True:
        time.sleep(BEAT)
        _look()


def _computed() -> float:
    """CPU seconds of the main thread, else of the whole process."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(threading.main_thread().ident or 0))
    except (AttributeError, OSError):  # macOS has no such clock
        return time.process_time()
