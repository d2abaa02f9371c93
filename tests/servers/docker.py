"""The official images, through testcontainers, where a Docker engine is at hand."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from mycelium.stack import mongod
from mycelium.stack.ports import LOOPBACK, free_ports

KAFKA_IMAGE = "apache/kafka:4.1.0"
MONGO_IMAGE = "mongo:8.0"
_CONTROLLER = "localhost:9099"


def docker_works() -> bool:
    """Whether a Docker engine answers."""
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


@asynccontextmanager
async def docker_mongo() -> AsyncIterator[str]:
    """The URL of the official MongoDB image as a replica set of one."""
    (port,) = free_ports(1)
    container = DockerContainer(MONGO_IMAGE).with_command(f"--replSet rs0 --bind_ip_all --port {port}")
    with _running(container, port, "Waiting for connections"):
        await asyncio.to_thread(mongod.make_primary, f"{LOOPBACK}:{port}")
        yield mongod.url(port)


@asynccontextmanager
async def docker_kafka() -> AsyncIterator[str]:
    """The address of the official Apache Kafka image as a single node."""
    (port,) = free_ports(1)
    container = DockerContainer(KAFKA_IMAGE).with_envs(
        KAFKA_NODE_ID="1",
        KAFKA_PROCESS_ROLES="broker,controller",
        KAFKA_LISTENERS=f"PLAINTEXT://:{port},CONTROLLER://{_CONTROLLER}",
        KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://{LOOPBACK}:{port}",
        KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
        KAFKA_CONTROLLER_QUORUM_VOTERS=f"1@{_CONTROLLER}",
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
        KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
        KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
    )
    with _running(container, port, "Kafka Server started"):
        yield f"{LOOPBACK}:{port}"


@contextmanager
def _running(container: DockerContainer, port: int, started: str) -> Iterator[None]:
    """The same port inside and outside, since both servers tell their clients where they are; on loopback only."""
    container.ports[f"{port}/tcp"] = (LOOPBACK, port)  # type: ignore[assignment]  # Docker takes an address too
    with container.waiting_for(LogMessageWaitStrategy(started)):
        yield
