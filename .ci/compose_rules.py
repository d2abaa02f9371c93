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
        if any(need["condition"] != "service_healthy" for need in service.get("depends_on", {}).values()):
            yield f"{name}: starts before what it depends on is healthy"


found = list(broken_rules(json.loads(Path(sys.argv[1]).read_text())["services"]))
sys.exit("\n".join(found) or 0)
