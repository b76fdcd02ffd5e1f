"""Where pictures of sittings lie: a folder of this machine, a mount of several, an S3-compatible store.

A picture is `<sitting>/<name>`; both are opaque. What is deleted is deleted there too, in every version that
the store keeps. The store is asked to encrypt what it keeps.
"""

import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from errors import OperatorError, StorageAway

if TYPE_CHECKING:
    from minio import Minio

ID_BYTES = 16
ID_PATTERN = "[A-Za-z0-9_-]{22}"  # 16 bytes as base64 without padding
# Seconds. A picture of half a megabyte takes some 50 ms to a store of the same town.
CONNECT_S, READ_S = 2.0, 4.0
MOST_CONNECTIONS = 16  # a stage and a hall's phones ask for the same few pictures
AMAZON = "https://s3.{region}.amazonaws.com"
REGION = "us-east-1"  # which stores of one's own go by
UNUSABLE = (
    "FACE_VALUE_PICTURES: pictures cannot be kept there. {why} It is file:///FOLDER or s3://BUCKET/PREFIX."
)


class Storage(Protocol):
    """Pictures by sitting and name. Safe to share between threads."""

    def write(self, sitting: str, name: str, content: bytes) -> None:
        """Whole or not at all. Raises `OSError` or `StorageAway`; it may be there all the same after that."""

    def read(self, sitting: str, name: str) -> bytes:
        """Raises `FileNotFoundError` where it is not there, `StorageAway` where nobody knows."""

    def delete(self, sitting: str, name: str = "") -> None:
        """One picture, or all of a sitting. Raises `OSError` or `StorageAway` where something stays."""

    def sittings(self) -> tuple[str, ...]:
        """Those of which anything is there. Raises `OSError` or `StorageAway`."""

    def sizes(self, sitting: str) -> dict[str, int]:
        """What is there of one: bytes by name. Raises `OSError` or `StorageAway`."""


