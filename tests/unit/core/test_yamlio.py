"""Reading and writing documents: values, places, limits, and what is refused."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core import yamlio
from apps.core.domain.refusals import Malformed, TooLarge
from apps.core.yamlio import Limits, Place

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
_WORDS = (
    "no on Yes ~ null 010 0o17 0x1F 1e3 1_000 12:30:45 2026-01-01 .inf .NaN << = #x é 😀 % @ ` !t *a &a | > ' { [ ? -"
    " --- ... true -0 +1 0b1 .5 5."
)
_tricky = st.sampled_from(_WORDS.split()) | st.sampled_from(
    ["", "- a", "a: b", " a", "a ", "a\n", "a\nb", "\ta", "a\u2028b", "\x85", "\x7f", "\u202eabc", '"']
)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text
    | _tricky
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text | _tricky, inner, max_size=4),
    max_leaves=20,
)
_documents = st.dictionaries(_text | _tricky, _values, min_size=1, max_size=5)


def read_one(text: str | bytes, *, as_json: bool = False, limits: Limits = yamlio.DEFAULT_LIMITS) -> yamlio.Document:
    (document,) = yamlio.read(text if isinstance(text, bytes) else text.encode(), json=as_json, limits=limits)
    return document


@given(_documents)
def test_what_is_written_as_yaml_is_read_back_equal(value: dict[str, Any]) -> None:
    assert read_one(yamlio.write([value])).value == value


@given(st.lists(_documents, min_size=2, max_size=3))
def test_several_documents_are_read_back_equal(values: list[dict[str, Any]]) -> None:
    assert [d.value for d in yamlio.read(yamlio.write(values).encode())] == values


@given(_documents, st.sampled_from([None, 1, 4]))
def test_json_and_yaml_of_one_value_are_read_equal(value: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    from_json = read_one(text, as_json=True).value
    assert from_json == value == read_one(yamlio.write([value])).value
    # types too: 1 is not true, 1.0 is not 1
    assert json.dumps(from_json) == json.dumps(value)


@given(_documents)
def test_our_json_reader_agrees_with_an_independent_one(value: dict[str, Any]) -> None:
    text = orjson.dumps(value)
    assert read_one(text, as_json=True).value == orjson.loads(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("2026-01-01", "2026-01-01"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("~", None),
        ("", None),
        ("TRUE", True),
        ('"010"', "010"),
        ("+1", 1),
        ("=", "="),
        ("'no'", "no"),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    read = read_one(f"a: {text}\n").value["a"]
    assert (read, type(read)) == (value, type(value))


YAML = """\
# a comment
apiVersion: lamplight.dev/v1
spec:
  list:
    - one
    - {two: 2,
       three/x: [4, 5]}
  "quoted": no
