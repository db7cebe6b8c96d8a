"""Reading a `vllm serve` command line as vLLM's own parser reads it.

vLLM's parser is an argparse parser behind a rewriting step: underscores in option names become dashes, `-O3` becomes
`--optimization-level 3`, and dotted options (`--kv-transfer-config.kv_role kv_both`, `--x.list+ a,b`) are merged into
one JSON value. We do the same rewriting and hand the rest to argparse, so that spellings, abbreviations and the words
of a refusal are the same.
"""

from __future__ import annotations

import argparse
import ast
import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from apps.catalog.domain.vllm.facts import Flag, flags, table_version

_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class ParsedArgs:
    """An accepted command line.

    `model`: what is served. `values`: every option by destination (`max_model_len`), defaults included; an option
    whose default vLLM computes later is None. `given`: the destinations that the command line sets.
    """

    model: str
    values: Mapping[str, Any]
    given: frozenset[str]

    def __getitem__(self, destination: str) -> Any:
        return self.values[destination]


def parse_args(version: str, argv: Sequence[str]) -> ParsedArgs | str:
    """Parse what follows `vllm serve`; the answer to a command line that vLLM refuses is its sentence, without the
    leading `vllm serve: error: `."""
    if any(word in ("-h", "--help") or word.startswith("--help=") for word in argv):
        return "--help prints the options and serves nothing"
    parser = _parser(table_version(version))
    try:
        namespace = vars(parser.parse_args(_rewritten(list(argv))))
    except _RefusedError as refused:
        return str(refused)
    model = namespace.pop("model_tag")
    table = flags(version)
    given = {name for name, value in namespace.items() if value is not _ABSENT}
    values = {
        flag.destination: namespace[flag.destination] if flag.destination in given else _default(flag)
        for flag in table.values()
    }
    return _cross_checked(ParsedArgs(model or values["model"], values, frozenset(given)))


def _cross_checked(parsed: ParsedArgs) -> ParsedArgs | str:
    """The checks that vLLM makes between parsing and starting the engine (validate_parsed_serve_args)."""
    if parsed["enable_auto_tool_choice"] and not parsed["tool_call_parser"]:
        return "Error: --enable-auto-tool-choice requires --tool-call-parser"
    if parsed["enable_log_outputs"] and not parsed["enable_log_requests"]:
        return "Error: --enable-log-outputs requires --enable-log-requests"
    return parsed


class _RefusedError(Exception):
    pass


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _RefusedError(message)


class _BoolAction(argparse.Action):
    """A flag that one set of spellings sets and another clears; neither takes a value."""

    def __init__(self, option_strings: Sequence[str], dest: str, negative: Sequence[str], **kwargs: Any) -> None:
        super().__init__([*option_strings, *negative], dest, nargs=0, **kwargs)
        self._negative = frozenset(negative)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, option_string not in self._negative)


class _AppendAction(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [values] if before is _ABSENT else [*before, values])


@functools.cache
def _parser(version: str) -> argparse.ArgumentParser:
    parser = _Parser(prog="vllm serve", usage="vllm serve [model_tag] [options]", add_help=False)
    parser.add_argument("model_tag", nargs="?", default=None)
    for flag in flags(version).values():
        _add(parser, flag)
    return parser


def _add(parser: argparse.ArgumentParser, flag: Flag) -> None:
    names = (flag.name, *flag.aliases)
    options: dict[str, Any] = {"dest": flag.destination, "default": _ABSENT}
    if flag.kind == "bool":
        parser.add_argument(*names, action=_BoolAction, negative=flag.negative, **options)
        return
    if flag.kind == "switch":
        parser.add_argument(*names, action="store_true", **options)
        return
    convert = _CONVERTERS[flag.type]
    options["type"] = convert
    if flag.choices:
        options["choices"] = [convert(choice) for choice in flag.choices]
    if flag.nargs == "append":
        options["action"] = _AppendAction
    elif flag.nargs is not None:
        options["nargs"] = flag.nargs
    parser.add_argument(*names, **options)


def _rewritten(argv: list[str]) -> list[str]:
    return _merged_dotted(_dashed(argv))


def _dashed(argv: list[str]) -> list[str]:
    words: list[str] = []
    for position, word in enumerate(argv):
        following = argv[position + 1] if position + 1 < len(argv) else ""
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            head, dot, tail = name.partition(".")
            words.append(head.replace("_", "-") + dot + tail + equals + value)
        elif word.startswith("-O") and word != "-O":
            words += ["--optimization-level", word[2:].removeprefix("=")]
        elif word == "-O" and following in {"0", "1", "2", "3"}:
            words.append("--optimization-level")
        else:
            words.append(word)
    return words


def _merged_dotted(argv: list[str]) -> list[str]:
    plain: list[str] = []
    merged: dict[str, dict[str, Any]] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if not (name.startswith("-") and "." in name and not _is_number(name)):
            plain.append(word)
            continue
        if not equals:
            following = next(words, None)
            if following is None:
                raise _RefusedError(f"argument {name}: expected one argument")
            value = following
        option, *keys = name.removesuffix("+").split(".")
        parsed = value.split(",") if name.endswith("+") else _loose(value)
        _update(merged.setdefault(option, {}), _nested(keys, parsed))
    for option, value_of in merged.items():
        plain += [option, json.dumps(value_of)]
    return plain


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value


def _update(target: dict[str, Any], update: Mapping[str, Any]) -> None:
    for key, value in update.items():
        present = target.get(key)
        if isinstance(value, dict) and isinstance(present, dict):
            _update(present, value)
        elif isinstance(value, list) and isinstance(present, list):
            present.extend(value)
        else:
            target[key] = value


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-\d*\.?\d+", text) is not None


def _loose(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    try:
        return human_readable_int(text)
    except (ValueError, argparse.ArgumentTypeError):
        return text


def human_readable_int(value: str) -> int:
    """`8192`, `8k` (8,000), `8K` (8,192), `25.6k` (25,600). Raises as vLLM's converter of this name does; argparse
    puts the name into its sentence."""
    value = value.strip()
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmMgGtT])", value)
    if found is None:
        return int(value)
    number, suffix = found.groups()
    if suffix.islower():
        return int(float(number) * _UNITS[suffix])
    if "." in number:
        raise argparse.ArgumentTypeError(
            f"Decimals are not allowed with binary suffixes like {suffix}. "
            f"Did you mean to use {number}{suffix.lower()} instead?"
        )
    return int(number) * _UNITS[suffix]


def human_readable_int_or_auto(value: str) -> int:
    """As `human_readable_int`; `auto` and `-1` are -1: vLLM chooses."""
    return -1 if value.strip().lower() in ("-1", "auto") else human_readable_int(value)


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"Value {value} cannot be converted to JSON: {error}") from error


def _json_or_str(value: str) -> Any:
    return _json(value) if re.fullmatch(r"(?s)\s*{.*}\s*", value) else value


_CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "json": _json,
    "json_or_str": _json_or_str,
    "size": human_readable_int,
    "size_or_auto": human_readable_int_or_auto,
}


def _default(flag: Flag) -> Any:
    text = flag.default
    if text is None or text == "None":
        return False if flag.kind == "switch" else None
    if flag.kind in ("bool", "switch"):
        return text == "True"
    if flag.nargs in ("+", "append") or flag.type == "json" or (flag.type == "json_or_str" and text.startswith("{")):
        return set() if text == "set()" else ast.literal_eval(text)
    return _CONVERTERS[flag.type](text)
