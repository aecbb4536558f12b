"""Imported by the fork server, and by nothing else: loads all that a cell may need.

Cells then start at once, and all cells of a run compute with the same code, even if a file changes during the run.
"""

from ..datasets.registry import tracks
from ..evaluation import detection_quality
from ..methods import registry
from . import worker

__all__ = ["detection_quality", "worker"]

registry()
tracks()
