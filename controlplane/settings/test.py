"""Settings of the test suite: the embedded Postgres and Valkey that tests/conftest.py starts once per run.

`DATABASE_URL` and `REDIS_URL` in the environment point the suite at servers of one's own.
"""

import importlib
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

# Chosen before any server runs, so that the settings can name the sockets; inherited by child processes. Each worker of
# a parallel run (pytest-xdist) has servers of its own: it forgets what the process that started it chose for itself.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
if os.environ.get("LAMPLIGHT_TEST_WORKER", WORKER) != WORKER:
    for name in os.environ["LAMPLIGHT_TEST_CHOSEN"].split():
        del os.environ[name]
if os.environ.get("LAMPLIGHT_TEST_WORKER") != WORKER:
    ours = [n for n in ("LAMPLIGHT_TEST_DIR", "LAMPLIGHT_DATA", "DATABASE_URL", "REDIS_URL") if n not in os.environ]
    os.environ.update(LAMPLIGHT_TEST_WORKER=WORKER, LAMPLIGHT_TEST_CHOSEN=" ".join(ours))
TEST_DIR = Path(os.environ.get("LAMPLIGHT_TEST_DIR") or tempfile.mkdtemp(prefix="lamplight-test-"))
TEST_DIR.chmod(0o755)
os.environ["LAMPLIGHT_TEST_DIR"] = str(TEST_DIR)
os.environ.setdefault("LAMPLIGHT_DATA", str(TEST_DIR / "data"))
OWN_DATABASE = "DATABASE_URL" in os.environ["LAMPLIGHT_TEST_CHOSEN"].split()
OWN_BROKER = "REDIS_URL" in os.environ["LAMPLIGHT_TEST_CHOSEN"].split()
os.environ.setdefault("DATABASE_URL", f"postgres://postgres@{quote(str(TEST_DIR / 'pg'), safe='')}/lamplight")
os.environ.setdefault("REDIS_URL", f"redis+socket://{TEST_DIR / 'valkey' / 'valkey.sock'}?virtual_host=0")
os.environ.setdefault("LAMPLIGHT_SECRET_KEY", "only-for-tests")

import controlplane.settings  # noqa: E402

# the package was read on the way to this module, before the environment above was set
importlib.reload(controlplane.settings)
from controlplane.settings import *  # noqa: E402, F403
from controlplane.settings import DATABASES  # noqa: E402

# threads of a test hold connections of their own; a pool would keep them from being dropped with the database
DATABASES["default"]["OPTIONS"].pop("pool", None)
# what one test rolls back is nothing to the next
FLEET_KEPT_SECONDS = 0.0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
