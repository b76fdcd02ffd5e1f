"""What an operator sets, from the environment: `FACE_VALUE_<NAME>`.

Each field is documented in `docs/settings.md`; a test compares the two.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from errors import OperatorError

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")  # that no other machine reaches
# Scheme, name or number, port, path: of characters that need no quoting in HTML, headers and QR codes.
WEB_ADDRESS = re.compile(
    r"https?://([A-Za-z0-9.-]{1,200}|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[A-Za-z0-9._~-]+)*/?"
)


class Settings(BaseSettings):
    """The contract's settings and their defaults."""

    model_config = SettingsConfigDict(
        env_prefix="FACE_VALUE_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data: Annotated[Path, Field(description="Folder of the database and of sittings")] = Path("data")
    database: Annotated[
        str | None, Field(description="SQLAlchemy URL of the votes; default SQLite inside the data folder")
    ] = None
    deck: Annotated[
        Path | None, Field(description="Folder with a deck.toml: the pictures that everyone is asked about")
    ] = None
    models: Annotated[
        str, Field(description="Name of a model set, or `auto`: the best that is here and fits")
    ] = "auto"
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        Field(description="Where models run; `auto` takes the GPU if there is one"),
    ] = "auto"
    recognition: Annotated[
        Literal["on", "off"], Field(description="`off` where a face descriptor may not be computed")
    ] = "on"
    hints: Annotated[
        Literal["on", "off"],
        Field(description="Whether the camera says before the shot what will go wrong; never on a Space"),
    ] = "on"
    bind: Annotated[str, Field(description="Address to listen on")] = "127.0.0.1"
    booth: Annotated[
        Literal["auto", "local", "open"],
        Field(description="Where visits may be: `local` at this machine; `auto`: local where phones come in"),
    ] = "auto"
    proxies: Annotated[
        str, Field(pattern=r"^[0-9A-Fa-f.:/, ]*$", description="Proxies whose `X-Forwarded-For` is believed")
    ] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="Port to listen on")] = 7860
    public_url: Annotated[str | None, Field(description="Address that phones can reach")] = None
    new_voters: Annotated[
        int,
        Field(ge=1, le=100_000, description="Phones of one network that may join at once; then one a second"),
    ] = 1000
    host_key: Annotated[
        SecretStr | None, Field(description="Key of the host page; made at first start if none is set")
    ] = None
    signing_certificate: Annotated[
        Path | None,
        Field(description="PEM chain to sign pictures with, the signer's first; made if none is set"),
    ] = None
    signing_key: Annotated[
        Path | None, Field(description="PEM key of that certificate, P-256, without a password")
    ] = None
    retention_minutes: Annotated[
        int, Field(ge=1, le=1440, description="Minutes until a visitor's pictures are deleted")
    ] = 30
    show_hours: Annotated[
        int, Field(ge=1, le=168, description="Hours that an approved portrait may be shown")
    ] = 12

    @field_validator("public_url")
    @classmethod
    def _require_web_address(cls, address: str | None) -> str | None:
        """Phones open it, and a QR code holds it. Raises `ValueError`."""
        if address is not None and not WEB_ADDRESS.fullmatch(address):
            raise ValueError("A web address like https://booth.example.org, or with a path")
        return address

    @property
    def is_hosted(self) -> bool:
        """Whether this runs on a Hugging Face Space: visitors sit elsewhere, the page in a foreign frame."""
        return "SPACE_ID" in os.environ

    @property
    def is_booth_local(self) -> bool:
        """Whether a visit's page opens at this machine only; never on a Space: visitors sit elsewhere."""
        is_open = self.booth == "open" or (self.booth == "auto" and self.bind in LOOPBACK_NAMES)
        return not is_open and not self.is_hosted

    @property
    def gives_hints(self) -> bool:
        """Whether small frames of the camera may be looked at before the shot: only where it stands."""
        return self.hints == "on" and not self.is_hosted

    @property
    def signs_in(self) -> bool:
        """Whether visitors may sign in: a Space whose head says so is given an OAuth application."""
        return self.is_hosted and "OAUTH_CLIENT_ID" in os.environ

    @property
    def address(self) -> str:
        """Where to listen: a Space's own proxy comes from outside."""
        return "0.0.0.0" if self.is_hosted else self.bind

    @property
    def base_path(self) -> str:
        """The path of the public address, without the slash at its end: a proxy may show us below one."""
        return urlsplit(self.public_url or "").path.rstrip("/")

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL that holds."""
        return self.database or f"sqlite:///{quote(str(self.data / 'votes.sqlite3'))}"


def read_settings() -> Settings:
    """Settings from the environment. Raises `OperatorError` naming variable, value and rule."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "FACE_VALUE_" + "_".join(str(part) for part in first["loc"]).upper()
        shown = "(hidden)" if "KEY" in name else repr(first["input"])
        rule = first["msg"].removeprefix("Value error, ")
        raise OperatorError(f"{name} = {shown}. {rule}.") from error


def version() -> str:
    """The project's version."""
    project = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
