"""What a migration promises, on any database."""

from __future__ import annotations

import signal
import subprocess
import sys
from decimal import Decimal
from typing import Annotated, Any

import pytest

from dataflow.errors import MigrationFailedError, SchemaMismatchError
from dataflow.executors.sync import SyncExecutor
from dataflow.model.declare import declare
from dataflow.model.registry import Models
from dataflow.model.spec import ForeignKey
from dataflow.schema import passing
from dataflow.schema.inspect import inspect
from dataflow.schema.migrate import SyncDDLExecutor
from dataflow.schema.plan import Plan, described


class Customer:
    name: str
    email: str | None = None
    __indexes__ = [{"fields": ["email"], "unique": True}, {"fields": ["name", "email"]}]


class Purchase:
    customer_id: Annotated[int, ForeignKey("Customer.id", on_delete="cascade")]
    total: Decimal
    lines: list[dict[str, Any]] = []


class Left:
    """Two models that point to each other."""

    right_id: Annotated[int | None, ForeignKey("Right.id")] = None


class Right:
    left_id: Annotated[int | None, ForeignKey("Left.id")] = None


def models_of(*classes: type) -> Models:
    models = Models()
    for cls in classes:
        models.register(declare(cls))
    return models


STARTER = """
import sys
sys.path[:0] = {path!r}
from dataflow.executors.pool import PoolOptions
from dataflow.executors.sync import SyncExecutor
from dataflow.executors.url import DatabaseURL
from dataflow.model.declare import declare
from dataflow.model.registry import Models
from dataflow.schema.migrate import SyncDDLExecutor

class Customer:
    name: str
    email: str
    __indexes__ = [{{"fields": ["email"], "unique": True}}]

class Purchase:
    total: int
    {more}

models = Models()
models.register(declare(Customer))
models.register(declare(Purchase))
executor = SyncExecutor(DatabaseURL.parse({url!r}), PoolOptions())
sys.stdin.read()  # until all are ready
applied = SyncDDLExecutor(executor.ddl, 300).migrate(models, progress={progress})
executor.close()
print(len(applied.changes), sorted({{"sqlalchemy", "alembic", "asyncio"}} & set(sys.modules)))
"""


class Schema:
    @pytest.fixture
    def migration(self, executor: SyncExecutor) -> SyncDDLExecutor:
        return SyncDDLExecutor(executor.ddl, lock_timeout=20)

    def tell(self, executor: SyncExecutor, *statements: str) -> list[tuple[Any, ...]]:
        with executor.ddl() as connection:
            return [connection.ask(statement) for statement in statements][-1]

    def history(self, executor: SyncExecutor) -> int:
        return int(self.tell(executor, "SELECT count(*) FROM dataflow_migrations")[0][0])

    def test_everything_that_is_missing_is_made(self, migration: SyncDDLExecutor) -> None:
        applied = migration.migrate(models_of(Purchase, Customer))

        assert sorted(map(described, applied.changes)) == [
            "create index customers.ix_customers_name_email",
            "create index customers.uq_customers_email",
            "create table customers",
            "create table purchases",
        ]

    def test_what_was_made_is_what_was_wanted(self, migration: SyncDDLExecutor, executor: SyncExecutor) -> None:
        models = models_of(Purchase, Customer, Left, Right)
        migration.migrate(models)

        with executor.ddl() as connection:
            assert passing.plan(connection, models) == Plan()
        migration.check(models)

    def test_a_second_time_there_is_nothing_to_do(self, migration: SyncDDLExecutor, executor: SyncExecutor) -> None:
        migration.migrate(models_of(Customer, Purchase))

        assert migration.migrate(models_of(Purchase, Customer)).changes == ()
        assert self.history(executor) == 1

    def test_another_model_is_made_beside_the_others(self, migration: SyncDDLExecutor, executor: SyncExecutor) -> None:
        migration.migrate(models_of(Customer))
        row = "('Ann', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')"
        self.tell(executor, f"INSERT INTO customers (name, created_at, updated_at) VALUES {row}")

        applied = migration.migrate(models_of(Customer, Purchase))

        assert [*map(described, applied.changes)] == ["create table purchases"]
        assert self.tell(executor, "SELECT name FROM customers") == [("Ann",)]

    def test_a_table_that_was_dropped_by_hand_is_made_again(
        self, migration: SyncDDLExecutor, executor: SyncExecutor
    ) -> None:
        migration.migrate(models_of(Customer, Purchase))
        self.tell(executor, "DROP TABLE purchases")

        applied = migration.migrate(models_of(Customer, Purchase))

        assert [*map(described, applied.changes)] == ["create table purchases"]

    def test_more_than_is_wanted_stays(self, migration: SyncDDLExecutor, executor: SyncExecutor) -> None:
        migration.migrate(models_of(Customer))
        self.tell(
            executor,
            "CREATE TABLE diary (line TEXT)",
            "ALTER TABLE customers ADD COLUMN mood TEXT",
            "ALTER TABLE customers ADD COLUMN level INTEGER DEFAULT 1 NOT NULL",
        )

        assert migration.migrate(models_of(Customer)).changes == ()
        assert self.tell(executor, "SELECT count(*) FROM diary") == [(0,)]

    def test_all_differences_of_a_table_that_is_somebody_elses_are_told(
        self, migration: SyncDDLExecutor, executor: SyncExecutor
    ) -> None:
        self.tell(
            executor, "CREATE TABLE customers (id BIGINT PRIMARY KEY, email BIGINT NOT NULL, birthday DATE NOT NULL)"
        )

        with pytest.raises(SchemaMismatchError) as caught:
            migration.check(models_of(Customer, Purchase))

        told = str(caught.value)
        for part in (
            "column name is missing",
            "column email is bigint, not text",
            "email may not be null",
            "column birthday is not in the model",
            "column created_at is missing",
            "table purchases is missing",
        ):
            assert part in told
        with executor.ddl() as connection:
            assert list(inspect(connection, ["customers", "purchases"]).tables) == ["customers"]

    def test_a_unique_index_that_the_records_forbid_is_a_clear_error_and_changes_nothing(
        self, migration: SyncDDLExecutor, executor: SyncExecutor
    ) -> None:
        migration.migrate(models_of(Customer))
        row = "('Ann', 'a@b', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')"
        self.tell(
            executor,
            "DROP INDEX uq_customers_email",
            f"INSERT INTO customers (name, email, created_at, updated_at) VALUES {row}, {row}",
        )

        with pytest.raises(MigrationFailedError, match=r"uq_customers_email: some records are the same there"):
            migration.migrate(models_of(Customer, Purchase))

        with executor.ddl() as connection:
            assert list(inspect(connection, ["purchases"]).tables) == []

    def test_no_model_is_no_work(self, migration: SyncDDLExecutor) -> None:
        assert migration.migrate(Models()).changes == ()


