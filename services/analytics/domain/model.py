"""What the behaviour of all participating users comes to: everything that a recommendation needs to know of others.

Nothing in it rests on fewer than five people, and nobody is named in it: it may be kept, copied and read by every
replica.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

FEWEST: Final = 5  # people; what fewer than these did is neither learnt nor told
_PRODUCTS_A_DOCUMENT: Final = 1_000  # of at most 50 neighbours of some 60 bytes: 3 MB, of the 16 that Mongo takes

Document = dict[str, Any]  # Any: BSON


class Neighbour(NamedTuple):
    """A product that is bought together with another one.

    `together` is how many people have both; `lift` the natural logarithm of how many times more often that is than
    if the two had nothing to do with each other, shrunk towards 0; always above 0.
    """

    product: str
    lift: float
    together: int


@dataclass(frozen=True, slots=True)
class Model:
    """What is known by product id. `buyers` are people; `attention` is days of looking and purchases of them all.

    `neighbours` are the best first.
    """

    made: datetime
    buyers: Mapping[str, int] = field(default_factory=dict)
    attention: Mapping[str, float] = field(default_factory=dict)
    neighbours: Mapping[str, tuple[Neighbour, ...]] = field(default_factory=dict)


def to_documents(model: Model) -> Iterator[Document]:
    """The model in one or more documents, numbered from 0 in `part` of `parts`, each with the time of the model."""
    products = sorted({*model.buyers, *model.attention, *model.neighbours})
    parts = [products[at : at + _PRODUCTS_A_DOCUMENT] for at in range(0, len(products), _PRODUCTS_A_DOCUMENT)] or [[]]
    for part, ids in enumerate(parts):
        yield {
            "made": model.made,
            "part": part,
            "parts": len(parts),
            "products": [
                {
                    "id": id,
                    "buyers": model.buyers.get(id, 0),
                    "attention": model.attention.get(id, 0.0),
                    "with": [list(neighbour) for neighbour in model.neighbours.get(id, ())],
                }
                for id in ids  # noqa: A001
            ],
        }


def from_documents(documents: Iterable[Document]) -> Model | None:
    """The newest model that is there whole, from what `to_documents` gave, in any order; None where none is."""
    models: dict[datetime, dict[int, Document]] = {}
    for document in documents:
        models.setdefault(document["made"], {})[document["part"]] = document
    whole = [made for made, parts in models.items() if len(parts) == parts[min(parts)]["parts"]]
    if not whole:
        return None
    products = [product for part in models[max(whole)].values() for product in part["products"]]
    return Model(
        made=max(whole),
        buyers={p["id"]: p["buyers"] for p in products if p["buyers"]},
        attention={p["id"]: p["attention"] for p in products if p["attention"]},
        neighbours={p["id"]: tuple(Neighbour(*each) for each in p["with"]) for p in products if p["with"]},
    )
