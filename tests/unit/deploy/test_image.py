"""The image's recipe names what is there, and what runs in it needs nothing that was left out."""

from __future__ import annotations

import json
import re

from apps.endpoints.domain.rendering import COMPONENT
from tests.support.chart import of_kind, render
from tests.support.web import PROJECT

RECIPE = (PROJECT / "deploy" / "docker" / "Dockerfile").read_text()
FINAL = RECIPE.rpartition("\nFROM ")[2]


def test_what_is_copied_into_the_build_exists_and_is_not_kept_out() -> None:
    let_in = {
        line[1:]
        for line in (PROJECT / "deploy/docker/Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for line in re.findall(r"^COPY (?!--from)(.+)$", RECIPE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (PROJECT / source).exists(), source
            assert source in let_in, source


def test_the_final_image_has_the_product_and_its_console() -> None:
    copied = {
        word for line in re.findall(r"^COPY --from=build (.+)$", FINAL, re.MULTILINE) for word in line.split()[:-1]
    }
    assert copied >= {"/opt/venv", "/app/manage.py", "/app/apps", "/app/controlplane", "/app/frontend/dist"}


def test_the_image_of_endpoints_starts_what_the_embedded_cluster_starts() -> None:
    stage = RECIPE.partition(" AS endpoint-gateway\n")[2].partition("\nFROM ")[0]
    found = re.search(r"^ENTRYPOINT (.+)$", stage, re.MULTILINE)
    images = json.loads((PROJECT / "apps/embedded/kubelet/data/images.json").read_text())["images"]
    (local,) = (image["programs"] for image in images if image["name"] == COMPONENT)
    assert found
    assert json.loads(found[1]) == ["python", *local[COMPONENT]]


def test_it_runs_as_the_user_that_the_chart_demands() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", FINAL, re.MULTILINE)
    assert user
    for found in of_kind(render(), "Deployment"):
        context = found["spec"]["template"]["spec"]["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user.groups()
