"""What the person who typed `mycelium up` sees. Lines are never wrapped, so that they can be copied and grepped."""

from contextlib import AbstractContextManager, suppress

from rich.console import Console
from rich.markup import escape

from mycelium.stack.datadir import DataDir
from mycelium.stack.services import GATEWAY, Addresses
from shared.contracts.topics import SERVICES


class Screen:
    """Prints. A screen that has gone away (a closed terminal) stops nothing."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """One plain line."""
        self._print(escape(text))

    def starting(self) -> AbstractContextManager[object]:
        """Shows on a terminal that the start is under way."""
        return self._console.status(f"Starting {', '.join(SERVICES)} and {GATEWAY}")

    def is_up(self, addresses: Addresses, data: DataDir, seconds: float) -> None:
        """The address, and where the rest is."""
        self._print(f"[bold green]Mycelium is up[/] after {seconds:.1f} s at [bold]{addresses.url(GATEWAY)}[/]")
        self._print(f"  [dim]services[/]  {', '.join((*SERVICES, GATEWAY))}")
        self._print(f"  [dim]data[/]      {escape(str(data.path))} [dim](logs/, and stack.json with every address)[/]")
        self._print("  [dim]Ctrl-C ends it.[/]")

    def has_demo(self, addresses: Addresses, email: str, password: str) -> None:
        """Who to log in as, and a line to paste into a shell that shows the newest of the timeline."""
        api = f"{addresses.url(GATEWAY)}/api/v1"
        login = f"curl -s {api}/auth/login -H 'content-type: application/json'"
        body = f'{{"email":"{email}","password":"{password}"}}'
        token = f"""{login} -d '{body}' | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])'"""
        timeline = (
            f"""curl -s "{api}/activities?limit=5" -H "authorization: Bearer $({token})" | python3 -m json.tool"""
        )
        self._print(f"  [dim]demo[/]      {email}  [dim]password[/]  {escape(password)}")
        self._print("\nThe newest of the demo user's timeline, while it fills:\n")
        self._print(f"{escape(timeline)}\n")

    def has_ended(self, kept: int | None) -> None:
        """What became of the records that were published: see Stack.stop."""
        if kept is None:
            self._print("[red]Ended before all that was published was stored. Publish it again; nothing is doubled.[/]")
        elif kept:
            self._print(f"Ended. Not stored yet, kept, and read at the next start: {kept:,} record{'s'[: kept > 1]}.")
        else:
            self._print("Ended. All that was published is stored.")

    def _print(self, markup: str) -> None:
        with suppress(OSError):
            self._console.print(markup)
