"""Kubernetes resource quantities: ``500m``, ``64Gi``, ``8``, ``1.5e3``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

SUFFIXES: Mapping[str, Decimal] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_FORM = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkKMGTPE]?i?))$")


@lru_cache(maxsize=512)
def _parse(text: str) -> Decimal:
    found = _FORM.match(text)
    if found is None or (found[3] or "") not in SUFFIXES:
        raise ValueError(f"{text!r} is not a quantity: write a number with an optional suffix such as m, k, Mi or Gi")
    if found[2] is not None:
        return Decimal(found[1]).scaleb(int(found[2]))
    return Decimal(found[1]) * SUFFIXES[found[3] or ""]


def parse_quantity(value: str | int | float) -> Decimal:
    """The number that a quantity stands for. ValueError says what is wrong with it."""
    return _parse(str(value))
