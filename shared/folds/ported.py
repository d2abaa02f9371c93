"""The facts of a thing as a file holds them, and back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel

from shared.contracts.portable import HealthDay, PortableCheck, PortedItem
from shared.contracts.portable_facts import DeploymentFacts, PoolFacts, PurchaseFacts, TransactionFacts
from shared.contracts.times import as_time
from shared.folds.facts import CHECK_SLOT, Fact, Kind, Value
from shared.folds.state import State, members

Record = dict[str, Any]  # a document as it is stored, or JSON
IMPORTED: Final = -2  # less than the weight of every event; that of an unhealthy check is more by one
FACTS: Final[dict[Kind, type[BaseModel]]] = {
    "purchase": PurchaseFacts,
    "deployment": DeploymentFacts,
    "transaction": TransactionFacts,
    "pool": PoolFacts,
}
_KINDS: Final[dict[str, tuple[Kind, str]]] = {
    "purchases": ("purchase", "id"),
    "deployments": ("deployment", "deployment_id"),
    "transactions": ("transaction", "transaction_id"),
    "pools": ("pool", "pool_id"),
}


def is_imported(weight: int) -> bool:
    """Whether a fact of this weight came from a file and not from an event."""
    return weight < 0


def facts_shown(kind: Kind, state: State) -> Record:
    """What a file says of a thing's facts: JSON. What is never written to a file, such as credentials, is left out."""
    model = FACTS[kind]
    fields = {name: _shown(said) for name, said in state["fields"].items() if name in model.model_fields}
    collections = {
        name: sorted(({"id": key, **_shown(said)} for key, said in held.items()), key=lambda m: (m["at"], m["event"]))
        for name, held in state["members"].items()
    }
    return model.model_validate(fields | collections).model_dump(mode="json", exclude_unset=True)


def _shown(said: list[Any]) -> Record:
    _weight, at, event, value = said
    return {"at": at, "event": event, "value": value}


def health_shown(document: Record) -> Record:
    """What a file says of one day's checks of a deployment: JSON."""
    deployment_id, _, day = document["id"].rpartition("/")
    checks = [PortableCheck.model_validate(said.value).model_dump(mode="json") for said in members(document, "checks")]
    return {"deployment_id": deployment_id, "day": day, "checks": checks}


def facts_in(user: str, item: PortedItem[Any, Any]) -> Iterator[Fact]:
    """What an item of a file says about a thing of `user`. Each fact loses against every event that says the same."""
    if isinstance(item.item, HealthDay):
        yield from _checks(user, item.item)
        return
    kind, name = _KINDS[item.part]
    id, said = getattr(item.item, name), item.item.facts  # noqa: A001
    for field in said.model_fields_set:
        held = getattr(said, field)
        for one in held if isinstance(held, list) else [held] if held is not None else []:
            member = one.id if isinstance(held, list) else None
            yield Fact(kind, user, id, field, _stored(one.value), (IMPORTED, one.at, one.event), member)


def _stored(value: Value) -> Value:
    return value.model_dump() if isinstance(value, BaseModel) else value


def _checks(user: str, day: HealthDay) -> Iterator[Fact]:
    midnight = datetime.combine(day.day, datetime.min.time(), UTC)
    for check in day.checks:
        slot = (as_time(check.at) - midnight) // CHECK_SLOT
        weight = IMPORTED if check.healthy else IMPORTED + 1
        stamp = (weight, check.at, "")
        yield Fact("health", user, f"{day.deployment_id}/{day.day}", "checks", check.model_dump(), stamp, f"{slot:02}")
