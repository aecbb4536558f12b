"""The pixels of an RGB image in Pillow's own memory, without a copy where this version of Pillow permits it.

Uses the Arrow C data interface (https://arrow.apache.org/docs/format/CDataInterface.html), which Pillow has from 11.3.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:  # datasets are listed without it
    from torch import Tensor


class _Array(ctypes.Structure):
    """``struct ArrowArray``."""


_Array._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    *((name, ctypes.c_void_p) for name in ("dictionary", "release", "private_data")),
]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


def of(image: Image.Image) -> tuple[Tensor, Any]:
    """uint8 [H, W, 3 or 4] of a loaded RGB image (a fourth channel has no meaning), and the object that owns the memory.

    The tensor must not be written to, and not be read after the owner is deleted.
    """
    import torch

    try:
        lent = image.__arrow_c_array__()[1]  # type: ignore[attr-defined]
    except (AttributeError, ValueError):  # an older Pillow; an image of several blocks of memory
        return torch.from_numpy(np.asarray(image)), None
    values = _Array.from_address(_pointer(lent, b"arrow_array")).children[0].contents
    memory = (ctypes.c_uint8 * (4 * image.width * image.height)).from_address(values.buffers[1] + values.offset)
    return torch.frombuffer(memory, dtype=torch.uint8).view(image.height, image.width, 4), lent