class FolderStorage:
    """A folder of this machine, or of a mount; files are their owner's alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, sitting: str, name: str, content: bytes) -> None:
        """As in `Storage`."""
        folder = self.folder / sitting
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / name
        try:
            file.touch(0o600)
            file.write_bytes(content)
        except OSError:  # a full disk: no half picture stays
            file.unlink(missing_ok=True)
            raise

    def read(self, sitting: str, name: str) -> bytes:
        """As in `Storage`."""
        return (self.folder / sitting / name).read_bytes()

    def delete(self, sitting: str, name: str = "") -> None:
        """As in `Storage`."""
        path = self.folder / sitting / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def sittings(self) -> tuple[str, ...]:
        """As in `Storage`: folders of ours only, no links."""
        if not self.folder.is_dir():
            return ()
        return tuple(
            folder.name
            for folder in sorted(self.folder.iterdir())
            if re.fullmatch(ID_PATTERN, folder.name) and not folder.is_symlink() and folder.is_dir()
        )

    def sizes(self, sitting: str) -> dict[str, int]:
        """As in `Storage`."""
        folder = self.folder / sitting
        paths = folder.iterdir() if folder.is_dir() else ()
        return {path.name: path.lstat().st_size for path in paths}


class BucketStorage:
    """A bucket of an S3-compatible store, below a prefix."""

    def __init__(self, client: "Minio", bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    def write(self, sitting: str, name: str, content: bytes) -> None:
        """As in `Storage`."""
        from minio.sse import SseS3

        key, body = self._key(sitting, name), io.BytesIO(content)
        with _telling():
            self._client.put_object(self._bucket, key, body, len(content), "image/jpeg", sse=SseS3())

    def read(self, sitting: str, name: str) -> bytes:
        """As in `Storage`."""
        with _telling():
            answer = self._client.get_object(self._bucket, self._key(sitting, name))
            try:
                return bytes(answer.read())
            finally:
                answer.close()
                answer.release_conn()
        raise AssertionError("unreachable")

    def delete(self, sitting: str, name: str = "") -> None:
        """As in `Storage`: every version, and every mark of an earlier deletion."""
        from minio.deleteobjects import DeleteObject

        key = self._key(sitting, name)
        with _telling():
            found = self._client.list_objects(self._bucket, key, recursive=True, include_version=True)
            versions = [
                DeleteObject(str(each.object_name), each.version_id)
                for each in found
                if not name or each.object_name == key
            ]
            if list(self._client.remove_objects(self._bucket, versions)):
                raise StorageAway

    def sittings(self) -> tuple[str, ...]:
        """As in `Storage`; also those of which only earlier versions are left."""
        with _telling():
            found = self._client.list_objects(
                self._bucket, self._prefix, recursive=True, include_version=True
            )
            names = {str(each.object_name).removeprefix(self._prefix).partition("/")[0] for each in found}
        return tuple(sorted(name for name in names if re.fullmatch(ID_PATTERN, name)))

    def sizes(self, sitting: str) -> dict[str, int]:
        """As in `Storage`."""
        with _telling():
            found = self._client.list_objects(self._bucket, self._key(sitting), recursive=True)
            return {str(each.object_name).rpartition("/")[2]: each.size or 0 for each in found}
        raise AssertionError("unreachable")

    def _key(self, sitting: str, name: str = "") -> str:
        return f"{self._prefix}{sitting}/{name}"


def open_storage(url: str) -> Storage:
    """What that URL names, tried with a file of ours. Raises `OperatorError` where it will not do."""
    storage = _open_folder(url) if url.startswith("file:") else _open_bucket(url)
    try:
        storage.write("probe", "probe", b"")
        storage.delete("probe")
    except StorageAway as error:
        why = "It does not answer, or does not let us write, list versions, encrypt or delete."
        raise OperatorError(UNUSABLE.format(why=why)) from error
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "No disk takes that name"
        raise OperatorError(UNUSABLE.format(why=f"{why}.")) from error
    return storage


def _open_folder(url: str) -> Storage:
    parts = urlsplit(url)
    if parts.netloc or not parts.path.strip("/"):
        raise OperatorError(UNUSABLE.format(why="No folder is named."))
    return FolderStorage(Path(unquote(parts.path)))


def _open_bucket(url: str) -> Storage:
    """Where it is and who asks stand in the variables that Amazon's own programs read."""
    try:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("no bucket")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION
        names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        endpoint = next(filter(None, map(os.environ.get, names)), AMAZON.format(region=region))
        return BucketStorage(_client(urlsplit(endpoint), region), parts.netloc, parts.path.strip("/"))
    except ImportError as error:
        why = "For s3:// install what requirements-storage.txt names."
        raise OperatorError(UNUSABLE.format(why=why)) from error
    except ValueError as error:
        raise OperatorError(UNUSABLE.format(why="No bucket or no endpoint is named.")) from error


def _client(endpoint: SplitResult, region: str) -> "Minio":
    """Nobody waits for it longer than the seconds above."""
    import urllib3
    from minio import Minio
    from minio.credentials.providers import ChainedProvider, EnvAWSProvider, IamAwsProvider

    limits = urllib3.Timeout(connect=CONNECT_S, read=READ_S)
    pool = urllib3.PoolManager(MOST_CONNECTIONS, timeout=limits, retries=False, maxsize=MOST_CONNECTIONS)
    return Minio(
        endpoint.netloc,
        secure=endpoint.scheme != "http",
        region=region,
        http_client=pool,
        credentials=ChainedProvider([EnvAWSProvider(), IamAwsProvider(http_client=pool)]),
    )


@contextmanager
def _telling() -> Iterator[None]:
    """What the store refuses or leaves unanswered, as errors of ours."""
    from minio.error import MinioException, S3Error
    from urllib3.exceptions import HTTPError

    try:
        yield
    except S3Error as error:
        if error.code == "NoSuchKey":
            raise FileNotFoundError from error
        raise StorageAway from error
    except (MinioException, HTTPError, OSError, ValueError) as error:
        raise StorageAway from error
