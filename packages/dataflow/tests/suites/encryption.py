"""Encrypted fields: never in clear outside the program, and of use inside it; on any database, by either face."""

from __future__ import annotations

import base64
import logging
import signal
import subprocess
import sys
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest

from dataflow import DataFlow, Encrypted
from dataflow.errors import EncryptionError
from kailash import LocalRuntime, WorkflowBuilder
from kailash.errors import ConfigurationError, InvalidFilterError, InvalidInputError, KailashError
from suites.faces import Face, Facing, Open

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
SECRET = "078-05-1120"
KILLED = """
import os, signal, sys
sys.path[:0] = {path!r}
from typing import Annotated
from decimal import Decimal
from dataflow import DataFlow, Encrypted

db = DataFlow({url!r}, encryption_key={keys!r}, audit_logging=True)

@db.model
class Patient:
    name: str
    ssn: Annotated[str, Encrypted(searchable=True)]
    fee: Annotated[Decimal | None, Encrypted()] = None
    notes: list[str] = []

    __dataflow__ = {{"encrypted": ["notes"], "versioned": True}}

db.rekey(lambda step: os.kill(os.getpid(), signal.SIGKILL))
"""
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'",
}


def everything(db: DataFlow) -> bytes:
    """Return all that the database keeps: every table, and the files of SQLite as they are."""
    with db.connection() as connection:
        tables = [row[0] for row in connection.ask(TABLES[db.url.dialect])]
        assert {"patients", "dataflow_changes", "dataflow_runs", "dataflow_steps", "dataflow_keys"} <= {*tables}
        rows = [connection.ask(f"SELECT * FROM {table}") for table in tables]
    values = [value for table in rows for row in table for value in row]
    kept = b"\n".join(bytes(each) if isinstance(each, bytes | memoryview) else str(each).encode() for each in values)
    if db.url.dialect == "sqlite":
        files = sorted(Path(db.url.path).parent.glob(f"{Path(db.url.path).name}*"))
        assert len(files) >= 2  # the log of what is not in the file yet is one of them
        kept += b"".join(file.read_bytes() for file in files)
    return kept


class Sealed:
    """Fixtures: patients whose numbers and notes are encrypted."""

    @pytest.fixture
    def opened(self, opened: Open) -> Open:
        def open(key: Any = OLD, **options: Any) -> DataFlow:
            db = opened(encryption_key=key, **{"audit_logging": True, **options})

            @db.model
            class Patient:
                name: str
                ssn: Annotated[str, Encrypted(searchable=True)]
                fee: Annotated[Decimal | None, Encrypted()] = None
                notes: list[str] = []

                __dataflow__ = {"encrypted": ["notes"], "versioned": True}

            return db

        return open

    @pytest.fixture
    def ward(self, opened: Open, faced: Facing) -> Face:
        return faced(opened())

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

    def test_equal_values_do_not_look_equal_where_nobody_asked_for_search(self, ward: Face) -> None:
        for _ in range(2):
            ward.do("patients.create", name="a", ssn=SECRET, fee="1")

        fees, numbers = zip(
            *[map(bytes, row) for row in self.raw(ward.db, "SELECT fee, ssn FROM patients")], strict=True
        )

        assert fees[0][5:] != fees[1][5:] and numbers[0] != numbers[1]
        assert numbers[0][:21] == numbers[1][:21]


