"""What a run makes of SIGTERM and SIGINT: the first asks it to stop, a second SIGINT ends it at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from ..errors import Stopped


class Stop:
    """Which signal asked for a stop; 0 while none did. Signals are heeded inside the context only."""

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> Stop:
        self._before = {}
        if threading.current_thread() is threading.main_thread():  # only there may handlers be set
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise `Stopped` where a signal has come."""
        if self.number:
            raise Stopped(self.number)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = self.number or number
