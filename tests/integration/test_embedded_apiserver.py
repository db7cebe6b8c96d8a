"""The API server as a process of its own, used by an unmodified kubectl and by the official Python client."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.support.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
SERVICE_CIDR = "127.91.128.0/17"
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "lamplight/process"}]},
        },
    },
}
POOL = {
    "apiVersion": "inference.networking.k8s.io/v1",
    "kind": "InferencePool",
    "metadata": {"name": "chat", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "targetPorts": [{"number": 8000}],
        "endpointPickerRef": {"name": "picker", "port": {"number": 9002}},
    },
}


@dataclass
class ApiServerProcess:
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def url(self) -> str:
        return yaml.safe_load(self.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]

    @classmethod
    def start(cls, folder: Path, port: int = 0) -> ApiServerProcess:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.unlink(missing_ok=True)
        log = (folder / "log").open("ab")
        arguments = ["--data", folder / "data", "--kubeconfig", kubeconfig, "--service-cidr", SERVICE_CIDR]
        process = subprocess.Popen(
            [sys.executable, "-m", "apps.embedded.apiserver", *map(str, arguments), "--port", str(port)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        started = cls(folder, process)
        try:
            wait_until(kubeconfig.exists, message="the API server writes its kubeconfig")
        except AssertionError:
            started.stop()
            pytest.fail(f"the API server did not start:\n{(folder / 'log').read_text()[-3000:]}")
        return started

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)


@pytest.fixture
def apiserver(tmp_path: Path) -> Iterator[ApiServerProcess]:
    started = ApiServerProcess.start(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def kubernetes_client(apiserver: ApiServerProcess) -> Iterator[object]:
    from kubernetes import client, config

    api = config.new_client_from_config(str(apiserver.kubeconfig))
    api.default_headers["User-Agent"] = "official-client/1"
    with client.ApiClient(api.configuration) as opened:
        opened.default_headers.update(api.default_headers)
        yield opened


def kubectl_of(apiserver: ApiServerProcess, tmp_path: Path) -> Callable[..., str]:
    """Runs kubectl against the server and answers its output (its complaint for ``ok=False``)."""
    path = shutil.which("kubectl")
    if path is None:
        pytest.skip("there is no kubectl on PATH: install 1.30 or later to run this test")
    shown = subprocess.run([path, "version", "--client", "-o", "json"], capture_output=True, text=True, timeout=90)
    version = re.search(r'"gitVersion": *"v1\.(\d+)', shown.stdout)
    if version is None or int(version[1]) < 30:
        pytest.skip(f"kubectl is older than 1.30: {shown.stdout[:200]}")
    environment = {**os.environ, "KUBECONFIG": str(apiserver.kubeconfig), "HOME": str(tmp_path)}

    def run(*arguments: str, stdin: object = None, ok: bool = True) -> str:
        done = subprocess.run(
            [path, *arguments],
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )
        assert not ok or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout if ok else done.stderr

    return run


def test_what_kubectl_creates_in_protobuf(apiserver: ApiServerProcess, tmp_path: Path) -> None:
    kubectl = kubectl_of(apiserver, tmp_path)
    assert "namespace/made created" in kubectl("create", "namespace", "made")
    kubectl("create", "configmap", "settings", "-n", "made", "--from-literal=colour=blue")
    assert kubectl("get", "configmap", "settings", "-n", "made", "-o", "jsonpath={.data.colour}") == "blue"
    kubectl("create", "secret", "generic", "key", "-n", "made", "--from-literal=p=hidden")
    assert kubectl("get", "secret", "key", "-n", "made", "-o", "jsonpath={.data.p}") == "aGlkZGVu"
    assert "serviceaccount/robot created" in kubectl("create", "serviceaccount", "robot", "-n", "made")


def test_kubectl_auth_is_answered(apiserver: ApiServerProcess, tmp_path: Path) -> None:
    kubectl = kubectl_of(apiserver, tmp_path)
    assert kubectl("auth", "can-i", "create", "deployments.apps", "-n", "default").strip() == "yes"
    assert kubectl("auth", "can-i", "get", "/healthz").strip() == "yes"
    assert "*.*" in kubectl("auth", "can-i", "--list")
    assert "Username" in kubectl("auth", "whoami")


def test_kubectl_works_unmodified(apiserver: ApiServerProcess, tmp_path: Path) -> None:
    kubectl = kubectl_of(apiserver, tmp_path)
    assert "deployment.apps/web serverside-applied" in kubectl("apply", "--server-side", "-f", "-", stdin=DEPLOYMENT)
    assert re.search(r"web +0/2 +0 +0 ", kubectl("get", "deploy"))
    assert "Selector:" in kubectl("describe", "deploy", "web")
    kubectl("scale", "deploy", "web", "--replicas=3")
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "3"
    conflict = kubectl("apply", "--server-side", "-f", "-", stdin=DEPLOYMENT, ok=False)
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in conflict
    kubectl("apply", "-f", "-", stdin=POOL)
    assert "chat" in kubectl("get", "infpool")
    typo = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replica": 1}}
    assert 'unknown field "spec.replica"' in kubectl("apply", "-f", "-", stdin=typo, ok=False)
    assert "deployment.apps/web" in kubectl("get", "all", "-o", "name")
    assert "FIELD: replicas <integer>" in kubectl("explain", "deploy.spec.replicas")
    kubectl("delete", "deploy", "web")
    assert "web" not in kubectl("get", "deploy", "-o", "name")


def test_kubectl_watch_streams_changes(apiserver: ApiServerProcess, tmp_path: Path) -> None:
    kubectl = kubectl_of(apiserver, tmp_path)
    environment = {**os.environ, "KUBECONFIG": str(apiserver.kubeconfig), "HOME": str(tmp_path)}
    seen: list[str] = []
    watch = subprocess.Popen(
        ["kubectl", "get", "deploy", "--watch", "-o", "name"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert watch.stdout is not None
    reader = threading.Thread(target=lambda: seen.extend(iter(watch.stdout.readline, "")), daemon=True)
    reader.start()
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=DEPLOYMENT)
        wait_until(
            lambda: any("deployment.apps/web" in line for line in seen), message="the watch shows the Deployment"
        )
    finally:
        watch.terminate()
        watch.wait(60)
        reader.join(5)


def test_the_official_python_client_works(apiserver: ApiServerProcess, kubernetes_client: object) -> None:
    from kubernetes import client, watch

    core, apps = client.CoreV1Api(kubernetes_client), client.AppsV1Api(kubernetes_client)
    names = {namespace.metadata.name for namespace in core.list_namespace().items}
    assert {"default", "kube-system"} <= names
    created = apps.create_namespaced_deployment("default", DEPLOYMENT)
    assert created.spec.strategy.rolling_update.max_surge == "25%"
    scaled = apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 5}})
    assert scaled.spec.replicas == 5
    custom = client.CustomObjectsApi(kubernetes_client)
    group, version, plural = "inference.networking.k8s.io", "v1", "inferencepools"
    pool = custom.create_namespaced_custom_object(group, version, "default", plural, POOL)
    assert pool["spec"]["endpointPickerRef"]["failureMode"] == "FailClose"
    stream = watch.Watch().stream(apps.list_namespaced_deployment, "default", timeout_seconds=2)
    assert [(event["type"], event["object"].metadata.name) for event in stream] == [("ADDED", "web")]
    with pytest.raises(client.ApiException) as refused:
        core.read_namespaced_config_map("none", "default")
    assert refused.value.status == 404
    service = {"metadata": {"name": "s"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    address = core.create_namespaced_service("default", service).spec.cluster_ip
    assert ipaddress.ip_address(address) in ipaddress.ip_network(SERVICE_CIDR)
    with pytest.raises(client.ApiException) as refused:
        client.BatchV1Api(kubernetes_client).list_namespaced_cron_job("default")
    assert refused.value.status == 501
    assert "not served by the embedded cluster" in refused.value.body


def test_a_killed_server_comes_back_with_everything(tmp_path: Path) -> None:
    from kubernetes import client, config

    first = ApiServerProcess.start(tmp_path)
    url = first.url
    core = client.CoreV1Api(config.new_client_from_config(str(first.kubeconfig)))
    written = [core.create_namespaced_config_map("default", {"metadata": {"name": f"c{i}"}}) for i in range(20)]
    client.CustomObjectsApi(core.api_client).create_namespaced_custom_object(
        POOL["apiVersion"].split("/")[0], "v1", "default", "inferencepools", POOL
    )
    first.process.send_signal(signal.SIGKILL)
    first.process.wait(60)
    second = ApiServerProcess.start(tmp_path)
    try:
        assert second.url == url
        listed = core.list_namespaced_config_map("default")
        assert {item.metadata.uid for item in listed.items} == {item.metadata.uid for item in written}
        newest = max(int(item.metadata.resource_version) for item in written)
        after = core.create_namespaced_config_map("default", {"metadata": {"name": "after"}})
        assert int(after.metadata.resource_version) > newest
        pools = client.CustomObjectsApi(core.api_client).list_namespaced_custom_object(
            "inference.networking.k8s.io", "v1", "default", "inferencepools"
        )
        assert [pool["metadata"]["name"] for pool in pools["items"]] == ["chat"]
    finally:
        second.stop()


def test_who_has_no_token_gets_nothing(apiserver: ApiServerProcess) -> None:
    from kubernetes import client, config

    api = config.new_client_from_config(str(apiserver.kubeconfig))
    api.configuration.api_key = {}
    with pytest.raises(client.ApiException) as refused:
        client.CoreV1Api(client.ApiClient(api.configuration)).list_namespaced_secret("default")
    assert refused.value.status == 403
    assert oct(apiserver.kubeconfig.stat().st_mode & 0o777) == "0o600"


class _Kubelet(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        text = f"log of {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Silence."""


