"""Apache Kafka itself, from Maven Central, as a single node on loopback.

    python -m tests.servers.apache_kafka -- COMMAND [ARGUMENT…]

starts it, runs the command with KAFKA_BOOTSTRAP_SERVERS set, stops it, and exits with the command's code. Java 17 and
Maven are needed. What is downloaded is kept in ~/.cache/mycelium.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path

from mycelium.stack.keeper import Program
from mycelium.stack.ports import LOOPBACK, free_ports, until_it_listens
from shared.plumbing.topics import ensure_topics
from tests.servers.embedded import kept

_POM = Path(__file__).with_name("pom.xml")
_CLUSTER = "bXljZWxpdW0tdGVzdHMtMQ"  # any 16 bytes in base64
_LARGEST_RECORD = 20 * 1024 * 1024


@asynccontextmanager
async def apache_kafka(folder: Path) -> AsyncIterator[str]:
    """The address of a broker that has the contract's topics; its files and its log are in `folder`."""
    (port,) = free_ports(1)

    async def prepare(pid: int) -> None:
        await until_it_listens(pid, port)
        await ensure_topics(f"{LOOPBACK}:{port}")

    broker = await program(folder, port, port, prepare)
    async with kept(broker, folder):
        yield f"{LOOPBACK}:{port}"


async def program(folder: Path, port: int, advertised: int, prepare: Callable[[int], Awaitable[None]]) -> Program:
    """A broker with an empty log in `folder`, which its clients know by the port `advertised`; `prepare` as it says."""
    java, jars = _tool("java"), await asyncio.to_thread(_jars)
    properties = folder / "server.properties"
    properties.write_text(_properties(port, advertised, free_ports(1, but=(port, advertised))[0], folder / "data"))
    run = (java, "-Xms256m", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*")
    formatting = (*run, "kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER, "--config", str(properties))
    await asyncio.to_thread(subprocess.run, formatting, check=True, stdout=subprocess.DEVNULL)
    return Program("apache-kafka", (*run, "kafka.Kafka", str(properties)), {"PATH": os.defpath}, prepare)


def _properties(port: int, advertised: int, controller_port: int, data: Path) -> str:
    """Tests join groups with short session timeouts, and publish records that are too large on purpose."""
    return f"""
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@{LOOPBACK}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}
advertised.listeners=PLAINTEXT://{LOOPBACK}:{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
message.max.bytes={_LARGEST_RECORD}
"""


def _jars() -> Path:
    """The folder with Kafka's class path: downloaded once for each version of the POM."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mycelium"
    jars = cache / f"kafka-{sha256(_POM.read_bytes()).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kafka.lock").open("w") as lock:
        flock(lock, LOCK_EX)  # of two that start side by side, the second finds what the first has downloaded
        if not jars.exists():
            fresh = tempfile.mkdtemp(dir=cache)
            goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}")
            maven = (_tool("mvn"), "--batch-mode", "--quiet", "-Dstyle.color=never", "--file", str(_POM))
            subprocess.run((*maven, *goal), check=True)
            Path(fresh).rename(jars)
    return jars


def _tool(name: str) -> str:
    if found := shutil.which(name):
        return found
    sys.exit(f"{name} is missing. On Debian: sudo apt-get install openjdk-17-jre-headless maven")


async def _main(command: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="apache-kafka-") as folder:
        async with apache_kafka(Path(folder)) as address:
            process = await asyncio.create_subprocess_exec(
                *command, env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": address}
            )
            return await process.wait()


if __name__ == "__main__":
    arguments = sys.argv[2:] if sys.argv[1:2] == ["--"] else sys.argv[1:]
    if not arguments:
        sys.exit(__doc__)
    sys.exit(asyncio.run(_main(arguments)))
