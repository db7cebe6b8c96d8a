"""Files become one bundle, and positions in it go back to the files."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controlplane.cli.bundle import Bundle, read_bundle
from controlplane.cli.failures import Failure


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        path = directory / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_positions_lead_back_to_the_files(tmp_path: Path) -> None:
    write(tmp_path, a__yaml="kind: A\nname: one", b__yml="# a comment\n---\nkind: B\n", c__json='{\n\t"kind": "C"\n}')
    bundle = read_bundle((str(tmp_path),))
    assert [d["kind"] for d in yaml.safe_load_all(bundle.text)] == ["A", "B", "C"]
    lines = bundle.text.split("\n")
    for text, file, line in (("name: one", "a.yaml", 2), ("kind: B", "b.yml", 3), ('  "kind"', "c.json", 2)):
        at = next(i for i, found in enumerate(lines, start=1) if text.strip() in found)
        assert bundle.place(at, 4) == f"{tmp_path / file}:{line}:4"


@given(st.lists(st.lists(st.sampled_from(["k: 1", "", "# note"]), min_size=1, max_size=5), min_size=1, max_size=5))
def test_every_line_of_every_file_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[str]]
) -> None:
    directory = tmp_path_factory.mktemp("bundle")
    for number, lines in enumerate(files):
        (directory / f"{number}.yaml").write_text("\n".join([f"n: {number}", *lines]))
    bundle = read_bundle((str(directory),))
    for at, text in enumerate(bundle.text.split("\n"), start=1):
        if text.startswith("n: "):
            assert bundle.place(at, None) == f"{directory / text[3:]}.yaml:1"


def test_a_directory_is_read_in_order_of_paths_and_other_files_are_left(tmp_path: Path) -> None:
    write(tmp_path, b__yaml="x: 2", a__yaml="x: 1", notes__txt="no")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.yaml").write_text("x: 3")
    assert [d["x"] for d in yaml.safe_load_all(read_bundle((str(tmp_path),)).text)] == [1, 2, 3]


def test_a_position_without_a_line_names_the_only_file() -> None:
    assert Bundle("x", ((1, "pool.yaml"),)).place(None, None) == "pool.yaml"
    assert Bundle("x", ((1, "a"), (2, "b"))).place(None, None) == ""


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda d: None, "cannot be read: No such file"),
        (lambda d: d.mkdir(), "holds no .yaml"),
        (lambda d: d.write_bytes(b"kind: \xff"), "not UTF-8 text: byte 6"),
        (lambda d: d.write_bytes(b"#" * (17 * 2**20)), "larger than 16 MiB"),
    ],
)
def test_unreadable_input_is_explained(tmp_path: Path, make, sentence: str) -> None:
    path = tmp_path / "input.yaml"
    make(path)
    with pytest.raises(Failure, match=sentence) as caught:
        read_bundle((str(path),))
    assert caught.value.exit_code == 2
