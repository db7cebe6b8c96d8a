"""The bare client: changed server-side applies through as many connections as the server can use, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.reconcile.accounting import accounting
from bench.reconcile.server import CONNECTIONS, COUNT, NAMESPACE, client, seeing, wait

SIZE = min(COUNT, 200)
TURNS = max(2, COUNT // SIZE)  # as many applies as the others have changes, and 400 at least
SMALL: dict[str, Any] = {
    "metadata": {"labels": {}},
    "spec": {"template": {"metadata": {"labels": {}}, "spec": {"containers": [{"name": "engine"}]}}},
}


class Bare:
    """Deployments like `like`, which have the same fields and as many labels of the same length, but none by which
    Lamplight or the peer would know them."""

    def __init__(self, kubeconfig: Path, prefix: str, like: dict[str, Any]) -> None:
        self._kubeconfig = kubeconfig
        self._kube = client(kubeconfig)
        self._prefix = prefix
        self._like = like

    @contextmanager
    def there(self, image: str) -> Iterator[None]:
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            list(threads.map(lambda i: self._apply(image, i), range(SIZE)))
            yield
            deployments = self._kube.resource("Deployment", "apps")
            names = (f"{self._prefix}-{i}" for i in range(SIZE))
            list(threads.map(lambda name: self._kube.delete(deployments, name, NAMESPACE), names))

    def change(self, image: str) -> tuple[dict[str, float], dict[str, Any]]:
        """Changed applies a second, and where the processors were. Watched as the other sides are."""
        images = [f"{image}-{turn}" for turn in range(TURNS)]
        with ThreadPoolExecutor(CONNECTIONS) as threads, seeing(self._kubeconfig, images[-1], self._prefix) as live:
            with accounting() as spent:
                started = time.monotonic()
                for each in images:
                    list(threads.map(lambda i, image=each: self._apply(image, i), range(SIZE)))
                took = time.monotonic() - started
            wait(lambda: live() == SIZE, "the bare client's last applies are live", step=0.02)
        return {"": TURNS * SIZE / took}, {f"{self._prefix}_{TURNS * SIZE}_cpu_s": spent}

    def _apply(self, image: str, number: int) -> None:
        name = f"{self._prefix}-{number}"
        like = self._like["spec"]
        engine, *others = like["template"]["spec"]["containers"]
        labels = {**_disguised(like["template"]["metadata"]["labels"]), "bench": name}
        template = {
            **like["template"],
            "metadata": {**like["template"]["metadata"], "labels": labels},
            "spec": {**like["template"]["spec"], "containers": [{**engine, "image": image}, *others]},
        }
        spec = {**like, "replicas": 0, "selector": {"matchLabels": {"bench": name}}, "template": template}
        own = {**_disguised(self._like["metadata"]["labels"]), "bench": name}
        meta = {"name": name, "namespace": NAMESPACE, "labels": own}
        manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
        self._kube.apply(manifest, manager="bench")


def _disguised(labels: dict[str, str]) -> dict[str, str]:
    """As many labels, as long."""
    return {key[:-1] + ("x" if key[-1] != "x" else "y"): value for key, value in labels.items()}


def deployment_of_ours(kube: Any) -> dict[str, Any]:
    """What Lamplight applies for the first pool's engines."""
    from apps.pools import selectors
    from apps.pools.desired import desired_of, gather
    from apps.pools.models import Pool

    pool = Pool.objects.get(name="p0000")
    cluster = selectors.cluster_of(pool)
    assert cluster is not None
    kinds = kube.resources()
    objects = desired_of(gather(pool, selectors.spec_of(pool), cluster, kinds=kinds), kinds).objects
    return next(obj for obj in objects if obj["kind"] == "Deployment")
