"""Which kinds the server serves now: what namespace deletion and garbage collection must walk over."""

from __future__ import annotations

from dataclasses import dataclass

from apps.embedded.client import KubeClient


@dataclass(frozen=True)
class Resource:
    """One served kind. ``group`` is "" for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def triple(self) -> tuple[str, str, str]:
        return self.group, self.version, self.plural

    @property
    def qualified(self) -> str:
        """As messages name it: ``configmaps.`` or ``deployments.apps``."""
        return f"{self.plural}.{self.group}"


async def discover(client: KubeClient) -> list[Resource]:
    """Every resource in every served version (no subresources)."""
    versions = [("", "v1", "/api/v1")]
    for group in (await client.request("GET", "/apis"))["groups"]:
        versions += [(group["name"], entry["version"], f"/apis/{entry['groupVersion']}") for entry in group["versions"]]
    found: list[Resource] = []
    for group_name, version, path in versions:
        for entry in (await client.request("GET", path))["resources"]:
            if "/" in entry["name"]:
                continue
            found.append(
                Resource(
                    group=group_name,
                    version=version,
                    plural=entry["name"],
                    kind=entry["kind"],
                    namespaced=entry["namespaced"],
                    verbs=frozenset(entry["verbs"]),
                )
            )
    return found


def preferred(resources: list[Resource]) -> list[Resource]:
    """One version of each kind: the first that is served. events.k8s.io is left out, being the core events again."""
    chosen: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        if resource.group != "events.k8s.io":
            chosen.setdefault((resource.group, resource.plural), resource)
    return list(chosen.values())
