"""What users let us keep, in Mongo: `choices` holds one document per user who ever chose, with every choice."""

from collections.abc import Iterable, Sequence

from pymongo import UpdateOne

from shared.contracts.times import as_time, microseconds
from shared.folds.consent import Choice, Consent, consent_of
from shared.plumbing.mongo import Database, Document

COLLECTION = "choices"


class Consents:
    """Whoever stores something of low impact asks before and afterwards: a choice may come in between.

    Every method raises pymongo.errors.PyMongoError where Mongo does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._choices = database[COLLECTION]

    async def add(self, choices: Sequence[Choice]) -> dict[str, Consent]:
        """Stores the choices; what their users allow now. What they forbid is to be removed after this."""
        if choices:
            await self._choices.bulk_write([_add(choice) for choice in choices], ordered=False)
        return await self.of({choice.user for choice in choices})

    async def of(self, users: Iterable[str]) -> dict[str, Consent]:
        """What each of the users allows; those who never chose are left out."""
        if not (ids := list(users)):
            return {}
        found = await self._choices.find({"_id": {"$in": ids}}).to_list(None)
        return {document["_id"]: consent_of(_choices_in(document)) for document in found}


def _add(choice: Choice) -> UpdateOne:
    made = {"on": choice.on, "at": microseconds(choice.time), "event": choice.event}
    return UpdateOne({"_id": choice.user}, {"$addToSet": {"choices": made}}, upsert=True)


def _choices_in(document: Document) -> Iterable[Choice]:
    return (Choice(document["_id"], c["on"], as_time(c["at"]), c["event"]) for c in document["choices"])
