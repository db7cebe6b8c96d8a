"""Tables of the catalog."""

from __future__ import annotations

from apps.core.models import DeclaredObject


class Model(DeclaredObject):
    """A declared model."""

    class Meta(DeclaredObject.Meta):
        abstract = False
