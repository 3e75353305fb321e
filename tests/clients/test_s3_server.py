"""The S3 server that tests use is one that says no."""

import pytest
from botocore.exceptions import ClientError

from s3 import Identity, S3Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with S3Server(tmp_path_factory.mktemp("s3"), buckets=("registry", "another")) as server:
        server.client().put_object(Bucket="registry", Key="thing", Body=b"content")
        yield server


def content(server: S3Server, identity: Identity | None = None) -> bytes:
    return server.client(identity).get_object(Bucket="registry", Key="thing")["Body"].read()


def test_the_reader_reads_and_does_not_write(server):
    assert content(server, server.reader) == b"content"
    with pytest.raises(ClientError, match="AccessDenied"):
        server.client(server.reader).put_object(Bucket="registry", Key="other", Body=b"")


@pytest.mark.parametrize(
    ("identity", "error"),
    [
        (S3Server.admin._replace(secret="a guess"), "SignatureDoesNotMatch"),
        (Identity("nobody", "no secret"), "InvalidAccessKeyId"),
    ],
)
def test_strangers_get_nothing(server, identity, error):
    with pytest.raises(ClientError, match=error):
        content(server, identity)


def test_no_bucket_appears_by_itself(server):
    server.client().put_object(Bucket="another", Key="thing", Body=b"")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        server.client().put_object(Bucket="missing", Key="thing", Body=b"")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_data_and_address_stay(server, end):
    address = server.url
    getattr(server, end)()
    assert not server.ready()
    server.start()
    assert server.url == address
    assert content(server) == b"content"
    assert S3Server(server.folder).url == address
