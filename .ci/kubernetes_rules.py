"""What the Kubernetes manifests must keep to, checked on what `kubectl kustomize` makes of them.

    python kubernetes_rules.py MANIFESTS

Ends with 1 and one sentence for each rule that is broken.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Manifest = Mapping[str, Any]  # Any: YAML
FRONT = "gateway"  # comes before it goes, because it has no partition to hand over
MOST_CONSUMERS = 6  # shared.contracts.topics.PARTITIONS
GRACE_SECONDS = 15  # what a process takes at most, and what compose gives it
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
WITHOUT_RIGHTS = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "runAsGroup": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}
ROLLING = {FRONT: {"maxSurge": 1, "maxUnavailable": 0}}
KNOWN_SPEC = {
    "scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "fallback", "advanced", "triggers",
}  # fmt: skip


def broken_rules(manifests: Sequence[Manifest]) -> Iterator[str]:
    """One sentence for each broken rule."""
    deployments = [m for m in manifests if m["kind"] == "Deployment"]
    if len(deployments) != 5:
        yield f"{len(deployments)} deployments, and there are five processes"
    for deployment in deployments:
        name = deployment["metadata"]["name"]
        for rule, holds in DEPLOYMENT_RULES.items():
            if not holds(name, deployment):
                yield f"{name}: {rule}"
        for kind in ("Service", "ServiceAccount", "PodDisruptionBudget"):
            if not any(m["kind"] == kind and m["metadata"]["name"] == name for m in manifests):
                yield f"{name}: has no {kind}"
        if not _scales(name, manifests):
            yield f"{name}: nothing scales it, or further than it has partitions"
    if not any(m["kind"] == "NetworkPolicy" and m["spec"] == NOTHING for m in manifests):
        yield "what no policy names is allowed"
    for manifest in manifests:
        if manifest["kind"] == "Secret":
            yield f"{manifest['metadata']['name']}: a secret stands in the manifests"


def _pod(deployment: Manifest) -> Any:
    return deployment["spec"]["template"]["spec"]


def _app(deployment: Manifest) -> Any:
    [container] = _pod(deployment)["containers"]
    return container


def _probes_are_sensible(_: str, deployment: Manifest) -> bool:
    app = _app(deployment)
    paths = [app[probe]["httpGet"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
    alive = app["livenessProbe"]
    return (
        [each["path"] for each in paths] == ["/readyz", "/livez", "/livez"]
        and {each["port"] for each in paths} == {"http"}
        and alive["periodSeconds"] * alive["failureThreshold"] > 60  # the watchdog's time
    )


def _is_asked_to_go_in_time(_: str, deployment: Manifest) -> bool:
    before = _app(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
    return bool(_pod(deployment)["terminationGracePeriodSeconds"] >= GRACE_SECONDS + before)


def _names_no_secret(_: str, deployment: Manifest) -> bool:
    return all("secretKeyRef" in each.get("valueFrom", ()) for each in _app(deployment)["env"])


def _writes_to_tmp_only(_: str, deployment: Manifest) -> bool:
    mounts, volumes = _app(deployment)["volumeMounts"], _pod(deployment)["volumes"]
    return [m["mountPath"] for m in mounts] == ["/tmp"] and [set(v) for v in volumes] == [{"name", "emptyDir"}]  # noqa: S108


def _scales(name: str, manifests: Sequence[Manifest]) -> bool:
    kind = "HorizontalPodAutoscaler" if name == FRONT else "ScaledObject"
    [found] = [m["spec"] for m in manifests if m["kind"] == kind and m["spec"]["scaleTargetRef"]["name"] == name] or [
        {}
    ]
    if kind == "HorizontalPodAutoscaler":
        return bool(found.get("minReplicas", 0) >= 2)
    if not found or set(found) != KNOWN_SPEC or [t["type"] for t in found["triggers"]] != ["kafka"]:
        return False
    trigger = found["triggers"][0]["metadata"]
    bounds = 2 <= found["minReplicaCount"] < found["maxReplicaCount"] <= MOST_CONSUMERS
    return bounds and trigger["consumerGroup"] == name and all(isinstance(value, str) for value in trigger.values())


NOTHING = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
DEPLOYMENT_RULES: Mapping[str, Callable[[str, Manifest], bool]] = {
    "may do more than it has to": lambda _, d: _app(d)["securityContext"] == RESTRICTED,
    "has rights": lambda _, d: _pod(d)["securityContext"] == WITHOUT_RIGHTS,
    "gets a token of the cluster": lambda _, d: _pod(d)["automountServiceAccountToken"] is False,
    "gets the addresses of services as settings": lambda _, d: _pod(d)["enableServiceLinks"] is False,
    "writes elsewhere than to /tmp": _writes_to_tmp_only,
    "is probed in another way": _probes_are_sensible,
    "is killed before it can finish": _is_asked_to_go_in_time,
    "has a secret in the clear": _names_no_secret,
    "names no memory that it may take": lambda _, d: "memory" in _app(d)["resources"]["limits"],
    "asks for nothing": lambda _, d: set(_app(d)["resources"]["requests"]) == {"cpu", "memory"},
    "has a fixed number of replicas": lambda _, d: "replicas" not in d["spec"],
    "may stand all on one node": lambda _, d: len(_pod(d)["topologySpreadConstraints"]) == 2,
    "is replaced in a way that its consumer group feels": lambda name, d: (
        d["spec"]["strategy"]["rollingUpdate"] == ROLLING.get(name, {"maxSurge": 0, "maxUnavailable": 1})
    ),
}

if __name__ == "__main__":
    found = [*broken_rules([*yaml.safe_load_all(Path(sys.argv[1]).read_text())])]
    sys.exit("\n".join(found) or 0)
