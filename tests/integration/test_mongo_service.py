"""The tests' own MongoDB: there, loopback only, and gone at its end."""

from __future__ import annotations

import os

import pytest

from services import mongo
from services.fixtures import service_folder
from services.mongo import MongoServer
from services.running import is_listening


def test_a_database_is_new_and_gone_after_the_test(mongo_server: MongoServer) -> None:
    """A database holds nothing at first, and nothing of it is left."""
    with mongo_server.database() as database:
        assert database.client[database.name].list_collection_names() == []
        database.insert("t", [{"_id": 1}])

    with mongo_server.database() as other:
        assert other.name != database.name
        assert other.client[database.name].list_collection_names() == []


def test_a_stopped_server_is_gone_by_its_pid() -> None:
    """Stopping ends every process of the server; stopping twice is no mistake."""
    with service_folder("mongo-stop") as folder:
        server = mongo.start(folder)
        assert server.running is not None
        port = server.port
        assert is_listening(port)

        server.stop()
        server.stop()

    assert not is_listening(port)
    with pytest.raises(ProcessLookupError):
        os.kill(server.running.pid, 0)
