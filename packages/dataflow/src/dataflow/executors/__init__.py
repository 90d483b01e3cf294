"""The only package that performs I/O for operations.

`sync.SyncExecutor` answers data plans on blocking drivers (psycopg2, sqlite3), `aio.AsyncExecutor` on asyncio
(asyncpg, sqlite3). SQLAlchemy Core compiles a statement once for each shape; after that the raw driver runs it
and SQLAlchemy is not on the path.
"""
