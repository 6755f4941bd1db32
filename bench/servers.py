"""The real servers of the tests' harness, for a run of the benchmark: each starts when a figure first asks for it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

from services import hive, mongo, postgres, redis, seaweedfs
from services.fixtures import service_folder
from services.hive import HiveMetastore
from services.hive_tables import HiveDatabase
from services.mongo import MongoDatabase, MongoServer
from services.postgres import Database, PostgresServer
from services.running import Running, ServiceMissing
from services.seaweedfs import Bucket, SeaweedServer

READER = "reader"
"""Who crawls and reads in PostgreSQL: may read everything and write nothing."""

_STATEMENTS = """
SELECT s.query, s.calls, s.rows FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = %s ORDER BY s.query
"""
_PASSWORDS = {"BENCH_POSTGRES_PASSWORD": postgres.PASSWORD, "BENCH_S3_SECRET": seaweedfs.SECRET}


def key_variable(bucket: Bucket) -> str:
    """Return the environment variable that holds the access key of a bucket's reader."""
    return f"BENCH_S3_KEY_{bucket.name.replace('-', '_').upper()}"


@dataclass
class Servers:
    """Servers with data of their own, ended by their pids with *exits*."""

    exits: ExitStack

    @cached_property
    def postgres(self) -> PostgresServer:
        """PostgreSQL, which counts its statements.

        Raises:
            ServiceMissing, ServiceFailed
        """
        os.environ.update(_PASSWORDS)
        folder = self.exits.enter_context(service_folder("bench-postgres"))
        server = postgres.start(folder)
        self.exits.callback(server.running.stop)
        server.role(READER)
        with Database(name="postgres", port=server.port).connect() as session:
            session.execute(f"GRANT pg_read_all_data TO {READER}".encode())
            (loaded,) = session.execute("SELECT current_setting('shared_preload_libraries')").fetchone() or ("",)
            if "pg_stat_statements" not in loaded:
                raise ServiceMissing("PostgreSQL's pg_stat_statements is not there: apt-get install postgresql-contrib")
            session.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        return server

    @cached_property
    def s3(self) -> SeaweedServer:
        """SeaweedFS."""
        os.environ.update(_PASSWORDS)
        folder = self.exits.enter_context(service_folder("bench-seaweedfs"))
        server = seaweedfs.start(folder)
        self.exits.callback(server.running.stop)
        return server

    @cached_property
    def mongo(self) -> MongoServer:
        """nx-27017, which speaks MongoDB's protocol."""
        folder = self.exits.enter_context(service_folder("bench-mongo"))
        server = mongo.start(folder)
        self.exits.callback(server.stop)
        return server

    @cached_property
    def redis(self) -> Running:
        """Redis."""
        server = redis.start(self.exits.enter_context(service_folder("bench-redis")))
        self.exits.callback(server.stop)
        return server

    @cached_property
    def metastore(self) -> HiveMetastore:
        """A Hive metastore, without HiveServer2."""
        folder = self.exits.enter_context(service_folder("bench-metastore"))
        server = hive.start_metastore(folder, self.s3)
        self.exits.callback(server.running.stop)
        return server

    def hive(self) -> HiveDatabase:
        """Make an empty database of Hive that is there until the end."""
        made = self.metastore.emptied()
        self.exits.callback(made.client.close)
        return made

    def database(self, name: str) -> Database:
        """Make an empty database that is there until the end; dropping ten thousand tables would only take time."""
        return self.postgres.emptied(name)

    def statements(self, database: Database) -> list[tuple[str, int, int]]:
        """Return the statements that ran in a database since `forget_statements`: text, how often, rows in all."""
        with Database(name="postgres", port=self.postgres.port).connect() as session:
            return session.execute(_STATEMENTS, (database.name,)).fetchall()

    def forget_statements(self) -> None:
        """Begin to count anew."""
        with Database(name="postgres", port=self.postgres.port).connect() as session:
            session.execute("SELECT pg_stat_statements_reset()")

    def bucket(self) -> Bucket:
        """Make a bucket that is there until the end."""
        bucket = self.exits.enter_context(self.s3.bucket())
        os.environ[key_variable(bucket)] = bucket.reader
        return bucket

    def documents(self) -> MongoDatabase:
        """Make an empty database of MongoDB that is there until the end."""
        return self.exits.enter_context(self.mongo.database())
