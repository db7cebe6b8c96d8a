"""What vLLM answers to a wrong request, in its words.

There are two kinds. What the schema of a body or a query refuses is a "Bad Request", whose message lists pydantic's
errors; what the code refuses is a "BadRequestError", whose message ends with the parameter and value where the code
names them. Format and sentences: vLLM 0.32 (entrypoints/serve/exception_handling, sampling_params, renderers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MALFORMED = "Bad Request"
_MOST_ERRORS, _LONGEST_INPUT, _LONGEST_ERROR = 10, 200, 1000
# parts of a place that pydantic adds for the branches of a union
_BRANCHES = frozenset({"str", "int", "float", "bool", "list", "dict", "none", "nullable", "union", "constrained-int"})


class RefusedError(Exception):
    """A refused request: HTTP status, vLLM's name of the error, the sentence, the parameter at fault."""

    def __init__(self, message: str, *, status: int = 400, type: str = "BadRequestError", param: str | None = None):
        super().__init__(message)
        self.message, self.status, self.type, self.param = message, status, type, param

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.status}}


def wrong(message: str, *, param: str | None = None, value: object = None) -> RefusedError:
    """What vLLM's code refuses; `param` and `value` where the sentence says them at its end."""
    said = [f"{name}={given}" for name, given in (("parameter", param), ("value", value)) if given is not None]
    return RefusedError(f"{message} ({', '.join(said)})" if said else message, param=param)


def malformed(errors: Sequence[Mapping[str, Any]]) -> RefusedError:
    """What the schema refuses. `errors`: as pydantic's `errors()` lists them, `loc` from `body` or `query` on."""
    many = "error" if len(errors) == 1 else "errors"
    lines = [f"  {_line(error)}" for error in errors[:_MOST_ERRORS]]
    if len(errors) > _MOST_ERRORS:
        lines.append(f"  ...and {len(errors) - _MOST_ERRORS} more {many}")
    message = "\n".join([f"{len(errors)} validation {many}:", *lines])
    return RefusedError(message, type=MALFORMED, param=_place(errors[0]["loc"]))


def not_json(place: int, problem: str) -> RefusedError:
    """`place`: the character at which a body stops being JSON."""
    error = {"type": "json_invalid", "loc": ("body", place), "msg": "JSON decode error", "input": {}}
    return malformed([{**error, "ctx": {"error": problem}}])


def not_declared_json() -> RefusedError:
    """The body's media type is another one."""
    sentence = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed"
    return RefusedError(sentence, type=MALFORMED)


def model_not_found(name: str, served: Iterable[str]) -> RefusedError:
    sentence = f"The model `{name}` does not exist. Valid aliases: {', '.join(served)}."
    return RefusedError(sentence, status=404, type="NotFoundError", param="model")


def busy() -> RefusedError:
    sentence = "The engine is currently busy. Please retry after some time."
    return RefusedError(sentence, status=503, type="ServiceUnavailableError")


def draining() -> RefusedError:
    """What needs the server's own threads, after SIGTERM."""
    return RefusedError("cannot schedule new futures after shutdown", status=500, type="InternalServerError")


def shutting_down() -> RefusedError:
    """What needs the engine behind the server, after SIGTERM."""
    return RefusedError("Server shutting down", status=500, type="InternalServerError")


def _line(error: Mapping[str, Any]) -> str:
    told = {name: error[name] for name in ("type", "loc", "msg", "input", "ctx") if name in error}
    told["loc"] = _place(error["loc"])
    if "input" in told:
        told["input"] = _summary(told["input"])
    text = str(told)
    return text if len(text) <= _LONGEST_ERROR else text[:_LONGEST_ERROR] + "...[truncated]"


def _summary(value: object) -> str:
    if isinstance(value, (list, dict)):
        return f"<{type(value).__name__} of {len(value)} items>"
    text = str(value)
    return text if len(text) <= _LONGEST_INPUT else text[:_LONGEST_INPUT] + "...[truncated]"


def _place(loc: Sequence[object]) -> str:
    return ".".join(str(part) for part in loc if "[" not in str(part) and str(part).lower() not in _BRANCHES)
