"""Run by the Python that has vLLM: reads questions, one JSON a line, and answers each with `ANSWER {...}`.

{"argv": [...], "full": bool}: would `vllm serve` take this command line; with full, does it make an engine's
configuration of it (then the model must be local). {"flags": true}: the table of every option (flag_table.py).
"""

import json
import sys

from flag_table import cli_args, table


def parser():
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    class Raising(FlexibleArgumentParser):
        def error(self, message):
            raise ValueError(message)

    module = cli_args()
    return module.make_arg_parser(Raising(prog="vllm serve")), module.validate_parsed_serve_args


def check(argv, full):
    from vllm.engine.arg_utils import AsyncEngineArgs

    made, checked = parser()
    arguments = made.parse_args(argv)
    arguments.model = arguments.model_tag or arguments.model
    checked(arguments)
    if full:
        AsyncEngineArgs.from_cli_args(arguments).create_engine_config()


def main():
    import vllm

    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "flags" in question:
                answer = {"version": vllm.__version__, "flags": table()["flags"]}
            else:
                check(question["argv"], question["full"])
                answer = {"error": None}
        except (Exception, SystemExit) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print("ANSWER " + json.dumps(answer), flush=True)


main()
