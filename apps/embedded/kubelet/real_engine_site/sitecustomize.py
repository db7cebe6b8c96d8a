"""Loaded by the Python of a real vLLM in a pod of the embedded cluster: pods share a machine, and each binds an address
of its own."""

import contextlib
import os
from typing import Any

HOST = os.environ.get("LAMPLIGHT_BIND_HOST")

if HOST:
    with contextlib.suppress(ImportError):
        import zmq

        bind = zmq.Socket.bind

        def bind_to_the_pod(self: Any, addr: Any) -> Any:
            if isinstance(addr, str):
                addr = addr.replace("tcp://*:", f"tcp://{HOST}:", 1)
            return bind(self, addr)

        zmq.Socket.bind = bind_to_the_pod  # type: ignore[method-assign]
