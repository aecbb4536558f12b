"""Preloaded by the stress test's cells: they save as often as they are told, whatever that costs."""

from bench import child as child
from bench import keeper

keeper.DEAREST = 1e9
