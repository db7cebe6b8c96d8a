"""Fetch a model (and adapters) from Hugging Face into HF_HOME, check what lies there, and say what it is.

Runs in an engine's image, which has the hub's own library. Usage: python3 -c THIS REVISION REPOSITORY [ADAPTER...]; the
last line is JSON: {"commit", "files", "bytes", "evicted"} (bytes that older fetches held).

With LAMPLIGHT_POOL and LAMPLIGHT_KEEP the volume has a ledger for each pool: what its last fetches laid down. What
falls off the end of this pool's, and is in nobody else's, is removed; what was never in a ledger is somebody's.
"""

import hashlib
import json
import os
import re
import sys

from huggingface_hub import scan_cache_dir, snapshot_download


def checked(folder: str) -> tuple[int, int]:
    """Files and bytes of a snapshot. A large file's blob is named by its SHA-256: what does not match is taken away."""
    files = size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.realpath(os.path.join(place, name))
            files, size = files + 1, size + os.path.getsize(path)
            wanted = os.path.basename(path)
            if not re.fullmatch("[0-9a-f]{64}", wanted):
                continue
            digest = hashlib.sha256()
            with open(path, "rb") as file:
                while chunk := file.read(1 << 22):
                    digest.update(chunk)
            if digest.hexdigest() != wanted:
                os.remove(path)
                found = digest.hexdigest()
                sys.exit(f"digest mismatch: {name} is {found[:12]} and should be {wanted[:12]}; it was removed")
    return files, size


def remembered(ledger: str) -> list[list[str]]:
    """The commits of each fetch that a ledger holds, the newest first."""
    try:
        with open(ledger, encoding="utf-8") as file:
            return [[str(commit) for commit in fetch] for fetch in json.load(file)]
    except (OSError, ValueError, TypeError):
        return []


def remember(ledgers: str, commits: list[str]) -> set[str]:
    """Put this fetch first in the pool's ledger; the commits that fell off it and that no ledger has."""
    os.makedirs(ledgers, exist_ok=True)
    own = os.path.join(ledgers, os.environ["LAMPLIGHT_POOL"] + ".json")
    before = remembered(own)
    after = [commits, *(fetch for fetch in before if fetch != commits)][: int(os.environ["LAMPLIGHT_KEEP"])]
    with open(own + ".new", "w", encoding="utf-8") as file:
        json.dump(after, file)
    os.replace(own + ".new", own)
    kept = {
        commit
        for name in os.listdir(ledgers)
        if name.endswith(".json")
        for fetch in remembered(os.path.join(ledgers, name))
        for commit in fetch
    }
    return {commit for fetch in before for commit in fetch} - kept


revision, model, *adapters = sys.argv[1:]
folder = snapshot_download(model, revision=revision)
commit = os.path.basename(folder)
if re.fullmatch("[0-9a-f]{40}", revision) and commit != revision:
    sys.exit(f"digest mismatch: the hub gave commit {commit}, and {revision} is declared")
folders = [folder, *map(snapshot_download, adapters)]
# remembered before it is checked: if another pool's Job removed a part just now, the check fails and it is fetched anew
dropped = set()
if "LAMPLIGHT_KEEP" in os.environ:
    dropped = remember(os.path.join(os.environ["HF_HOME"], "lamplight"), [os.path.basename(one) for one in folders])
files = size = evicted = 0
for one in folders:
    more = checked(one)
    files, size = files + more[0], size + more[1]
if dropped:
    removal = scan_cache_dir().delete_revisions(*sorted(dropped))
    removal.execute()
    evicted = removal.expected_freed_size
print(json.dumps({"commit": commit, "files": files, "bytes": size, "evicted": evicted}), flush=True)
