"""Every type of a model comes back exactly: through each operation, either face, and from one face to the other."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import pytest
from annotated_types import Timezone

from dataflow import DataFlow
from suites.faces import Face, Facing


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2**40


LONG_AGO, FAR_AHEAD = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
NESTED: Final = {
    "a": {"b": [1, 2.0, 1e16, -1e300, 1.5e-7, 5e-324, None, True, "é\\u0041", "3e5", {"": []}]},
    "z": -(2**63),
}

VALUES: Final[dict[str, list[Any]]] = {  # field -> what is stored in it
    "text": ["", "a'\\\"%s%%$1:x\n\t", "žluť 😀", "x" * 100_000, "null", "'; DROP TABLE everythings; --", "{{a}} $b.c"],
    "integer": [0, -1, 2**63 - 1, -(2**63)],
    "double": [0.0, 0.1, 3.0, 1e16, 1.7976931348623157e308, 5e-324, -2.2250738585072014e-308, 1 / 3],
    "truth": [True, False],
    "moment": [
        LONG_AGO,
        FAR_AHEAD,
        datetime(1883, 11, 18, 12, 3, 57, tzinfo=UTC),
        datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(2024, 10, 27, 2, 30),
    ],
    "naive": [datetime.min, datetime.max, datetime(2024, 2, 29, 1, 2, 3, 4)],
    "day": [date.min, date.max, date(2024, 2, 29)],
    "hour": [time.min, time.max, time(1, 2, 3, 4)],
    "span": [
        timedelta(0),
        timedelta(microseconds=-1),
        timedelta(days=400, seconds=3),
        timedelta(hours=-25),
        timedelta(days=106_751_990, hours=23, microseconds=7),
        timedelta(days=-106_751_990),
    ],
    "money": [Decimal("0"), Decimal("1.50"), Decimal("-0.001"), Decimal("9" * 300 + "." + "1" * 300), Decimal("1E+9")],
    "key": [UUID(int=0), UUID("0190163d-8694-739b-aea5-966c26f8ad91")],
    "raw": [b"", bytes(range(256)), b"\\x00'"],
    "tree": [{}, NESTED, {"big": 1.7976931348623157e308, "1": None}],
    "items": [[], [1, "a", None, {"k": 1e20}, [[]]]],
    "doubles": [[1.0, 1e20, 2.5]],
    "moments": [[datetime(2024, 1, 1, tzinfo=UTC), datetime(1, 1, 1, 0, 0, 0, 5, tzinfo=UTC)]],
    "prices": [{"a": Decimal("1.10"), "b": Decimal("3")}],
    "maybe": [[1, None]],
    "colour": list(Colour),
    "level": list(Level),
    "letter": ["a", "b"],
    "colours": [[Colour.RED, Colour.BLUE]],
}
WITHOUT_EQUALITY: Final = frozenset({"tree", "items", "doubles", "moments", "prices", "maybe", "colours"})


def exactly(stored: Any, given: Any) -> bool:
    """Whether they are equal and of the same types, at every depth."""
    if isinstance(given, datetime) and given.utcoffset() != timedelta(0):
        given = given.astimezone(UTC) if given.tzinfo else given
    if type(stored) is not type(given):
        return False
    if isinstance(given, dict):
        return stored.keys() == given.keys() and all(exactly(stored[key], given[key]) for key in given)
    if isinstance(given, list):
        return len(stored) == len(given) and all(map(exactly, stored, given))
    return bool(stored == given) and getattr(stored, "tzinfo", None) is getattr(given, "tzinfo", None)


def expected(field: str, value: Any) -> Any:
    """A datetime without a zone is one of UTC, where the field has a zone."""
    return value.replace(tzinfo=UTC) if field == "moment" and value.tzinfo is None else value


def singles() -> list[dict[str, Any]]:
    """One record for each value, the other fields null."""
    return [{field: value} for field, values in VALUES.items() for value in values]


def wrong(stored: list[dict[str, Any]], given: list[dict[str, Any]]) -> list[str]:
    """What did not come back as it went."""
    assert len(stored) == len(given)
    return [
        f"{field}: {value!r:.80} came back as {record[field]!r:.80}"
        for record, row in zip(stored, given, strict=True)
        for field, value in row.items()
        if not exactly(record[field], expected(field, value))
    ]


def declare_everything(db: DataFlow) -> None:
    """One model with a field of each type."""

    @db.model
    class Everything:
        text: str | None = None
        integer: int | None = None
        double: float | None = None
        truth: bool | None = None
        moment: datetime | None = None
        naive: Annotated[datetime, Timezone(None)] | None = None
        day: date | None = None
        hour: time | None = None
        span: timedelta | None = None
        money: Decimal | None = None
        key: UUID | None = None
        raw: bytes | None = None
        tree: dict[str, Any] | None = None
        items: list[Any] | None = None
        doubles: list[float] | None = None
        moments: list[datetime] | None = None
        prices: dict[str, Decimal] | None = None
        maybe: list[int | None] | None = None
        colour: Colour | None = None
        level: Level | None = None
        letter: Literal["a", "b"] | None = None
        colours: list[Colour] | None = None


class RoundTrip:
    """The suite; a subclass has the fixture ``url``."""

    @pytest.fixture
    def store(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url)
        declare_everything(db)
        return faced(db)

    def test_what_is_created_comes_back_at_once_and_when_read(self, store: Face) -> None:
        created = [store.express("create", "Everything", row) for row in singles()]
        read = [store.express("read", "Everything", record["id"]) for record in created]

        assert wrong(created, singles()) == []
        assert wrong(read, singles()) == []

    def test_null_comes_back_in_every_type(self, store: Face) -> None:
        record = store.express("create", "Everything", dict.fromkeys(VALUES))

        assert [record[field] for field in VALUES] == [None] * len(VALUES)

    def test_what_is_updated_comes_back(self, store: Face) -> None:
        id = store.express("create", "Everything", {})["id"]

        updated = [store.express("update", "Everything", id, row) for row in singles()]

        assert wrong(updated, singles()) == []

    def test_what_is_loaded_in_bulk_comes_back(self, store: Face) -> None:
        longest = max(map(len, VALUES.values()))
        rows = [{field: values[n % len(values)] for field, values in VALUES.items()} for n in range(longest)]

        store.do("everythings.bulk_create", data=rows)
        stored = store.express("list", "Everything", order_by="id")

        assert wrong(stored, rows) == []

    def test_what_is_upserted_in_bulk_comes_back(self, store: Face) -> None:
        ids = [store.express("create", "Everything", {})["id"] for _ in range(3)]
        rows = [{field: values[n % len(values)] for field, values in VALUES.items()} for n in range(3)]

        store.do("everythings.bulk_upsert", data=[{"id": id, **row} for id, row in zip(ids, rows, strict=True)])
        stored = store.express("list", "Everything", order_by="id")

        assert wrong(stored, rows) == []

    def test_what_is_updated_in_bulk_comes_back(self, store: Face) -> None:
        ids = [store.express("create", "Everything", {})["id"] for _ in range(3)]
        rows = [{field: values[n % len(values)] for field, values in VALUES.items()} for n in range(3)]

        store.do("everythings.bulk_update", data=[{"id": id, **row} for id, row in zip(ids, rows, strict=True)])
        stored = store.express("list", "Everything", order_by="id")

        assert wrong(stored, rows) == []

    def test_a_value_is_found_by_itself_and_among_others(self, store: Face) -> None:
        store.do("everythings.bulk_create", data=singles())

        for field, values in VALUES.items():
            if field in WITHOUT_EQUALITY:
                continue
            for value in values:
                (found,) = store.express("list", "Everything", {field: value})
                assert exactly(found[field], expected(field, value))
            assert store.express("count", "Everything", {field: {"$in": values}}) == len(values)


class AcrossFaces:
    """What one face writes the other reads; a subclass has the fixture ``url``: not of a database in memory."""

    @pytest.mark.parametrize("writer", ["blocking", "asyncio"])
    def test_what_one_face_writes_the_other_finds_and_reads(self, url: str, writer: str) -> None:
        db = DataFlow(url)
        declare_everything(db)
        blocking, other = Face(db, blocking=True), Face(db, blocking=False)
        first, second = (blocking, other) if writer == "blocking" else (other, blocking)

        created = [first.express("create", "Everything", row) for row in singles()]
        read = [second.express("read", "Everything", record["id"]) for record in created]
        counts = {
            field: second.express("count", "Everything", {field: {"$in": values}})
            for field, values in VALUES.items()
            if field not in WITHOUT_EQUALITY
        }
        other.close()

        assert wrong(read, singles()) == []
        assert counts == {field: len(VALUES[field]) for field in counts}
