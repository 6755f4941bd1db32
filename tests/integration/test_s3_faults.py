"""What a store may do wrong, each with its stated outcome: odd keys, endless listings, refusals, redirects, silence."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.errors import CredentialsRejected, SettingsInvalid, SourceUnreachable
from hms_registry.ports.adapter import Scope
from hms_s3 import S3Adapter, S3Config
from hms_s3 import client as client_module
from services.odd_s3 import OddS3, serving
from services.running import free_port
from services.seaweedfs import SECRET, Bucket
from services.tcp_proxy import Fault, tcp_proxy

_CSV = b"a,b\n1,2\n"


def _adapter(url: str, options: Mapping[str, str]) -> S3Adapter:
    return S3Adapter(S3Config.from_url(source="lake", url=url, options=options))


def _items(adapter: S3Adapter, scope: Scope | None = None) -> tuple[list[DatasetRef], list[Failure], int, bool]:
    refs, failures, ignored, whole = [], [], 0, True
    for item in adapter.discover(scope or Scope()):
        if isinstance(item, DatasetRef):
            refs.append(item)
        elif isinstance(item, Failure):
            failures.append(item)
        else:
            ignored, whole = ignored + item.ignored, whole and item.is_complete
    adapter.close()
    return refs, failures, ignored, whole


def _objects(adapter: S3Adapter, refs: list[DatasetRef]) -> int:
    described = list(adapter.describe(refs))
    adapter.close()
    assert all(isinstance(each, DescribedDataset) for each in described)
    return sum(each.observation.file_count or 0 for each in described if isinstance(each, DescribedDataset))


# Odd keys


def test_odd_keys_are_registered_or_reported_and_the_balance_holds(bucket: Bucket) -> None:
    """On a real store: newlines, `%2F`, a key that is a prefix of another, 1,000 bytes; objects all accounted for."""
    keys = ["a/x\ny.csv", "a/%2F +.csv", "p.csv", "p.csv/q.csv", "a/" + "k" * 250 + ".csv", "b/" * 380 + "deep.csv",
            "a/é.csv", "a/e\u0301.csv", "a/readme.txt", "_tmp/x.csv", "a/.hidden.csv", "a.csv/b;--.csv"]  # fmt: skip
    bucket.put(dict.fromkeys(keys, _CSV))
    adapter = _adapter(f"s3://{bucket.name}", bucket.options())

    refs, failures, ignored, whole = _items(adapter)

    assert whole and not failures
    assert len({ref.address for ref in refs}) == len(refs)
    assert {("a", "x\ny"), ("a", "%2F +"), ("public", "p"), ("p.csv", "q"), ("a", "é"), ("a", "e\u0301")} <= {
        (ref.address.schema, ref.address.table) for ref in refs
    }
    assert _objects(adapter, refs) + ignored == len(keys)


def test_keys_that_lead_out_are_reported_and_nothing_else_is_touched() -> None:
    """`../../etc/passwd`, `//a`, a trailing `/` and a step too many: reported or ignored, and all else registered."""
    keys = [
        "../../etc/passwd.csv",
        "//a.csv",
        "/b.csv",
        "x//y.csv",
        "x/./z.csv",
        "x/",
        "x/ok.csv",
        "x",
        "k" * 1020 + ".csv",
    ]
    with serving(OddS3(pages=[keys])) as store:
        refs, failures, ignored, whole = _items(adapter := _adapter("s3://bbb", store.options()))

        assert {ref.address.table for ref in refs} == {"ok", "k" * 1020}
        assert whole and len(failures) == 5 and len(refs) + len(failures) + ignored == len(keys)
        assert _objects(adapter, refs) == 2
    assert all("etc" not in line for line in store.asked)


# Endless and repeating listings


@pytest.mark.parametrize("has_new_tokens", [False, True])
def test_a_listing_that_loops_ends_and_is_not_whole(has_new_tokens: bool) -> None:
    """A token that comes again, or pages that bring nothing new: it ends, says so, and absence is not believed."""
    pages = [["a/1.csv", "a/2.csv"], ["b/3.csv"]]
    with serving(OddS3(pages=pages, loops=0, has_new_tokens=has_new_tokens)) as store:
        refs, failures, _, whole = _items(_adapter("s3://bbb", store.options()))

        assert {ref.address.schema for ref in refs} == {"a", "b"}
        assert failures and not whole
        assert _adapter("s3://bbb", store.options()).stamp(Scope()) is None
    assert len(store.asked) < 10


def test_a_key_listed_twice_is_one_and_reported() -> None:
    """The same key on two pages is one object."""
    with serving(OddS3(pages=[["a/1.csv", "a/2.csv"], ["a/2.csv", "a/3.csv"]])) as store:
        refs, failures, _, _ = _items(_adapter("s3://bbb", store.options()))

    assert [ref.address.table for ref in refs] == ["1", "2", "3"]
    assert [(each.subject, each.reason) for each in failures] == [("a/2.csv", "the store listed 1 keys twice")]


# Refusals, told apart


def test_refusals_are_told_apart_and_hold_no_secret(bucket: Bucket) -> None:
    """No such bucket, no such key, a wrong secret, no right: each its own error and next step."""
    good = bucket.options()
    lister = bucket.options(bucket.prefix_reader)
    cases = [
        ("s3://no-such-bucket-here", {**good, "access_key": "admin"}, SourceUnreachable, "there is no bucket"),
        (f"s3://{bucket.name}", {**good, "secret_key": "wrong"}, CredentialsRejected, "does not belong"),
        (f"s3://{bucket.name}", {**good, "access_key": "nobody"}, CredentialsRejected, "knows no such access key"),
        (f"s3://{bucket.name}", lister, CredentialsRejected, "may not list"),
        (f"s3://{bucket.name}", {**good, "endpoint": f"http://127.0.0.1:{free_port()}"}, SourceUnreachable, "reached"),
        (f"s3://{bucket.name}", {**good, "endpoint": bucket.endpoint.replace("http", "https")}, SourceUnreachable, ""),
    ]
    for url, options, kind, fact in cases:
        with pytest.raises(kind) as caught:
            _adapter(url, options).check()

        assert fact in caught.value.message and caught.value.hint
        assert SECRET not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("status", "headers", "code", "fact"),
    [
        (301, {"x-amz-bucket-region": "eu-north-1"}, "PermanentRedirect", "lies in region eu-north-1"),
        (400, {"x-amz-bucket-region": "eu-north-1"}, "AuthorizationHeaderMalformed", "lies in region eu-north-1"),
        (503, {}, "SlowDown", "answers with error 503"),
        (403, {}, "RequestTimeTooSkewed", "clock"),
        (200, {}, "", "answers with error"),
    ],
)
def test_other_answers_are_told_apart(status: int, headers: Mapping[str, str], code: str, fact: str) -> None:
    """A bucket elsewhere names its region; a busy store, a wrong clock and no S3 at all are said."""
    body = f"<Error><Code>{code}</Code></Error>".encode() if code else b"<html>no"
    with serving(OddS3(answer=(status, headers, body))) as store, pytest.raises(SourceUnreachable) as caught:
        _adapter("s3://bbb", store.options()).check()

    assert fact in caught.value.message and caught.value.hint


def test_a_denied_prefix_is_incomplete_and_the_others_go_on(bucket: Bucket) -> None:
    """A key that may list one prefix only reads that one; the other is reported, and absence there is not believed."""
    bucket.put({"open/a.csv": _CSV, "closed/b.csv": _CSV})
    options = {**bucket.options(bucket.prefix_reader), "prefixes": "open, closed"}
    adapter = _adapter(f"s3://{bucket.name}", options)
    adapter.check()

    items = list(adapter.discover(Scope()))

    listed = {item.schema: item.is_complete for item in items if isinstance(item, ContainerListed)}
    assert listed == {"closed": False, "open": True, "public": False, "": False}
    assert [str(item.address) for item in items if isinstance(item, DatasetRef)] == ["lake.open.a"]
    assert [item.subject for item in items if isinstance(item, Failure)] == ["closed/"]


def test_what_may_be_listed_and_not_read_is_not_readable(bucket: Bucket) -> None:
    """A denied object is registered as not readable, not dropped."""
    bucket.put({"a/x.csv": _CSV})
    adapter = _adapter(f"s3://{bucket.name}", bucket.options(bucket.lister))

    (described,) = adapter.describe(_items(adapter)[0])

    assert isinstance(described, DescribedDataset)
    assert not described.is_readable and described.columns == ()


# Redirects and silence


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    """A redirect to another host ends in an error, and that host hears nothing: listing, looking, scanning."""
    with serving(OddS3(pages=[["a/x.csv"]])) as target, serving(OddS3(pages=[["a/x.csv"]])) as store:
        adapter = _adapter("s3://bbb", store.options())
        refs, _, _, _ = _items(adapter)
        store.answer = (status, {"Location": f"{target.endpoint}/bbb/a/x.csv"}, b"")

        with pytest.raises(SourceUnreachable):
            adapter.check()
        assert all(isinstance(each, Failure) for each in adapter.describe(refs))

        assert target.asked == []


def test_a_store_that_drips_is_left_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte every 50 ms never trips a read timeout; the request as a whole has a deadline."""
    monkeypatch.setattr(client_module, "REQUEST_S", 1.0)
    with serving(OddS3(drip_s=0.05)) as store:
        started = time.monotonic()
        with pytest.raises(SourceUnreachable, match="does not answer in time"):
            _adapter("s3://bbb", store.options()).check()

    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3://user:pw@bucket", "http://bucket", "s3://b?endpoint=file:///etc/passwd", "s3://b?secret_key=x",
     "s3://b?endpoint=gopher://x", "s3://b?endpoint=http://u:p@host"],
)  # fmt: skip
def test_a_url_that_is_no_bucket_is_refused(url: str) -> None:
    """Only s3://BUCKET/PREFIX and http(s) endpoints are taken; the message does not repeat what was written."""
    with pytest.raises(SettingsInvalid) as caught:
        S3Config.from_url(source="lake", url=url, options={})

    assert "pw" not in caught.value.message and "passwd" not in caught.value.message


def test_a_listing_that_breaks_off_at_any_byte_is_never_a_smaller_bucket(bucket: Bucket) -> None:
    """Cut within status, headers or body: an error, and never a listing that lacks something."""
    bucket.put({f"a/{name}.csv": _CSV for name in "xyz"})
    with tcp_proxy(int(bucket.endpoint.rpartition(":")[2])) as proxy:
        options = {**bucket.options(), "endpoint": f"http://127.0.0.1:{proxy.port}"}
        whole = _items(_adapter(f"s3://{bucket.name}", options))
        for cut_after in range(0, proxy.passed, 61):
            proxy.fault = Fault(cut_after=cut_after)

            with pytest.raises(SourceUnreachable):
                _items(_adapter(f"s3://{bucket.name}", options))

        proxy.fault = Fault()
        assert _items(_adapter(f"s3://{bucket.name}", options)) == whole
