"""Run by the Python that has vLLM: writes the table of a version's `vllm serve` options to standard output.

    VLLM_TARGET_DEVICE=cpu $VLLM_PYTHON tests/vllm/flag_table.py > apps/catalog/data/vllm/flags-<version>.json

It is what the parser says of itself; that the printed table is the one in the repository is tested where a vLLM is.
"""

import argparse
import contextlib
import importlib
import json
import sys

SOURCE = (
    "Option table of the `vllm serve` {version} command line, read from its own parser (vLLM project, Apache-2.0). "
    "Defaults are the parser's, as text. Defaults that are printed Python objects are left out."
)
TYPES = {
    "int": "int", "float": "float", "str": "str", "human_readable_int": "size",
    "human_readable_int_or_auto": "size_or_auto", "loads": "json", "parse_dataclass": "json",
    "union_dict_and_str": "json_or_str", "parse_reasoning_parser": "str",
}  # fmt: skip


PLACES = ("common.cli_args", "launchers.cli_args", "openai.cli_args")


def cli_args():
    """The module of the parser, which versions keep in different places."""
    for place in PLACES:
        with contextlib.suppress(ImportError):
            return importlib.import_module(f"vllm.entrypoints.{place}")
    raise SystemExit(f"this vLLM has its parser in none of {', '.join(PLACES)}")


def type_of(convert):
    """Our word for what a value is converted to; optional and generic converters say it in their closure."""
    name = getattr(convert, "__name__", "")
    if name in ("_optional_type", "_parse_type"):
        return type_of(next(cell.cell_contents for cell in convert.__closure__ if callable(cell.cell_contents)))
    return TYPES.get(name, "str")


def row_of(action, spellings):
    name, *others = spellings
    row = {"name": name}
    negative = []
    if "Boolean" in type(action).__name__ or "EnableDisable" in type(action).__name__:
        kind = "bool"
        cleared = [other for other in others if clears(action, other)]
        others, negative = [other for other in others if other not in cleared], cleared
    else:
        kind = "switch" if isinstance(action, argparse._StoreTrueAction) else "value"
    if others:
        row["aliases"] = others
    row["kind"] = kind
    if negative:
        row["negative"] = negative
    if kind == "value":
        row["type"] = type_of(action.type)
        if isinstance(action, argparse._AppendAction):
            row["nargs"] = "append"
        elif action.nargs in ("?", "+"):
            row["nargs"] = action.nargs
        if action.choices:
            row["choices"] = [str(choice) for choice in action.choices]
    default = None if action.default is None else str(action.default)
    if default is not None and default != argparse.SUPPRESS and "(" not in default and "<" not in default:
        row["default"] = default
    return row


def clears(action, spelling):
    """Whether this spelling of a yes-or-no option says no: asked of the option itself."""
    told = argparse.Namespace()
    action(argparse.ArgumentParser(), told, None, spelling)
    return getattr(told, action.dest) is False


def table():
    import vllm

    version = ".".join(vllm.__version__.split(".")[:2])
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = cli_args().make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
    # some spellings are taken and not shown: the parser's own index has them all
    spellings = {id(action): [] for action in parser._actions}
    for spelling, action in parser._option_string_actions.items():
        spellings[id(action)].append(spelling)
    rows = [row_of(action, spellings[id(action)]) for action in parser._actions if action.option_strings]
    rows = [row for row in rows if row["name"] not in ("-h", "--help")]
    return {"source": SOURCE.format(version=version), "version": version, "flags": rows}


def main():
    made = table()
    rows = ",\n".join("  " + json.dumps(row) for row in made["flags"])
    head = f' "source": {json.dumps(made["source"])},\n "version": {json.dumps(made["version"])},'
    sys.stdout.write("{\n" + head + '\n "flags": [\n' + rows + "\n ]\n}\n")


if __name__ == "__main__":
    main()
