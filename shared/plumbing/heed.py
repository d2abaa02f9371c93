"""Heeding the tombstones: what of a batch may be stored.

Topics have no order among them: what somebody did who has registered anew may be read before their registration, while
they are still gone. It is dropped, and noted in the tombstone where it stands; once they are back, it is read again.
"""

from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import NamedTuple

from shared.contracts.reading import Reader
from shared.plumbing.addresses import addresses_in
from shared.plumbing.batch import Batch
from shared.plumbing.scan import records_at
from shared.plumbing.tombstones import Ids, Place, Tombstone, Tombstones


class Heeded(NamedTuple):
    """What may be stored, with what was missed of users who are `back`: where that stood, by user."""

    batch: Batch
    back: Mapping[str, tuple[Place, ...]]


async def heed(tombstones: Tombstones, bootstrap_servers: str, reader: Reader, came: Batch, ids: Ids) -> Heeded:
    """`ids` are all whom the batch may be about. Once it is stored, `make_good` has to be called.

    Raises PyMongoError or KafkaError, and may then be called again.
    """
    known = await tombstones.of(ids)
    for user, places in came.missed(known).items():  # what is allowed meanwhile is not noted, and not dropped below
        known[user] = await tombstones.change(user, partial(Tombstone.missing, places=places)) or known[user]
    back = {user: found.made_up_for for user, found in known.items() if found.made_up_for}
    if back:
        records = await records_at(bootstrap_servers, {place[1:] for each in back.values() for place in each})
        missed = Batch.of(reader, records).about(back.keys())
        came = came.followed_by(missed)
        named = chain.from_iterable(addresses_in(record) for record, _ in missed.poison)
        known |= await tombstones.of(tombstones.ids(named))  # somebody else may be gone whom such a record names
    return Heeded(came.without_the_gone(known), back)


async def make_good(tombstones: Tombstones, back: Mapping[str, tuple[Place, ...]]) -> None:
    """Notes that what was missed of these users is stored. Raises PyMongoError."""
    for user, places in back.items():
        await tombstones.change(user, partial(Tombstone.made_good, places=places))
