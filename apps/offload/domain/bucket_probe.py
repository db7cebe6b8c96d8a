"""The program that measures an object store before any tier is on it: what engines of vLLM's `obj` tier do, with the
standard library alone (AWS Signature Version 4, paths as MinIO, Ceph and S3 all take them)."""

from __future__ import annotations

from typing import Any

__all__ = ["BUCKET_PROGRAM", "bucket_container"]

_THREADS, _OBJECTS, _MIB, _SECONDS = 4, 4, 16, 8

# Each thread writes and reads `objects` objects of `mib` MiB over a connection of its own, for at most `seconds` each
# way, and all are deleted whatever happens. An answer that is no success ends it with the store's own code; keys are
# never printed.
BUCKET_PROGRAM = r"""
import datetime, hashlib, hmac, http.client, json, os, re, sys, threading, time
from urllib.parse import quote, urlsplit

def signed(method, host, path, query, digest, at, key, secret, region):
    # of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": at}
    if not key:
        return headers
    names = ";".join(sorted(headers))
    lines = "".join("%s:%s\n" % (name, headers[name]) for name in sorted(headers))
    asked = "\n".join((method, path, query, lines, names, digest))
    scope = "%s/%s/s3/aws4_request" % (at[:8], region)
    text = "\n".join(("AWS4-HMAC-SHA256", at, scope, hashlib.sha256(asked.encode()).hexdigest()))
    made = ("AWS4" + secret).encode()
    for part in (*scope.split("/"), text):
        made = hmac.new(made, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s" % (
        key, scope, names, made.hex())
    return headers

def main(endpoint, bucket, threads, objects, mib, limit):
    at, size = urlsplit(endpoint), mib << 20
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or "us-east-1"
    home = "%s/%s/lamplight-probe/%d-%d" % (at.path.rstrip("/"), bucket, os.getpid(), time.time_ns())
    data = os.urandom(1 << 20) * mib
    whole, nothing = hashlib.sha256(data).hexdigest(), hashlib.sha256(b"").hexdigest()
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    lines = [kind(at.netloc, timeout=20) for _ in range(threads)]
    buffers = [bytearray(1 << 20) for _ in range(threads)]
    written, moved, first, failed = [0] * threads, [0] * threads, [float("inf")] * threads, []

    def ask(i, method, number, body=None):
        path = quote("%s/%d-%d" % (home, i, number), safe="/-_.~")
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = whole if body else nothing
        headers = signed(method, at.netloc, path, "", digest, now, key, secret, region)
        start, got = time.monotonic(), 0
        lines[i].request(method, path, body=body, headers=headers)
        answer = lines[i].getresponse()
        if answer.status >= 300:
            code = re.search(rb"<Code>([A-Za-z]+)</Code>", answer.read(65536))
            told = code.group(1).decode() if code else answer.reason
            raise RuntimeError("%s answers %d %s" % (method, answer.status, told))
        while True:
            count = answer.readinto(buffers[i])
            if not count:
                return got
            if not got and method == "GET":
                first[i] = min(first[i], time.monotonic() - start)
            got += count

    def write(i):
        end = time.monotonic() + limit
        while written[i] < objects and time.monotonic() < end:
            ask(i, "PUT", written[i], data)
            written[i] += 1

    def read(i):
        end, number = time.monotonic() + limit, 0
        while number < written[i] and time.monotonic() < end:
            got = ask(i, "GET", number)
            if got != size:
                raise RuntimeError("an object of %d bytes came back as %d" % (size, got))
            moved[i], number = moved[i] + got, number + 1

    def sweep(i):
        # one more than was acknowledged: an answer may be lost
        lines[i].close()
        for number in range(min(written[i] + 1, objects)):
            ask(i, "DELETE", number)

    def run(work, into):
        def kept(i):
            try:
                work(i)
            except Exception as error:
                into.append("%s: %s" % (type(error).__name__, error))
        start = time.monotonic()
        all_ = [threading.Thread(target=kept, args=(i,)) for i in range(threads)]
        [t.start() for t in all_]
        [t.join() for t in all_]
        return max(time.monotonic() - start, 1e-6)

    try:
        stored = run(write, failed)
        loaded = run(read, failed) if not failed else 0.0
    finally:
        run(sweep, [])
    if failed:
        sys.exit("cannot measure bucket %s at %s: %s" % (bucket, endpoint, failed[0]))
    # a simulated store says how fast it is
    most = float(os.environ.get("LAMPLIGHT_STORAGE_BANDWIDTH") or "inf")
    load, store = min(sum(moved) / loaded, most), min(sum(written) * size / stored, most)
    print(json.dumps({"load": load, "store": store, "latency": min(first)}))

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]))
"""


def bucket_container(image: str, endpoint: str, bucket: str, secret: str | None) -> dict[str, Any]:
    """A container that measures `bucket` with the credentials that engines get (a Secret of the namespace; None: the
    store asks for none). At most 256 MiB are written and read."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    env = [{"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}} for name in names]
    sizes = [str(number) for number in (_THREADS, _OBJECTS, _MIB, _SECONDS)]
    return {
        "name": "probe",
        "image": image,
        "command": ["python3", "-c", BUCKET_PROGRAM, endpoint, bucket, *sizes],
        **({"env": env} if secret is not None else {}),
    }
