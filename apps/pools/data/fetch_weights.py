"""Fetch a model (and adapters) from Hugging Face into HF_HOME, check what lies there, and say what it is.

Runs in an engine's image, which has the hub's own library. Usage: python3 -c THIS REVISION REPOSITORY [ADAPTER...]; the
last line is JSON: {"commit", "files", "bytes"}.
"""

import hashlib
import json
import os
import re
import sys

from huggingface_hub import snapshot_download


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


revision, model, *adapters = sys.argv[1:]
folder = snapshot_download(model, revision=revision)
commit = os.path.basename(folder)
if re.fullmatch("[0-9a-f]{40}", revision) and commit != revision:
    sys.exit(f"digest mismatch: the hub gave commit {commit}, and {revision} is declared")
files, size = checked(folder)
for adapter in adapters:
    more = checked(snapshot_download(adapter))
    files, size = files + more[0], size + more[1]
print(json.dumps({"commit": commit, "files": files, "bytes": size}), flush=True)
