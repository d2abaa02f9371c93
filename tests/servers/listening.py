"""A client of `GET /stream`, as a browser is one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import orjson

from tests.servers.dashboard import API, Json, Site
from tests.waiting import eventually


@dataclass(frozen=True)
class Heard:
    """One event, as it came; `at` is the loop's time."""

    event: str
    id: str
    data: Json
    at: float


@dataclass
class Listener:
    """What was heard so far, the last `id` of all, and whether the stream has ended."""

    headers: Mapping[str, str]
    heard: list[Heard] = field(default_factory=list)
    last: str = ""
    comments: int = 0
    ended: bool = False

    def sections(self) -> set[str]:
        """The sections that were told of."""
        return {each.data["section"] for each in self.heard if each.event == "section"}

    def resets(self) -> int:
        """How often everything was to be read anew."""
        return sum(each.event == "reset" for each in self.heard)

    async def hears(self, section: str) -> Heard:
        """Waits until a section is told of."""

        def found() -> Heard | None:
            return next((each for each in self.heard if each.data.get("section") == section), None)

        heard: Heard | None = await eventually(found, what=f"{section} is told")
        assert heard
        return heard

    def take(self, block: str) -> None:
        """One block of the stream."""
        if block.startswith(":"):
            self.comments += 1
            return
        said = dict(line.partition(": ")[::2] for line in block.split("\n"))
        self.last = said.get("id", self.last)
        if "event" in said:
            assert said["id"]
            now = asyncio.get_running_loop().time()
            self.heard.append(Heard(said["event"], said["id"], orjson.loads(said["data"]), now))


@asynccontextmanager
async def listening(
    site: Site, token: str | None = None, last: str | None = None, **how: Mapping[str, str]
) -> AsyncIterator[Listener]:
    """A stream that is open; `last` is what a browser sends when it comes back."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Last-Event-ID": last} if last else {}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), headers=headers) as http,
        http.get(f"{site.url}{API}/stream", **how) as response,  # type: ignore[arg-type]  # aiohttp's own
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        listener = Listener(response.headers)
        reading = asyncio.create_task(_read(response.content, listener))
        try:
            yield listener
        finally:
            reading.cancel()


async def _read(content: aiohttp.StreamReader, listener: Listener) -> None:
    rest = ""
    try:
        async for piece in content.iter_any():
            *blocks, rest = (rest + piece.decode()).split("\n\n")
            for block in blocks:
                listener.take(block)
    except aiohttp.ClientError:
        pass
    listener.ended = True
