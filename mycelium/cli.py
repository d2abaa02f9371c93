"""The command: what `up` may be asked for, and the other subcommands, each from the module that does its work."""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mycelium.brokers import DATA_DIR
from mycelium.check import check
from mycelium.dead_letters import dead_letters
from mycelium.lag import lag
from mycelium.legacy.command import import_legacy
from mycelium.rebuild import rebuild
from mycelium.simulator.command import simulate
from mycelium.stack.errors import StackError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help="Everything a marketplace user did, bought, runs and spent: one truthful picture, made from Kafka events.",
    epilog="Start with [bold]mycelium up --demo[/bold]: it needs neither Docker nor Java.",
)


@app.callback()
def _several_commands() -> None:
    pass


@app.command()
def up(
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Also run a simulated marketplace, and sign a demo user up.")
    ] = False,
    port: Annotated[int, typer.Option(help="Where the gateway listens, on loopback.", min=1, max=65535)] = 8000,
    data_dir: Annotated[Path, typer.Option(help="Where database, secrets and logs are kept.")] = DATA_DIR,
    kafka: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", envvar="KAFKA_BOOTSTRAP_SERVERS", help="Your own Kafka instead of the embedded broker."
        ),
    ] = None,
    mongo: Annotated[
        str | None,
        typer.Option(
            metavar="URL", envvar="MONGO_URL", help="Your own MongoDB replica set instead of the embedded database."
        ),
    ] = None,
) -> None:
    """Start everything on this machine: a broker, a database, the services and the gateway.

    It is ready when it prints the address. Ctrl-C ends all of it, once everything that was published is stored.
    """
    if sys.platform == "win32":
        sys.exit("mycelium up needs Linux or macOS. On Windows, run it in WSL or use docker compose.")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is said once, and in plain words
    from mycelium.stack.screen import Screen
    from mycelium.stack.up import Options, run

    try:
        asyncio.run(run(Options(demo, port, data_dir, kafka, mongo), Screen()))
    except StackError as error:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(error, style="red")
        sys.exit(1)


app.command()(simulate)
app.command()(check)
app.command()(lag)
app.command()(rebuild)
app.command("import-legacy")(import_legacy)
app.add_typer(dead_letters, name="dead-letters")