def test_logs_come_from_the_kubelet_of_the_pods_node(apiserver: ApiServerProcess, kubernetes_client: object) -> None:
    from kubernetes import client

    kubelet = ThreadingHTTPServer(("127.0.0.1", 0), _Kubelet)
    threading.Thread(target=kubelet.serve_forever, daemon=True).start()
    core = client.CoreV1Api(kubernetes_client)
    core.create_namespaced_service_account("default", {"metadata": {"name": "default"}})
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.server_port}},
    }
    core.create_node({"metadata": {"name": "n1"}, "status": status})
    spec = {"nodeName": "n1", "containers": [{"name": "main", "image": "lamplight/process"}]}
    core.create_namespaced_pod("default", {"metadata": {"name": "p"}, "spec": spec})
    try:
        text = core.read_namespaced_pod_log("p", "default", tail_lines=5)
        assert text == "log of /containerLogs/default/p/main?tailLines=5\n"
    finally:
        kubelet.shutdown()
        kubelet.server_close()
    with pytest.raises(client.ApiException) as refused:
        core.read_namespaced_pod_log("p", "default")
    assert refused.value.status == 502
    assert "kubelet of the pod's node cannot be reached" in refused.value.body


def test_a_second_server_over_the_same_data_is_told_so(apiserver: ApiServerProcess) -> None:
    arguments = ["--data", apiserver.folder / "data", "--kubeconfig", apiserver.folder / "second"]
    second = subprocess.run(
        [sys.executable, "-m", "apps.embedded.apiserver", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode != 0
    assert "another API server already uses" in second.stderr
    assert not (apiserver.folder / "second").exists()


def test_a_port_that_is_taken_is_named(apiserver: ApiServerProcess, tmp_path: Path) -> None:
    taken = apiserver.url.rpartition(":")[2]
    arguments = ["--data", tmp_path / "other", "--kubeconfig", tmp_path / "k", "--port", taken]
    second = subprocess.run(
        [sys.executable, "-m", "apps.embedded.apiserver", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode != 0
    assert f"cannot listen on 127.0.0.1:{taken}" in second.stderr
    assert "choose another --port" in second.stderr
