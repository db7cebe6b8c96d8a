"""What `make up` applies must be accepted, and mean what its comments say."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.core import services, yamlio
from apps.core.domain.access import SYSTEM
from apps.core.services import By
from apps.pools.models import Pool
from tests.support.people import team
from tests.support.pools import cluster_document, declare

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.django_db
@pytest.mark.parametrize(("folder", "replicas"), [("quickstart", (0, 4)), ("steady", (2, 4))])
def test_what_make_up_applies_is_accepted_as_one_bundle_and_again_unchanged(
    folder: str, replicas: tuple[int, int]
) -> None:
    declare(cluster_document("/nowhere", namespaces=["serving"]))
    team("default")
    documents = yamlio.read(b"\n---\n".join(path.read_bytes() for path in sorted((EXAMPLES / folder).glob("*.yaml"))))
    by = By(SYSTEM)
    first = services.apply_documents(documents, by=by)
    assert [outcome.written.action for outcome in first if outcome.written] == ["created"] * 3
    again = services.apply_documents(documents, by=by)
    assert [outcome.written.action for outcome in again if outcome.written] == ["unchanged"] * 3
    assert Pool.objects.get().spec["variants"][0]["replicas"] == dict(zip(("min", "max"), replicas, strict=True))


@pytest.mark.django_db
def test_what_the_demo_adds_is_accepted_beside_it() -> None:
    declare(cluster_document("/nowhere", namespaces=["serving"]))
    team("default")
    paths = [path for name in ("quickstart", "offload") for path in sorted((EXAMPLES / name).glob("*.yaml"))]
    services.apply_documents(yamlio.read(b"\n---\n".join(path.read_bytes() for path in paths)), by=By(SYSTEM))
    assert Pool.objects.count() == 2
