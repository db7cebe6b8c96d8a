"""Loaded by the Python of a real vLLM in a pod of the embedded cluster: pods share a machine, and each binds an address
of its own."""

import contextlib
import ctypes
import os
import platform
import sys
from typing import Any

HOST = os.environ.get("LAMPLIGHT_BIND_HOST")
# <asm/prctl.h>: leave for a feature of the processor whose state is large, here the tiles of its matrix unit
ARCH_PRCTL, REQUEST_PERMISSION, TILES = 158, 0x1023, 18

if HOST:
    with contextlib.suppress(ImportError):
        import zmq

        bind = zmq.Socket.bind

        def bind_to_the_pod(self: Any, addr: Any) -> Any:
            if isinstance(addr, str):
                addr = addr.replace("tcp://*:", f"tcp://{HOST}:", 1)
            return bind(self, addr)

        zmq.Socket.bind = bind_to_the_pod  # type: ignore[method-assign]

if (sys.platform, platform.machine()) == ("linux", "x86_64"):
    # the CPU build asks for it before a prompt of several tokens and not before one token: an engine whose first pass
    # ever is one token would end by SIGILL. Where there is no such unit the kernel says no, and nothing is lost
    ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST_PERMISSION, TILES)
