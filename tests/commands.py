"""Commands, run in the process of the test."""

from __future__ import annotations

import pytest


def exit_code(*arguments: object) -> int:
    """Run `python -m bench` with ``arguments``, and say how it ended; what it prints is left to capsys."""
    from bench.cli import main

    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)
