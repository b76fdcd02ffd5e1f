"""Pictures lie where every booth finds them: a mount, or a store with versions; what goes is gone there."""

import stat
import sys
import time
from pathlib import Path

import pytest

from booth import storage as storages
from booth.storage import BucketStorage, Storage, open_storage
from errors import OperatorError, StorageAway
from tests.object_store import Bucket, client
from tests.object_store import bucket as bucket  # the fixtures
from tests.object_store import port as port

pytestmark = pytest.mark.app  # a server of its own

SITTING, OTHER = "a" * 22, "b" * 22
JPEG = b"\xff\xd8 one \xff\xd9"
BUSY_S = 3.0  # what a machine with other work adds to any time of ours


@pytest.fixture(params=["mount", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "mount":
        return open_storage(f"file://{tmp_path}/a%20mount")
    return open_storage(request.getfixturevalue("bucket").url)


def test_a_picture_comes_back_as_it_was_put(storage: Storage) -> None:
    storage.write(SITTING, "x.jpg", JPEG)
    assert storage.read(SITTING, "x.jpg") == JPEG
    assert storage.sittings() == (SITTING,)
    assert storage.sizes(SITTING) == {"x.jpg": len(JPEG)}
    with pytest.raises(FileNotFoundError):
        storage.read(SITTING, "y.jpg")


def test_one_goes_without_the_other_and_a_sitting_without_the_next(storage: Storage) -> None:
    for sitting, name in ((SITTING, "x.jpg"), (SITTING, "x.jpg.jpg"), (SITTING, "y.jpg"), (OTHER, "x.jpg")):
        storage.write(sitting, name, JPEG)
    storage.delete(SITTING, "x.jpg")
    assert set(storage.sizes(SITTING)) == {"x.jpg.jpg", "y.jpg"}
    storage.delete(SITTING)
    storage.delete(SITTING)
    assert storage.sittings() == (OTHER,)
    assert storage.sizes(SITTING) == {}


def test_a_mount_keeps_files_for_their_owner_alone(tmp_path: Path) -> None:
    open_storage(f"file://{tmp_path}/mount").write(SITTING, "x.jpg", JPEG)
    file = tmp_path / "mount" / SITTING / "x.jpg"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_goes_goes_in_every_version(bucket: Bucket) -> None:
    storage = open_storage(bucket.url)
    assert bucket.versions == []  # what it was tried with is gone too
    for content in (JPEG, b"another", b"a third"):
        storage.write(SITTING, "x.jpg", content)
    storage.write(SITTING, "y.jpg", JPEG)
    client(bucket.port).remove_object(bucket.name, f"an/evening/{SITTING}/y.jpg")  # leaves a mark
    assert len(bucket.versions) == 5
    storage.delete(SITTING, "x.jpg")
    assert set(bucket.versions) == {f"an/evening/{SITTING}/y.jpg"}
    assert storage.sittings() == (SITTING,)  # of which a version is left
    storage.delete(SITTING)
    assert bucket.versions == []


def test_the_store_is_asked_to_encrypt(bucket: Bucket) -> None:
    open_storage(bucket.url).write(SITTING, "x.jpg", JPEG)
    found = client(bucket.port).stat_object(bucket.name, f"an/evening/{SITTING}/x.jpg")
    assert found.metadata["x-amz-server-side-encryption"] == "AES256"


def test_nobody_waits_for_a_store_that_fell_silent(bucket: Bucket) -> None:
    storage = open_storage(bucket.url)
    bucket.way.silence()
    calls = (
        lambda: storage.write(SITTING, "x.jpg", JPEG),
        lambda: storage.read(SITTING, "x.jpg"),
        lambda: storage.delete(SITTING),
        lambda: storage.sittings(),
    )
    for call in calls:
        began = time.monotonic()
        with pytest.raises(StorageAway):
            call()
        assert time.monotonic() - began < 2 * storages.READ_S + BUSY_S


@pytest.mark.parametrize(
    "url", ["", "ftp://x/y", "s3:", "s3://", "s3:///x", "s3://x?y", "file:", "file://host/x"]
)
def test_what_names_no_place_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(OperatorError, match=r"^FACE_VALUE_PICTURES: .*s3://BUCKET/PREFIX\.$"):
        open_storage(url)


def test_a_place_that_takes_nothing_is_refused_in_a_sentence(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for url in ("s3://no-such-bucket-here/x", f"file://{tmp_path}/file"):
        with pytest.raises(OperatorError, match=r"^FACE_VALUE_PICTURES: [^/]*file:///FOLDER"):
            open_storage(url)


def test_without_its_client_a_store_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minio", None)
    with pytest.raises(OperatorError, match=r"requirements-storage\.txt"):
        open_storage("s3://bucket")


def test_names_tell_nothing(bucket: Bucket) -> None:
    storage = open_storage(bucket.url)
    assert isinstance(storage, BucketStorage)
    storage.write(SITTING, "x.jpg", JPEG)
    assert bucket.versions == [f"an/evening/{SITTING}/x.jpg"]
