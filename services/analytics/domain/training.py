"""Making the model of what goes together out of what all participating users did.

Item-item co-occurrence, shrunk: Linden, Smith and York, "Amazon.com recommendations: item-to-item collaborative
filtering" (2003), and for shrinking Koren, "Factor in the neighbors" (2010), section 2.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.analytics.domain.model import FEWEST, Model, Neighbour

BOUGHT: Final = 0
LOOKED_AT: Final = 1
RATED: Final = 2
_SHRINKAGE: Final = 10.0  # people: that many more behave as if the products had nothing to do with each other
_NEIGHBOURS: Final = 50
_DISLIKED: Final = 3.0  # a rating below it: not something to suggest to others
_MOST_PRODUCTS: Final = 200  # of one user: one with more says little about what goes together and costs the square

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Matrix = sparse.csr_array[np.float64, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Interactions:
    """Rows of who did what with which product, in any order, of participating users only.

    `user` and `product` are indices from 0 on; `kind` is BOUGHT, LOOKED_AT or RATED; `weight` is any number above 0 for
    a purchase, the number of days for a look, 1 to 5 for a rating.
    """

    user: Ints
    product: Ints
    kind: Ints
    weight: Floats

    def of(self, kind: int, shape: tuple[int, int]) -> Matrix:
        """The weights of one kind, users by products; several rows of the same are added up."""
        chosen = self.kind == kind
        rows = (self.weight[chosen], (self.user[chosen], self.product[chosen]))
        return sparse.csr_array(sparse.coo_array(rows, shape=shape))


def train(interactions: Interactions, products: Sequence[str], made: datetime) -> Model:
    """The model at the time `made`; `products` are the ids to which the indices lead."""
    users = int(interactions.user.max()) + 1 if len(interactions.user) else 0
    shape = (users, len(products))
    bought = _ones(interactions.of(BOUGHT, shape))
    looked_at = interactions.of(LOOKED_AT, shape)
    buyers = _column_sums(bought)
    people = _column_sums(_ones(bought + looked_at))
    attention = np.where(people >= FEWEST, _column_sums(bought) + _column_sums(looked_at), 0.0)
    liked = bought - bought * _ones(_disliked(interactions, shape))
    return Model(
        made=made,
        buyers={products[int(i)]: int(buyers[i]) for i in np.flatnonzero(buyers >= FEWEST)},
        attention={products[int(i)]: float(attention[i]) for i in np.flatnonzero(attention)},
        neighbours=_neighbours(liked, products),
    )


def _disliked(interactions: Interactions, shape: tuple[int, int]) -> Matrix:
    ratings = interactions.kind == RATED
    low = ratings & (interactions.weight < _DISLIKED)
    rows = (interactions.weight[low], (interactions.user[low], interactions.product[low]))
    return sparse.csr_array(sparse.coo_array(rows, shape=shape))


def _neighbours(bought: Matrix, products: Sequence[str]) -> dict[str, tuple[Neighbour, ...]]:
    """The products that people have together more often than by chance, by product, the best first."""
    bought.eliminate_zeros()
    number = np.diff(bought.indptr)
    several = bought[(number > 0) & (number <= _MOST_PRODUCTS)]
    buyers = _column_sums(several)
    pairs = sparse.coo_array(several.T @ several)
    one, other = pairs.coords
    expected = buyers[one] * buyers[other] / max(1, several.shape[0])
    lifts = np.log((pairs.data + _SHRINKAGE) / (expected + _SHRINKAGE))
    kept = np.flatnonzero((one != other) & (pairs.data >= FEWEST) & (lifts > 0))
    found: dict[str, list[Neighbour]] = {}
    for at in kept[np.lexsort((other[kept], -lifts[kept], one[kept]))]:
        neighbours = found.setdefault(products[one[at]], [])
        if len(neighbours) < _NEIGHBOURS:
            neighbours.append(Neighbour(products[other[at]], float(lifts[at]), int(pairs.data[at])))
    return {product: tuple(neighbours) for product, neighbours in found.items()}


def _ones(matrix: Matrix) -> Matrix:
    ones = matrix.copy()
    ones.data = np.ones_like(ones.data)
    return ones


def _column_sums(matrix: Matrix) -> Floats:
    return np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()
