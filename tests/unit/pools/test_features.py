"""The page of features is fresh, every declaration on it renders, and every test that it names exists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from apps.catalog.domain.dialects import DIALECTS
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.paths import PATHS
from apps.pools.features import Feature, features, page, paths_page, rendered
from tests.support.proof import faults

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("name", "text"), [("features.md", page(features())), ("concepts/paths.md", paths_page())])
def test_the_pages_are_fresh(name: str, text: str) -> None:
    assert (ROOT / "docs" / name).read_text() == text, f"run `python manage.py features_page` to write docs/{name} anew"


@pytest.mark.parametrize("feature", [f for f in features() if f.path], ids=lambda f: f.title)
def test_every_declaration_renders_for_a_release_and_a_real_cluster_takes_it(feature: Feature) -> None:
    shown = 0
    for release in DIALECTS:
        try:
            objects = rendered(feature, release)
        except PlanRefused:
            continue
        shown += 1
        assert [fault for manifest in objects for fault in faults(manifest)] == []
    assert shown, "no release can do it"


def test_every_path_and_option_has_a_row_and_every_row_says_what_it_rests_on() -> None:
    assert {f.path for f in features() if f.path} == set(PATHS)
    for feature in features():
        assert feature.path or feature.command, feature.title
        assert feature.lacks or feature.runs != "no", f"{feature.title} is not run here: say what is lacking"
        run = [name for name in feature.tests if name.startswith(("tests/integration/", "tests/e2e/"))]
        assert run or feature.runs == "no", f"{feature.title} is said to run: name the test that runs it"


def test_every_test_that_is_named_exists() -> None:
    for feature in features():
        for named in feature.tests:
            file, _, function = named.partition("::")
            path = ROOT / file
            assert path.exists(), f"{feature.title}: {file} is not there"
            if function:
                tree = ast.parse(path.read_text())
                assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, named
