"""Which brokers a command talks to."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mycelium.stack.datadir import DataDir, read_json
from mycelium.stack.errors import StackError

KafkaOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDR", help="The brokers; default: those of the running stack, else KAFKA_BOOTSTRAP_SERVERS."
    ),
]
DataDirOption = Annotated[Path, typer.Option(help="Where the running stack keeps stack.json, which names its servers.")]
DATA_DIR = Path(".mycelium")


def brokers(kafka: str | None, data_dir: Path) -> str:
    """The address given, else that of the stack that runs on `data_dir`, else that of the environment.

    Raises typer.BadParameter if there is none.
    """
    try:
        found = kafka or read_json(DataDir(data_dir).stack_json).get("kafka")
    except StackError as error:
        raise typer.BadParameter(str(error)) from None
    if address := found or os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return str(address)
    raise typer.BadParameter(
        f"no stack runs on {data_dir}. Start one with `mycelium up`, or name the directory of one that runs with "
        "--data-dir DIR, or a broker with --kafka HOST:PORT."
    )
