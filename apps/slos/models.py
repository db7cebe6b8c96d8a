"""Tables of the SLOs room."""

from __future__ import annotations

from apps.core.models import DeclaredObject


class SLO(DeclaredObject):
    """A declared service level objective."""

    class Meta(DeclaredObject.Meta):
        abstract = False
