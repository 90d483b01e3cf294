"""Encrypted fields: never in clear outside the program, and of use inside it; on any database, by either face."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any

import pytest

from dataflow import DataFlow, Encrypted
from dataflow.errors import EncryptionError
from kailash.errors import ConfigurationError, InvalidFilterError, InvalidInputError
from suites.faces import Face

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
SECRET = "078-05-1120"
Open = Callable[..., DataFlow]


class Sealed:
    """Fixtures: patients whose numbers and notes are encrypted."""

    @pytest.fixture
    def opened(self, url: str) -> Iterator[Open]:
        databases = []

        def open(key: Any = OLD) -> DataFlow:
            db = DataFlow(url, encryption_key=key, audit_logging=True)
            databases.append(db)

            @db.model
            class Patient:
                name: str
                ssn: Annotated[str, Encrypted(searchable=True)]
                fee: Annotated[Decimal | None, Encrypted()] = None
                notes: list[str] = []

                __dataflow__ = {"encrypted": ["notes"]}

            return db

        yield open
        for db in databases:
            db.close()

    @pytest.fixture(params=["blocking", "asyncio"])
    def ward(self, request: pytest.FixtureRequest, opened: Open) -> Iterator[Face]:
        face = Face(opened(), blocking=request.param == "blocking")
        yield face
        face.close()

    def raw(self, db: DataFlow, sql: str) -> list[tuple[Any, ...]]:
        with db._sync.ddl() as connection:
            return connection.ask(sql)


class Kept(Sealed):
    def test_values_come_back_as_they_were_by_every_path(self, ward: Face) -> None:
        row = {"name": "a", "ssn": SECRET, "fee": "12.50", "notes": ["é", "\\x00'"]}
        ward.do("patients.create", row)
        ward.do("patients.bulk_create", data=[{**row, "name": "b"}, {**row, "name": "c"}], returning=True)
        ward.do("patients.upsert", {**row, "id": 9})
        ward.do("patients.update", id=1, notes=["new"], fee=None)
        ward.do("patients.bulk_update", data=[{"id": 2, "fee": "1"}])
        ward.do("patients.bulk_update", filter={"id": 3}, update={"ssn": "1"})
        ward.do("patients.bulk_upsert", data=[{**row, "id": 9, "fee": "3"}, {**row, "id": 10}])

        stored = {each["id"]: each for each in ward.do("patients.list", sort="id")["records"]}

        assert (stored[1]["notes"], stored[1]["fee"], stored[1]["ssn"]) == (["new"], None, SECRET)
        assert (stored[2]["fee"], stored[2]["notes"]) == (Decimal(1), row["notes"])
        assert stored[3]["ssn"] == "1"
        assert [stored[id]["fee"] for id in (9, 10)] == [Decimal(3), Decimal("12.50")]

    def test_nothing_of_it_is_in_clear_anywhere(self, ward: Face, caplog: pytest.LogCaptureFixture) -> None:
        """Not in the table, the audit log, the feed, a log or an error."""
        caplog.set_level(logging.DEBUG)
        ward.do("patients.create", name="a", ssn=SECRET, notes=[SECRET])
        ward.do("patients.update", id=1, ssn=SECRET + "1")
        ward.do("patients.bulk_create", data=[{"name": "b", "ssn": SECRET, "notes": [SECRET]}] * 3)
        with pytest.raises(InvalidInputError) as refused:
            ward.do("patients.create", name="a", ssn=[SECRET])

        tables = [self.raw(ward.db, f"SELECT * FROM {table}") for table in ("patients", "dataflow_changes")]

        assert SECRET not in repr(tables) and SECRET.encode().hex() not in repr(tables)
        assert SECRET not in caplog.text and SECRET not in repr(refused.value.problems)
        assert {each.after["ssn"] for each in ward.db.feed.read() if each.after} == {"***"}
        assert OLD not in repr(ward.db.options)

    def test_equal_values_do_not_look_equal_where_nobody_asked_for_search(self, ward: Face) -> None:
        for _ in range(2):
            ward.do("patients.create", name="a", ssn=SECRET, fee="1")

        fees, numbers = zip(
            *[map(bytes, row) for row in self.raw(ward.db, "SELECT fee, ssn FROM patients")], strict=True
        )

        assert fees[0][5:] != fees[1][5:] and numbers[0] != numbers[1]
        assert numbers[0][:21] == numbers[1][:21]


class Asked(Sealed):
    def test_equality_finds_where_it_was_asked_for(self, ward: Face) -> None:
        for name, number in (("a", "1"), ("b", "2"), ("c", "1")):
            ward.do("patients.create", name=name, ssn=number)

        def names(**filter: Any) -> list[str]:
            return [each["name"] for each in ward.do("patients.list", filter=filter, sort="name")["records"]]

        assert names(ssn="1") == ["a", "c"]
        assert names(ssn__ne="1") == ["b"]
        assert names(ssn__in=["1", "2", "3"]) == ["a", "b", "c"]
        assert names(ssn__nin=["1"]) == ["b"]
        assert names(fee__null=True) == ["a", "b", "c"]

    @pytest.mark.parametrize(
        "filter", [{"ssn__gt": "1"}, {"ssn__contains": "1"}, {"fee": "1"}, {"fee__gte": "1"}, {"ssn__startswith": "1"}]
    )
    def test_what_ciphertext_cannot_answer_is_a_clear_error(self, ward: Face, filter: dict[str, Any]) -> None:
        with pytest.raises(InvalidFilterError, match="encrypted"):
            ward.do("patients.list", filter=filter)

    def test_it_cannot_be_sorted_by_or_calculated_with(self, ward: Face) -> None:
        for asked in ({"sort": "ssn"}, {"sort": "-fee"}):
            with pytest.raises(InvalidInputError, match="encrypted"):
                ward.do("patients.list", asked)
        totals: list[dict[str, Any]] = [
            {"group_by": ["ssn"]}, {"aggregate": {"x": {"$sum": "fee"}}}, {"max": ["ssn"]}
        ]  # fmt: skip
        for total in totals:
            with pytest.raises(InvalidInputError, match="encrypted"):
                ward.do("patients.aggregate", total)
        ward.do("patients.create", name="a", ssn="1", fee="1")
        with pytest.raises(InvalidInputError, match="encrypted"):
            ward.do("patients.update", id=1, fee={"$inc": "1"})

    @pytest.mark.parametrize("tampering", ["'{sealed}'", "other", "short"])
    def test_a_value_that_was_changed_or_moved_does_not_open(self, ward: Face, tampering: str) -> None:
        ward.do("patients.create", name="a", ssn=SECRET, fee="1", notes=["x"])
        new = {"other": "notes", "short": "substr(fee, 1, 3)"}.get(tampering)
        if new is None:
            sealed = bytearray(self.raw(ward.db, "SELECT fee FROM patients")[0][0])
            sealed[-1] ^= 1
            new = f"x'{sealed.hex()}'" if ward.db.url.dialect == "sqlite" else f"'\\x{sealed.hex()}'"
        self.raw(ward.db, f"UPDATE patients SET fee = {new}" + (" RETURNING id" if tampering else ""))

        with pytest.raises(EncryptionError, match="cannot be decrypted"):
            ward.do("patients.read", id=1)


class Rekeyed(Sealed):
    def test_a_new_key_reads_the_old_values_and_takes_them_over(self, opened: Open) -> None:
        before = opened(OLD)
        before.express_sync.bulk_create("Patient", [{"name": str(n), "ssn": SECRET, "notes": ["x"]} for n in range(7)])
        before.close()
        both = opened(f"{NEW},{OLD}")
        both.express_sync.create("Patient", {"name": "new", "ssn": SECRET})

        assert both.express_sync.count("Patient", {"ssn": SECRET}) == 8
        heard: list[Any] = []
        steps = both.rekey(heard.append)

        assert {step.field: (step.done, step.failed) for step in steps} == {
            "ssn": (7, 0),
            "fee": (0, 0),
            "notes": (7, 0),
        }
        assert heard[-1].done == 7
        assert [step.done for step in both.rekey()] == [0, 0, 0]
        both.close()
        after = opened(NEW)
        assert after.express_sync.count("Patient", {"ssn": SECRET}) == 8
        assert {each["ssn"] for each in after.express_sync.list("Patient")} == {SECRET}

    def test_a_wrong_key_is_an_error_at_the_start(self, opened: Open) -> None:
        opened(OLD).express_sync.create("Patient", {"name": "a", "ssn": "1"})

        with pytest.raises(ConfigurationError, match="key"):
            opened(NEW).prepare()

    def test_a_missing_key_is_an_error_where_the_model_is_declared(self, opened: Open) -> None:
        with pytest.raises(ConfigurationError, match="no key"):
            opened(None)

    @pytest.mark.parametrize("key", ["", "short", base64.b64encode(b"x" * 31).decode(), "ä" * 44, f"{OLD},"])
    def test_a_key_that_is_none_is_refused_without_being_told(self, url: str, key: str) -> None:
        with pytest.raises(ConfigurationError, match="encryption_key") as refused:
            DataFlow(url, encryption_key=key)

        assert not key or key not in str(refused.value)

    def test_the_audit_log_is_chained_with_the_key(self, opened: Open) -> None:
        db = opened(OLD)
        db.express_sync.create("Patient", {"name": "a", "ssn": "1"})
        assert db.audit.verify().entries == 1
        db.close()

        assert opened(f"{NEW},{OLD}").audit.verify().entries == 1
