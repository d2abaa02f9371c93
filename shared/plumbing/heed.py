"""Heeding the tombstones: what of a batch may be stored.

Topics have no order among them: what somebody did who has registered anew may be read before their registration, while
they are still gone. It is dropped, and noted in the tombstone where it stands; once they are back, it is read again.
"""

from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import NamedTuple

from shared.contracts.reading import Reader
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
    for user, places in came.missed(known).items():  # noted, unless they are back meanwhile: then they are not gone
        known[user] = await tombstones.change(user, partial(Tombstone.missing, places=places)) or known[user]
    back = {user: found.missed for user, found in known.items() if found.missed and not found.is_gone}
    if back:
        records = await records_at(bootstrap_servers, chain.from_iterable(back.values()))
        came = came.followed_by(Batch.of(reader, records).about(back.keys()))
    return Heeded(came.without_the_gone(known), back)


async def make_good(tombstones: Tombstones, back: Mapping[str, tuple[Place, ...]]) -> None:
    """Notes that what was missed of these users is stored. Raises PyMongoError."""
    for user, places in back.items():
        await tombstones.change(user, partial(Tombstone.made_good, places=places))
