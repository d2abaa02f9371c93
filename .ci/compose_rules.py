"""What docker-compose.yml must keep to, checked on what `docker compose config --format json` makes of it.

    python compose_rules.py COMPOSE_JSON

Ends with 1 and one sentence for each rule that is broken.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
FRONT = "gateway"  # the only one of ours with a port on the host, which only one replica can have
MONITORING = ["monitoring"]  # the profile of what only looks on


def broken_rules(services: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    """One sentence for each broken rule."""
    for name, service in services.items():
        if "container_name" in service:
            yield f"{name}: a fixed container_name keeps it from being scaled"
        if any(port.get("host_ip") != LOOPBACK for port in service.get("ports", ())):
            yield f"{name}: a port is published on more than {LOOPBACK}"
        if "healthcheck" not in service and "build" not in service:
            yield f"{name}: has no health check"
        if "build" in service and service.get("ports") and name != FRONT:
            yield f"{name}: a fixed port on the host keeps it from being scaled"
        if ("build" in service or "profiles" in service) and not is_hardened(service):
            yield f"{name}: may do more than it has to"
        if any("profiles" in services[need] and "profiles" not in service for need in service.get("depends_on", {})):
            yield f"{name}: needs what only starts with a profile"
        if service.get("profiles", MONITORING) != MONITORING:
            yield f"{name}: is in another profile than {MONITORING[0]}"
        for mount in service.get("volumes", ()):
            if mount["type"] == "bind" and not (mount.get("read_only") and Path(mount["source"]).exists()):
                yield f"{name}: {mount['source']} is not there, or could be written to"
        if any(need["condition"] != "service_healthy" for need in service.get("depends_on", {}).values()):
            yield f"{name}: starts before what it depends on is healthy"


def is_hardened(service: Mapping[str, Any]) -> bool:
    """Whether it has a read-only file system, no capabilities, and no way to get any."""
    can_gain = "no-new-privileges:true" not in service.get("security_opt", ())
    return bool(service.get("read_only")) and service.get("cap_drop") == ["ALL"] and not can_gain


found = list(broken_rules(json.loads(Path(sys.argv[1]).read_text())["services"]))
sys.exit("\n".join(found) or 0)
