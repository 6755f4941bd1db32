"""The tests' own S3 server: there, loopback only, with identities of narrow rights, and gone at its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from services import seaweedfs
from services.fixtures import service_folder
from services.running import is_listening
from services.seaweedfs import SECRET, Bucket, SeaweedServer


def test_a_bucket_is_new_and_gone_after_the_test(seaweed_server: SeaweedServer) -> None:
    """A bucket holds nothing at first, and is removed with what a test left in it."""
    with seaweed_server.bucket() as made:
        assert made.client.list_objects_v2(Bucket=made.name)["KeyCount"] == 0
        made.put({"a/b.csv": b"x"})

    names = {each["Name"] for each in seaweed_server.client().list_buckets()["Buckets"]}
    assert made.name not in names


def test_each_bucket_has_identities_of_narrow_rights(seaweed_server: SeaweedServer, bucket: Bucket) -> None:
    """A reader reads its bucket and no other; one may read a prefix only, one may list only; none may write."""
    bucket.put({"open/a.csv": b"x", "closed/b.csv": b"x"})
    reader, opened, lister = map(seaweed_server.client, (bucket.reader, bucket.prefix_reader, bucket.lister))

    assert reader.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 2
    assert opened.list_objects_v2(Bucket=bucket.name, Prefix="open/")["KeyCount"] == 1
    assert lister.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 2
    for refused in (
        lambda: reader.put_object(Bucket=bucket.name, Key="c", Body=b""),
        lambda: opened.list_objects_v2(Bucket=bucket.name),
        lambda: opened.get_object(Bucket=bucket.name, Key="closed/b.csv"),
        lambda: lister.get_object(Bucket=bucket.name, Key="open/a.csv"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()
    with seaweed_server.bucket() as other, pytest.raises(ClientError, match="AccessDenied"):
        reader.list_objects_v2(Bucket=other.name)


def test_a_stopped_server_is_gone_by_its_pid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping ends it and closes its ports; its log holds no secret, and it wrote nothing but in its folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with service_folder("seaweedfs-stop") as folder:
        server = seaweedfs.start(folder)
        assert is_listening(server.port)

        server.running.stop()
        server.running.stop()

        assert SECRET not in server.running.log.read_text(errors="replace")
    assert not is_listening(server.port)
    with pytest.raises(ProcessLookupError):
        os.kill(server.running.pid, 0)
    assert not list(tmp_path.iterdir())