"""


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("/apiVersion", (2, 1)),
        ("/spec/list/0", (5, 7)),
        ("/spec/list/1/two", (6, 8)),
        ("/spec/list/1/three~1x/1", (7, 21)),
        ("/spec/quoted", (8, 3)),
        ("/spec/list/1/absent/deeper", (6, 7)),
        ("/absent", (2, 1)),
        ("", (2, 1)),
    ],
)
def test_every_pointer_has_its_place(pointer: str, place: tuple[int, int]) -> None:
    assert read_one(YAML).place(pointer) == Place(*place)


def test_places_in_json_are_as_exact() -> None:
    document = read_one('{\n  "a": [1,\n    {"b": "x"}],\n\t"c": null}', as_json=True)
    assert {p: document.place(p) for p in ("/a", "/a/0", "/a/1/b", "/c", "/a/1/none")} == {
        "/a": (2, 3),
        "/a/0": (2, 9),
        "/a/1/b": (3, 6),
        "/c": (4, 2),
        "/a/1/none": (3, 5),
    }


@given(_documents, st.integers(0, 300), st.sampled_from(["", "\n", "\t", "[", "\u2028", ": "]))
def test_a_text_that_breaks_off_anywhere_is_read_or_refused(value: dict[str, Any], end: int, more: str) -> None:
    with suppress(Malformed):
        yamlio.read(yamlio.write([value])[:end].encode("utf-8", "ignore") + more.encode())


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("EndpointPickerConfig: [", 2, "this is not YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key a stands here a second time; the first is in line 1"),
        ("a: !!python/object:os.system x\n", 1, "the tag tag:yaml.org,2002:python/object:os.system is not allowed"),
        ("a: !secret x\n", 1, "the tag !secret is not allowed"),
        ("a: ! 5\n", 1, "the tag ! is not allowed"),
        ("a: !!binary aGk=\n", 1, "is not allowed"),
        ("a: .nan\n", 1, ".nan is not a number that can be stored"),
        ("\na: -.inf\n", 2, "-.inf is not a number that can be stored"),
        ("a: 1e400\n", 1, "1e400 is out of the range of numbers"),
        ("a: 010\n", 1, "010 is octal to some readers and decimal to others"),
        ("a: 9223372036854775808\n", 1, "is larger than 2^63-1"),
        (f"a: {'9' * 5000}\n", 1, "is larger than 2^63-1"),
        ("b: &x {c: 1}\na:\n  <<: *x\n", 3, "merge keys (<<) are not supported"),
        ("a: *nothing\n", 1, "the alias *nothing means nothing here"),
        ("a: &a [*a]\n", 1, "the alias *a means nothing here: its anchor is not complete"),
        ("1: x\n", 1, "the key 1 is not text: put it in quotes"),
        ("true: x\n", 1, "the key true is not text"),
        ("[a]: x\n", 1, "a key must be text"),
        ("a: b: c\n", 1, "this is not YAML: mapping values are not allowed"),
        ("a: [1, 2\n", 2, "this is not YAML"),
        ("a:\n  b: 1\n\tc: 2\n", 3, "indent with blanks, tabs are not allowed there"),
        ("a:\n\tc: 2\n", 2, "indent with blanks, tabs are not allowed there"),
        ("a:\n\t- b\n", 2, "found character that cannot start any token; indent with blanks"),
        ('a: "x\\0y"\n', 1, "the text holds a NUL character"),
        ("a: 1\nb: \x07\n", 2, "U+0007"),
    ],
)
def test_what_is_refused_in_yaml_has_its_line_and_a_sentence(text: str, line: int, sentence: str) -> None:
    with pytest.raises(Malformed) as refused:
        yamlio.read(text.encode())
    (fault,) = refused.value.faults
    assert sentence in fault.detail
    assert fault.line == line
    assert fault.column is not None


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ('{"a": 1,\n "a": 2}', (2, 2), "the key a stands here a second time"),
        ('{"a": NaN}', (1, 7), "NaN is neither a value nor text in double quotes"),
        ('{"a": -Infinity}', (1, 7), "-Infinity is neither"),
        ('{"a": 1e400}', (1, 7), "1e400 is out of the range"),
        ('{"a": 010}', (1, 7), "010 is neither"),
        ('{"a": 1,}', (1, 9), "there is nothing after the comma"),
        ("[1, 2,]", (1, 7), "there is nothing after the comma"),
        ('{"a" 1}', (1, 6), "here should be a colon"),
        ('{"a": 1 "b": 2}', (1, 9), "here should be a comma or }"),
        ("{a: 1}", (1, 2), "here should be a key in double quotes"),
        ('{"a": "x\ny"}', (1, 9), "invalid control character"),
        ('{"a": "\\u0000"}', (1, 7), "NUL"),
        ('{"a": "\\ud800"}', (1, 7), "half of a surrogate pair"),
        ('{"a": [1', (1, 9), "here should be a comma or ]"),
        ('{"a":', (1, 6), "the text ends in the middle"),
        ('{"a": 1} {"b": 2}', (1, 10), "there is more text after the end"),
        ("", (1, 1), "there is nothing in it"),
        ('{"a": tru}', (1, 7), "tru is neither"),
    ],
)
def test_what_is_refused_in_json_has_its_place_and_a_sentence(text: str, place: tuple[int, int], sentence: str) -> None:
    with pytest.raises(Malformed) as refused:
        yamlio.read(text.encode(), json=True)
    (fault,) = refused.value.faults
    assert sentence in fault.detail
    assert (fault.line, fault.column) == place


def test_an_alias_is_allowed_while_it_expands_to_little() -> None:
    document = read_one("base: &b {x: [1, 2]}\nagain: *b\nlist: [*b, *b]\n")
    assert document.value["list"] == [{"x": [1, 2]}] * 2
    # what stands below an alias is in the place of the alias
    assert document.place("/list/1/x/0") == Place(3, 12)


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "as_json", "sentence"),
    [
        (bomb(9), False, "more than 50,000 values (aliases count as what they stand for)"),
        ("[" * 10_000 + "]" * 10_000, False, "the nesting is deeper than 40 levels"),
        ("[" * 10_000 + "]" * 10_000, True, "the nesting is deeper than 40 levels"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, True, "the nesting is deeper than 40 levels"),
        ("".join(f"{' ' * i}a:\n" for i in range(1_000)), False, "the nesting is deeper than 40 levels"),
        ("- " * 10_000 + "a\n", False, "the nesting is deeper than 40 levels"),
        ("[" + "1," * 60_000 + "1]", True, "more than 50,000 values"),
        ("[" + "1," * 60_000 + "1]", False, "more than 50,000 values"),
        ("--- a\n" * 600, False, "more than 500 documents"),
    ],
)
def test_a_hostile_text_is_refused_quickly(text: str, as_json: bool, sentence: str) -> None:
    started = time.process_time()
    with pytest.raises(Malformed) as refused:
        yamlio.read(text.encode(), json=as_json)
    assert sentence in refused.value.faults[0].detail
    assert refused.value.faults[0].line is not None
    assert time.process_time() - started < 5


def test_ten_megabytes_are_refused_before_they_are_read() -> None:
    with pytest.raises(TooLarge) as refused:
        yamlio.read(b"a: b\n" * (2 * 1024 * 1024))
    assert "The text has 10 MiB; the limit is 1 MiB: split it" in refused.value.detail


def test_text_that_is_not_utf8_names_its_line() -> None:
    with pytest.raises(Malformed) as refused:
        yamlio.read(b"a: 1\nb: \xff\n")
    assert refused.value.faults[0].line == 2


def test_windows_line_ends_byte_order_mark_and_empty_documents_are_taken() -> None:
    assert [d.value for d in yamlio.read(b"\xef\xbb\xbfa: 1\r\n---\r\n---\r\n# nothing\r\n---\r\nb: 2\r\n")] == [
        {"a": 1},
        {"b": 2},
    ]
