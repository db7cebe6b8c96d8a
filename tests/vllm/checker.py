"""Run by the Python that has vLLM: reads questions, one JSON a line, and answers each with `ANSWER {...}`.

{"argv": [...], "full": bool}: would `vllm serve` take this command line; with full, does it make an engine's
configuration of it (then the model must be local). {"flags": true}: every option: spellings, default, choices.
"""

import json
import sys


def parser():
    try:
        from vllm.entrypoints.common.cli_args import make_arg_parser, validate_parsed_serve_args
    except ImportError:
        from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    class Raising(FlexibleArgumentParser):
        def error(self, message):
            raise ValueError(message)

    return make_arg_parser(Raising(prog="vllm serve")), validate_parsed_serve_args


def check(argv, full):
    from vllm.engine.arg_utils import AsyncEngineArgs

    made, checked = parser()
    arguments = made.parse_args(argv)
    arguments.model = arguments.model_tag or arguments.model
    checked(arguments)
    if full:
        AsyncEngineArgs.from_cli_args(arguments).create_engine_config()


def flags():
    made, _ = parser()
    return {
        action.option_strings[0]: {
            "spellings": action.option_strings,
            "default": None if action.default is None else str(action.default),
            "choices": [str(choice) for choice in action.choices] if action.choices else [],
        }
        for action in made._actions
        if action.option_strings
    }


def main():
    import vllm

    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "flags" in question:
                answer = {"version": vllm.__version__, "flags": flags()}
            else:
                check(question["argv"], question["full"])
                answer = {"error": None}
        except (Exception, SystemExit) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print("ANSWER " + json.dumps(answer), flush=True)


main()
