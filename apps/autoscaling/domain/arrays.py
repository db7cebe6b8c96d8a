"""What numpy does for one pool as dearly as for a hundred."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["clipped", "known"]

Floats = NDArray[np.float64]


def clipped(values: Floats, low: Floats | float, high: Floats | float) -> Floats:
    """As numpy.clip, which takes five times as long on a few numbers."""
    return np.asarray(np.minimum(np.maximum(values, low), high), dtype=np.float64)


def known(values: Floats) -> Floats:
    """Nothing where it is not known (NaN)."""
    return np.where(np.isnan(values), 0.0, values)
