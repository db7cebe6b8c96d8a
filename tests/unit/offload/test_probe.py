"""What measures a volume or an object store before any tier is on it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from apps.offload.domain.bucket_probe import BUCKET_PROGRAM, bucket_container
from apps.offload.domain.probe import PROGRAM, Unreadable, claim_container, job_manifest, read_result

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def test_the_probe_measures_a_directory_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), "2", "8", "2"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    result = read_result(done.stdout)
    assert result["load"] > 1e6
    assert result["store"] > 1e6
    assert list(tmp_path.iterdir()) == []


def test_a_probe_that_cannot_write_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "/proc/nowhere", "1", "1", "1"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    with pytest.raises(Unreadable, match="No such file"):
        read_result(done.stderr)


def job(container: dict[str, Any], claim: str | None) -> dict[str, Any]:
    made = job_manifest(
        name="chat-kv-probe-1",
        namespace="serving",
        container=container,
        claim=claim,
        node_selector={"nvidia.com/gpu.product": "H200"},
        toleration="nvidia.com/gpu",
        labels={},
    )
    return dict(made["spec"]["template"]["spec"])


def test_the_probe_runs_where_engines_do_and_takes_no_accelerator() -> None:
    pod = job(claim_container("vllm/vllm-openai:v0.33.0"), "kv")
    assert pod["nodeSelector"] == {"nvidia.com/gpu.product": "H200"}
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "kv"}
    assert "nvidia.com/gpu" not in str(pod["containers"][0]["resources"])


def test_a_bucket_is_measured_with_the_credentials_of_engines_which_nobody_can_read_in_the_job() -> None:
    pod = job(bucket_container("vllm/vllm-openai:v0.33.0", "https://s3.example.com", "kv", "kv-keys"), None)
    assert "volumes" not in pod
    refs = {one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in pod["containers"][0]["env"]}
    assert refs == {"AWS_ACCESS_KEY_ID": "kv-keys", "AWS_SECRET_ACCESS_KEY": "kv-keys"}
    assert "env" not in bucket_container("vllm/vllm-openai:v0.33.0", "https://s3.example.com", "kv", None)


# --- an object store -------------------------------------------------------------------------------------------------


def functions() -> dict[str, Any]:
    """What the program defines, without running it."""
    found: dict[str, Any] = {"__name__": "probe"}
    exec(BUCKET_PROGRAM, found)
    return found


def test_requests_are_signed_as_the_published_example_is() -> None:
    """`GET Bucket Lifecycle` of docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html."""
    signed: Callable[..., dict[str, str]] = functions()["signed"]
    nothing = hashlib.sha256(b"").hexdigest()
    host, at = "examplebucket.s3.amazonaws.com", "20130524T000000Z"
    headers = signed("GET", host, "/", "lifecycle=", nothing, at, KEY, SECRET, "us-east-1")
    assert headers["authorization"] == (
        f"AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )
    assert "authorization" not in signed("GET", host, "/", "", nothing, at, "", "", "us-east-1")


class _Store(BaseHTTPRequestHandler):
    """Objects by path, for whoever signs with our key; `refuse`: the code with which the third object is."""

    protocol_version = "HTTP/1.1"
    objects: ClassVar[dict[str, bytes]] = {}
    seen: ClassVar[list[tuple[str, str]]] = []
    refuse: ClassVar[str] = ""
    cut: ClassVar[bool] = False

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append((self.command, self.path))
        digest = hashlib.sha256(body).hexdigest()
        expected = functions()["signed"](
            self.command, self.headers["Host"], self.path, "", digest, self.headers["x-amz-date"], KEY, SECRET,
            "us-east-1",
        )  # fmt: skip
        if self.headers["authorization"] != expected["authorization"]:
            return self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        if self.command == "PUT":
            if self.refuse and len(self.objects) == 2:
                return self._answer(507, f"<Error><Code>{self.refuse}</Code></Error>".encode())
            self.objects[self.path] = body
            return self._answer(200, b"")
        if self.command == "DELETE":
            self.objects.pop(self.path, None)
            return self._answer(204, b"")
        found = self.objects.get(self.path)
        return self._answer(200, found[: len(found) // (2 if self.cut else 1)]) if found else self._answer(404, b"")

    do_GET = do_PUT = do_DELETE = handle_one

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def store(**how: Any) -> Iterator[tuple[str, type[_Store]]]:
    handler = type("Handler", (_Store,), {"objects": {}, "seen": [], **how})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", handler
        finally:
            server.shutdown()
            thread.join()


def probe(endpoint: str, secret: str = SECRET, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMPLIGHT_"))}
    return subprocess.run(
        [sys.executable, "-c", BUCKET_PROGRAM, endpoint, "kv", "2", "2", "1", "30"],
        env={**environment, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": secret, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_bucket_is_measured_and_nothing_is_left_in_it() -> None:
    with store() as (endpoint, handler):
        done = probe(endpoint)
        assert done.returncode == 0, done.stderr
        result = read_result(done.stdout)
        assert result["load"] > 1e5
        assert result["store"] > 1e5
        assert 0 <= result["latency"] < 20
        assert handler.objects == {}
        assert [sum(method == one for method, _ in handler.seen) for one in ("PUT", "GET", "DELETE")] == [4, 4, 4]
        assert all(path.startswith("/kv/lamplight-probe/") for _, path in handler.seen)
        slow = read_result(probe(endpoint, LAMPLIGHT_STORAGE_BANDWIDTH="1000").stdout)
        assert (slow["load"], slow["store"]) == (1000, 1000)


@pytest.mark.parametrize(
    ("how", "secret", "words"),
    [
        ({}, "another", "PUT answers 403 SignatureDoesNotMatch"),
        ({"refuse": "QuotaExceeded"}, SECRET, "PUT answers 507 QuotaExceeded"),
        ({"cut": True}, SECRET, "came back as 524288"),
    ],
)
def test_a_bucket_that_cannot_be_measured_says_why_and_keeps_nothing(
    how: dict[str, Any], secret: str, words: str
) -> None:
    with store(**how) as (endpoint, handler):
        done = probe(endpoint, secret)
        assert done.returncode != 0
        with pytest.raises(Unreadable, match=words):
            read_result(done.stderr)
        assert secret not in done.stderr
        assert handler.objects == {}


def test_a_store_that_is_not_there_is_no_measurement() -> None:
    done = probe("http://127.0.0.1:9")
    assert done.returncode != 0
    with pytest.raises(Unreadable, match="cannot measure bucket kv at http://127"):
        read_result(done.stderr)
