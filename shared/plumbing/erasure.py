"""Erasure, the same in every service: nothing of an erased user is kept, and no replay brings anything back.

The tombstone comes first; then whatever the service has is removed, then the user's dead letters; then the receipt is
published, and the tombstone says that it is done. A crash anywhere means that `user.erased` comes again, which goes on
from there; one that was carried out before only repeats the receipt.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import chain
from typing import Final

from pymongo.errors import PyMongoError

from shared.contracts.build import make_event
from shared.contracts.identity import UserErased, UserRegistered
from shared.contracts.privacy import ErasureCompleted
from shared.contracts.reading import AnyEvent
from shared.contracts.times import as_time, microseconds
from shared.contracts.topics import RECEIPTS
from shared.plumbing.addresses import addresses_in
from shared.plumbing.dead_letters import DeadLetters
from shared.plumbing.mongo import Database
from shared.plumbing.problems import ProblemError
from shared.plumbing.publish import Publisher, Record
from shared.plumbing.settings import ServiceSettings
from shared.plumbing.tombstones import Ids, Tombstone, Tombstones

PAYLOADS: Final = (UserErased, UserRegistered)  # what the reader of a consumer that erases has to read

Erase = Callable[[Set[str]], Awaitable[int]]
_GONE = ProblemError(404, "no-account", "There is no such account any more.")


class StillBeingErasedError(Exception):
    """This service has not yet carried out the erasure of a user who wants to begin anew; it will in a moment."""


async def erase_again(tombstones: Tombstones, erase: Erase, user: str) -> None:
    """Erases a user who is gone once more, for whoever stored something of them meanwhile.

    Until it is done, nobody is let in: what a new registration brings is not taken for something old.
    """
    begun = await tombstones.change(user, lambda known: known._replace(again=known.is_gone))
    if begun and begun.again:
        await erase({user})
        await tombstones.change(user, lambda known: known._replace(again=False))


class Erasure:
    """Erases users from one service, which has its own `tombstones`.

    `erase` removes all that the service keeps of some users (normalised emails), whatever of it there is, and returns
    the number of documents removed. It may be called again for the same users at any time, and by several processes.
    Every method may raise pymongo.errors.PyMongoError or aiokafka.errors.KafkaError, and may then be called again.
    """

    def __init__(
        self, service: str, settings: ServiceSettings, database: Database, publisher: Publisher, erase: Erase
    ) -> None:
        self._service = service
        self.tombstones = Tombstones(database)
        self._dead_letters = DeadLetters(service, settings, publisher)
        self._publisher = publisher
        self._erase = erase

    async def prepare(self) -> None:
        """For the start, once the topics are made and the publisher is connected: before anything else is called.

        Removes what was put back into the dead letters of users who are gone, as a broker without a disk has it done.
        Raises ConnectionError if the database does not answer.
        """
        try:
            await self.tombstones.prepare()
            await self._dead_letters.remove(self._names_the_gone)
        except PyMongoError as error:
            raise ConnectionError("the tombstones cannot be read") from error

    async def take_note(self, events: Sequence[AnyEvent]) -> None:
        """Erases the users whom the events say to be erased, and lets those back in who registered afterwards."""
        erasures = [(e, e.data) for e in events if isinstance(e.data, UserErased)]
        if erasures:
            await self._carry_out(erasures)
        registered = [(e.data.user_email, microseconds(e.time)) for e in events if isinstance(e.data, UserRegistered)]
        known = await self.tombstones.of(self.tombstones.ids(user for user, _ in registered))
        for user, at in registered:
            if user in known:  # hardly any: the others cost one question together
                await self._let_in(user, at)

    async def _let_in(self, user: str, at: int) -> None:
        known = await self._of(user)
        if known and at > known.erased_at:
            if known.is_gone and known.again:  # another process came to an end meanwhile
                await self._erase_again(user)
            await self.tombstones.change(user, lambda tombstone: tombstone.registered(at))

    async def _carry_out(self, erasures: Sequence[tuple[AnyEvent, UserErased]]) -> None:
        """The dead letters are gone through once for all users."""
        removed: dict[str, int] = {}
        for event, data in erasures:
            at = microseconds(event.time)
            if not (await self.tombstones.erased(data.user_email, at)).is_done(at):
                removed[data.user_email] = await self._remove(data.user_email)
        if removed:
            await self._remove_dead_letters(removed.keys())
        for event, data in erasures:
            await self._finish(data, event, removed.get(data.user_email, 0))

    async def _finish(self, data: UserErased, event: AnyEvent, documents: int) -> None:
        await self._publish_receipt(data.erasure_id or event.id, documents)
        at = microseconds(event.time)
        await self.tombstones.change(data.user_email, lambda known: known.carried_out(at))

    async def time_to_leave(self, user: str, now: datetime) -> datetime:
        """When the user is erased who asks for it `now` (UTC): after they registered, whatever the clock said then."""
        known = await self._of(user)
        registered_at = known.registered_at if known else None
        return as_time(max(microseconds(now), (registered_at or 0) + 1))

    async def bury(self, user: str, at: datetime) -> None:
        """Makes the user gone from now on and removes all that is kept, ahead of the event that will carry it out."""
        await self.tombstones.erased(user, microseconds(at))
        await self._remove(user)

    async def _remove(self, user: str) -> int:
        """How many documents were removed, counting those of a try that was broken off."""
        documents = await self._erase({user})
        noted = await self.tombstones.change(user, lambda known: known.removing(documents))
        return noted.removed if noted else documents

    def ids(self, users: Iterable[str], poison: Iterable[Record] = ()) -> Ids:
        """Whom a batch may be about, for `tombstones`: the events' users, and every email that a bad record names."""
        return self.tombstones.ids(chain(users, *map(addresses_in, poison)))

    async def erase_what_slipped_in(self, ids: Ids) -> Mapping[str, Tombstone]:
        """Erases those again who are gone, after events of theirs came: what another process stored meanwhile, or
        stored and then ended before it could know, is gone then too. Returns their tombstones.
        """
        gone = {user: found for user, found in (await self.tombstones.of(ids)).items() if found.is_gone}
        for user in gone:
            await self._erase_again(user)
        return gone

    async def _erase_again(self, user: str) -> None:
        await erase_again(self.tombstones, self._erase, user)

    async def remove_dead_letters_of_the_gone(self, ids: Ids) -> None:
        """Removes dead letters that were published while their users were being erased."""
        gone = {user for user, tombstone in (await self.tombstones.of(ids)).items() if tombstone.is_gone}
        if gone:
            await self._remove_dead_letters(gone)

    async def is_gone(self, user: str) -> bool:
        """Whether the user was erased and has not registered anew."""
        known = await self._of(user)
        return known is not None and known.is_gone

    @asynccontextmanager
    async def writing(self, user: str) -> AsyncIterator[None]:
        """Around whatever stores something of the user on a request: nothing of it stays if they are gone.

        Raises a 404 problem if they are, before or afterwards.
        """
        if await self.is_gone(user):
            raise _GONE
        yield
        if await self.is_gone(user):
            await self._erase_again(user)
            raise _GONE

    async def reopen(self, user: str, now: datetime) -> datetime:
        """Lets a user in again who was erased, before anything of theirs is stored on a request to register.

        Returns what the registration is to be dated with: `now` (UTC), or a later time if they were erased after that,
        as another process's clock has it. Raises StillBeingErasedError until this service has carried out the erasure.
        Anybody else is let in as they are.
        """
        known = await self._of(user)
        if known is None or not known.is_gone:
            return now
        if not known.is_quiet():
            raise StillBeingErasedError
        at = max(microseconds(now), known.erased_at + 1)
        noted = await self.tombstones.change(user, lambda tombstone: tombstone.reopened(at))
        if noted is None or noted.is_gone:
            raise StillBeingErasedError
        return as_time(at)

    async def _of(self, user: str) -> Tombstone | None:
        await self.tombstones.prepare()  # a request may come while the start still waits for Kafka
        return (await self.tombstones.of(self.tombstones.ids([user]))).get(user)

    async def _remove_dead_letters(self, users: Set[str]) -> None:
        async def names_them(records: Sequence[Record]) -> set[int]:
            return {place for place, record in enumerate(records) if not users.isdisjoint(addresses_in(record))}

        await self._dead_letters.remove(names_them)

    async def _names_the_gone(self, records: Sequence[Record]) -> set[int]:
        named = [addresses_in(record) for record in records]
        found = await self.tombstones.of(self.tombstones.ids(set().union(*named)))
        gone = {user for user, tombstone in found.items() if tombstone.is_gone}
        return {place for place, users in enumerate(named) if not gone.isdisjoint(users)}

    async def _publish_receipt(self, erasure_id: str, documents: int) -> None:
        receipt = ErasureCompleted(erasure_id=erasure_id, service=self._service, documents=documents)
        await self._publisher.event(RECEIPTS, make_event(receipt, source=f"/mycelium/{self._service}"))
