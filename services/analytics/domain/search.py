"""Finding products: an index in memory of what is on offer, by SQLite's FTS5.

The order is that of BM25 (Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and beyond", 2009), with
a weight for each field. Why FTS5: docs/decisions/0016-catalogue-search.md.
"""

import re
import sqlite3
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from services.analytics.domain.months import OWN_CURRENCY
from services.analytics.domain.offers import shown
from services.analytics.domain.things import Product
from shared.contracts.analytics_recommend import CatalogPage, CatalogQuery

_WEIGHTS: Final = "8, 4, 2, 1"  # the name, then tags, category and type, then the provider, then the description
_SCHEMA: Final = """
CREATE TABLE product (number INTEGER PRIMARY KEY, id TEXT UNIQUE, title TEXT, type TEXT, category TEXT,
    seller TEXT, price REAL);
CREATE INDEX by_title ON product (title, id);
CREATE VIRTUAL TABLE words USING fts5 (name, tags, provider, description, content='');
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, 'row');
"""
_FILTERS: Final = """
    (:type IS NULL OR type = :type) AND (:category IS NULL OR :category IN (category, type))
    AND (:seller IS NULL OR seller = :seller) AND (:lowest IS NULL OR price >= :lowest)
    AND (:highest IS NULL OR price <= :highest)
"""
_BY_RELEVANCE: Final = f"""
SELECT relevance, id FROM (
    SELECT CAST(round(bm25(words, {_WEIGHTS}) * 1e12) AS INTEGER) AS relevance, id
    FROM words JOIN product ON product.number = words.rowid WHERE words MATCH :words AND {_FILTERS}
) WHERE :key IS NULL OR (relevance, id) > (:key, :id) ORDER BY relevance, id LIMIT :limit
"""  # noqa: S608  (constants)
_BY_NAME: Final = f"""
SELECT title, id FROM product WHERE {_FILTERS} AND (:key IS NULL OR (title, id) > (:key, :id))
ORDER BY title, id LIMIT :limit
"""  # noqa: S608  (constants)
_WORD: Final = re.compile(r"[^\W_]+")
_MOST_WORDS: Final = 10
_LARGEST: Final = 2**63 - 1  # that SQLite takes
_SHORTEST_TO_CORRECT: Final = 4  # letters: shorter words have too many neighbours
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"

Texts = tuple[str, str, str, str]


class BadCursorError(ValueError):
    """The text is not a cursor of a page of the catalogue."""


class CatalogueIndex:
    """What is on offer. For one thread; of a thousand products it takes 2 MB, of 100,000 some 100."""

    def __init__(self, products: Iterable[Product] = ()) -> None:
        self._products: dict[str, tuple[int, Product]] = {}
        self._last = 0
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._database.executescript(_SCHEMA)
        self.update(products)

    def update(self, products: Iterable[Product]) -> None:
        """Takes these products in, or anew where they have changed, and out where they are retired."""
        self._database.execute("BEGIN")
        for product in products:
            known = self._products.get(product.id)
            if known and known[1] != product:
                self._remove(*known)
            if not product.retired and (not known or known[1] != product):
                self._add(product)
        self._database.execute("COMMIT")

    def find(self, query: CatalogQuery) -> CatalogPage:
        """The page that the query asks for. Raises BadCursorError for a cursor that no page gave."""
        words = _words(query.q or "")[:_MOST_WORDS]
        corrected = [self._corrected(word) for word in words]
        key, after = _place(query.cursor, int if words else str)
        rows = self._database.execute(
            _BY_RELEVANCE if words else _BY_NAME,
            {
                "words": " ".join(f'"{word}"*' for word in corrected),
                "type": query.type,
                "category": query.category,
                "seller": query.provider,
                "lowest": None if query.min_price is None else float(query.min_price),
                "highest": None if query.max_price is None else float(query.max_price),
                "key": key,
                "id": after,
                "limit": query.limit + 1,
            },
        ).fetchall()
        return CatalogPage(
            items=[shown(self._products[id][1]) for _, id in rows[: query.limit]],  # noqa: A001
            next_cursor=_cursor(*rows[query.limit - 1]) if len(rows) > query.limit else None,
            corrected=" ".join(corrected) if corrected != words else None,
        )

    def _add(self, product: Product) -> None:
        self._last += 1
        self._products[product.id] = (self._last, product)
        price = float(product.price) if product.currency == OWN_CURRENCY else None
        kinds = (product.product_type, product.category)
        columns = (self._last, product.id, _folded(product.name), *kinds, product.provider_id, price)
        self._database.execute("INSERT INTO product VALUES (?, ?, ?, ?, ?, ?, ?)", columns)
        insert = "INSERT INTO words (rowid, name, tags, provider, description) VALUES (?, ?, ?, ?, ?)"
        self._database.execute(insert, (self._last, *_texts(product)))

    def _remove(self, number: int, product: Product) -> None:
        """The index holds no texts: to forget a product it is told the product's texts once more."""
        del self._products[product.id]
        self._database.execute("DELETE FROM product WHERE number = ?", (number,))
        delete = "INSERT INTO words (words, rowid, name, tags, provider, description) VALUES ('delete', ?, ?, ?, ?, ?)"
        self._database.execute(delete, (number, *_texts(product)))

    def _corrected(self, word: str) -> str:
        """The word, or where no product has one that begins so, the most frequent one that is one letter away."""
        begins = "SELECT 1 FROM vocabulary WHERE term >= ? AND term < ? LIMIT 1"
        if len(word) < _SHORTEST_TO_CORRECT or self._database.execute(begins, (word, word + "\U0010ffff")).fetchone():
            return word
        near = sorted(set(_one_away(word)))
        places = ", ".join("?" * len(near))
        most = f"SELECT term FROM vocabulary WHERE term IN ({places}) ORDER BY doc DESC, term LIMIT 1"  # noqa: S608
        found: tuple[str] | None = self._database.execute(most, near).fetchone()
        return found[0] if found else word


def _texts(product: Product) -> Texts:
    tags = " ".join((*product.tags, product.category or "", product.product_type))
    return _folded(product.name), _folded(tags), _folded(product.provider_name), _folded(product.description)


def _folded(text: str) -> str:
    """Without case and accents. Done here and not by SQLite so that stored words and searched ones are folded alike."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(_WORD.findall("".join(c for c in apart if not unicodedata.combining(c))))


def _words(text: str) -> list[str]:
    return _folded(text).split()


def _one_away(word: str) -> Iterator[str]:
    """What is a letter less, more or other than the word, or two letters swapped (Norvig, "How to write a spelling
    corrector", 2007)."""
    for at in range(len(word) + 1):
        left, right = word[:at], word[at:]
        yield from (left + letter + right for letter in _LETTERS)
        yield from (left + letter + right[1:] for letter in _LETTERS if right)
        yield left + right[1:]
        if len(right) > 1:
            yield left + right[1] + right[0] + right[2:]


def _cursor(key: int | str, product_id: str) -> str:
    return urlsafe_b64encode(orjson.dumps([key, product_id])).decode()


def _place(cursor: str | None, kind: type[int | str]) -> tuple[int | str | None, str]:
    """The place that the cursor leads to, whose key is of that kind."""
    if cursor is None:
        return None, ""
    try:
        key, product_id = orjson.loads(urlsafe_b64decode(cursor.encode("ascii")))
    except (ValueError, TypeError):
        raise BadCursorError from None
    is_too_large = isinstance(key, int) and abs(key) > _LARGEST
    if type(key) is not kind or not isinstance(product_id, str) or is_too_large:
        raise BadCursorError
    return key, product_id