class InClear(Sealed):
    """What is looked through is all that there is: every table, every byte of the files, every log and error."""

    @pytest.fixture
    def ward(self, opened: Open, faced: Facing) -> Face:
        on = {"echo": True, "debug": True, "slow_query_threshold": 1e-9, "cache_enabled": True}
        return faced(opened(change_detection_method="outbox", **on))

    def test_nothing_of_it_is_in_clear_anywhere(self, ward: Face, caplog: pytest.LogCaptureFixture) -> None:
        """Nor is the key."""
        caplog.set_level(logging.DEBUG)
        row = {"name": "a", "ssn": SECRET, "notes": [SECRET]}
        told = [*self.written(ward, row), *self.refused(ward, row)]

        kept = everything(ward.db)
        told += [caplog.text, *[event.after["ssn"] for event in ward.db.feed.read() if event.after]]
        told += [str(entry) for entry in ward.db.audit.query()] + [repr(ward.db.options), repr(ward.db.configuration())]

        assert len(caplog.records) > 50 and b"***" in kept and len(told) > 20
        for secret in (SECRET.encode(), OLD.encode(), base64.b64decode(OLD)):
            for spelled in (secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret)):
                assert spelled not in kept
                assert not [each for each in told if spelled.decode("latin-1") in each]

    def written(self, ward: Face, row: dict[str, Any]) -> list[str]:
        """Write it by every way there is; return what was said of it."""
        ward.do("patients.create", row)
        ward.do("patients.update", id=1, ssn=SECRET, notes=[SECRET, SECRET])
        ward.do("patients.bulk_create", data=[row] * 3)
        ward.do("patients.bulk_update", filter={"id": 2}, update={"ssn": SECRET})
        ward.do("patients.bulk_upsert", data=[{**row, "id": 3}])
        ward.do("patients.upsert", {**row, "id": 9})
        ward.do("patients.list", filter={"ssn": SECRET})
        with ward.transaction():
            ward.do("patients.create", row)
        ward.do("patients.delete", id=9)
        builder = WorkflowBuilder()
        builder.add_node("PatientCreateNode", "made", {"name": "{{name}}", "ssn": "{{ssn}}", "notes": ["{{ssn}}"]})
        builder.add_node("PatientReadNode", "read", {"id": "$made.id"})
        runtime = LocalRuntime(store=ward.db.run_store())
        results, run = runtime.execute(builder.build(), {"name": "w", "ssn": SECRET})
        assert results["read"]["ssn"] == SECRET
        again, _ = runtime.execute(builder.build(), {"name": "w", "ssn": SECRET}, run_id=run)
        assert again == results  # of the journal
        return [repr(ward.db.models["Patient"]), repr(ward.db.cache)]

    def refused(self, ward: Face, row: dict[str, Any]) -> list[str]:
        """Ask for what is refused; return what is said of that, with all that caused it."""
        asked: list[tuple[str, dict[str, Any]]] = [
            ("create", {**row, "ssn": [SECRET]}),
            ("create", {**row, "fee": SECRET}),
            ("create", {**row, "id": 1}),
            ("bulk_create", {"data": [row, {**row, "id": 1}]}),
            ("list", {"filter": {"ssn__gt": SECRET}}),
            ("list", {"filter": {"ssn__regex": SECRET}}),
            ("update", {"id": 1, "ssn": {"$inc": SECRET}}),
            ("update", {"id": 77, "ssn": SECRET}),
        ]
        said = []
        for what, given in asked:
            with pytest.raises(KailashError) as refusal:
                ward.do(f"patients.{what}", given)
            problems = repr(getattr(refusal.value, "problems", ""))
            said += ["".join(traceback.format_exception(refusal.value, limit=0)), problems, refusal.value.hint]
        return said


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

        assert {(step.model, step.field): (step.done, step.failed) for step in steps} == {
            (model, field): (done, 0)
            for model in ("Patient", "Patient versions")
            for field, done in (("ssn", 7), ("fee", 0), ("notes", 7))
        }
        assert heard[-1].done == 7
        assert [step.done for step in both.rekey()] == [0] * 6
        both.close()
        after = opened(NEW)
        assert after.express_sync.count("Patient", {"ssn": SECRET}) == 8
        assert {each["ssn"] for each in after.express_sync.list("Patient")} == {SECRET}

    def test_a_rekeying_that_is_killed_is_gone_on_with(self, opened: Open, url: str, tmp_path: Path) -> None:
        before = opened(OLD)
        rows = [{"name": str(n), "ssn": SECRET, "notes": ["x"]} for n in range(600)]
        before.express_sync.bulk_create("Patient", rows)
        self.run(before, "r")
        (journal,) = before.run_store().recent()
        before.close()
        (tmp_path / "killed.py").write_text(KILLED.format(path=sys.path, url=url, keys=f"{NEW},{OLD}"))

        killed = subprocess.run([sys.executable, "killed.py"], cwd=tmp_path, check=False)
        both = opened(f"{NEW},{OLD}")
        with pytest.raises(ConfigurationError, match="key"):
            opened(NEW).prepare()  # some values still need the old one
        steps = both.rekey()
        done = {step.field: step.done for step in steps if step.model != "Patient versions"}

        assert killed.returncode == -signal.SIGKILL
        assert sum(step.done for step in steps if step.model == "Patient versions") == 2 * 601
        assert done == {"ssn": 101, "fee": 0, "notes": 601, "given": 1, "output": 1}  # 500 were done before
        both.close()
        after = opened(NEW)
        assert after.express_sync.count("Patient", {"ssn": SECRET}) == 601
        assert after.run_store().recent() == [journal]
        self.run(after, "r")  # answered by the journal: it makes no other
        assert after.express_sync.count("Patient") == 601

    def run(self, db: DataFlow, run_id: str) -> None:
        builder = WorkflowBuilder()
        builder.add_node("PatientCreateNode", "made", {"name": "{{name}}", "ssn": SECRET})
        LocalRuntime(store=db.run_store()).execute(builder.build(), {"name": "w"}, run_id=run_id)

    def test_a_journal_whose_key_is_gone_is_an_error_that_says_so(self, opened: Open, url: str) -> None:
        self.run(opened(OLD), "r")

        with DataFlow(url) as without, pytest.raises(EncryptionError, match=r"dataflow_runs\.given"):
            without.run_store().recent()

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