class Starters(Schema):
    def begin(self, url: str, more: str = "", progress: str = "None") -> subprocess.Popen[str]:
        program, pipe = STARTER.format(path=sys.path, url=url, more=more, progress=progress), subprocess.PIPE
        command = [sys.executable, "-c", program]
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def outcomes(self, starters: list[subprocess.Popen[str]]) -> list[str]:
        """Let all of them go at once; return how many changes each made, "killed" for one that was."""
        for starter in starters:
            assert starter.stdin is not None
            starter.stdin.close()  # go
            starter.stdin = None
        ends = [(starter.communicate(), starter.returncode) for starter in starters]
        assert [error for (_, error), _ in ends] == [""] * len(starters)
        return sorted("killed" if code == -signal.SIGKILL else answer.split()[0] for (answer, _), code in ends)

    @pytest.mark.timeout(600)  # seconds: ten interpreters on a loaded machine
    def test_ten_processes_that_start_at_once_make_one_schema(self, url: str, executor: SyncExecutor) -> None:
        """Lesson 17."""
        assert self.outcomes([self.begin(url) for _ in range(10)]) == ["0"] * 9 + ["3"]
        assert self.history(executor) == 1

    @pytest.mark.timeout(600)
    def test_ten_processes_that_start_at_once_on_an_older_schema_bring_it_forward_once(
        self, url: str, executor: SyncExecutor
    ) -> None:
        self.outcomes([self.begin(url)])

        assert self.outcomes([self.begin(url, "paid: bool = False") for _ in range(10)]) == ["0"] * 9 + ["1"]
        assert self.history(executor) == 2

    @pytest.mark.timeout(600)
    def test_one_that_is_killed_in_the_middle_leaves_nothing_and_stops_nobody(
        self, url: str, executor: SyncExecutor
    ) -> None:
        kill = "lambda block: __import__('os').kill(__import__('os').getpid(), 9)"
        assert self.outcomes([self.begin(url, progress=kill)]) == ["killed"]
        with executor.ddl() as connection:
            assert inspect(connection).tables == {}

        others = [self.begin(url) for _ in range(5)]
        ended = self.outcomes([self.begin(url, progress=kill), *others])

        assert ended in (["0"] * 4 + ["3", "killed"], ["0"] * 5 + ["3"])  # it may have come too late to do anything
        assert self.history(executor) == 1

    def test_nothing_to_do_imports_nothing_heavy(self, url: str) -> None:
        command = [sys.executable, "-c", STARTER.format(path=sys.path, url=url, more="", progress="None")]
        answers = [
            subprocess.run(command, input="", capture_output=True, text=True, check=True).stdout for _ in range(2)
        ]

        assert answers[0].startswith("3 ")
        assert answers[1] == "0 []\n"
