"""An Endpoint through the doors people use: declared with lamp, asked under its public name, answered by the pool."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.support.stack import RunningStack

ENDPOINT = """
apiVersion: lamplight.dev/v1
kind: Endpoint
metadata: {name: front}
spec:
  cluster: embedded
  namespace: serving
  models: [{name: talk, backends: [{pool: chat, weight: 1}]}]
"""


def ask(address: str, model: str) -> dict[str, Any]:
    body = {"model": model, "max_tokens": 4, "messages": [{"role": "user", "content": "Say something."}]}
    request = urllib.request.Request(
        f"{address}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.loads(answer.read()))


def test_a_public_name_reaches_the_pool_behind_it(running_stack: RunningStack) -> None:
    running_stack.lamp("apply", "-f", "-", stdin=ENDPOINT)
    try:
        running_stack.lamp("wait", "--for=condition=Ready", "endpoint/front", "--timeout", "180s")
        address = running_stack.get("/api/v1/teams/default/endpoints/front")["status"]["endpoint"]
        answered = ask(address, "talk")
        assert answered["usage"]["completion_tokens"] == 4
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(address, "nobody")
        assert refused.value.code == 404
    finally:
        running_stack.lamp("delete", "endpoint", "front", "--wait", "--timeout", "180s")
