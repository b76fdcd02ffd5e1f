"""What an operator sets: by the environment, `FACE_VALUE_<NAME>`, and by an event's file below it.

Each field is documented in `docs/settings.md`; a test compares the two.
"""

import os
import re
import tomllib
from copy import copy
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from errors import OperatorError
from presets import PRESETS, Preset, parse_table, read_table, rule

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")  # that no other machine reaches
# Scheme, name or number, port, path: of characters that need no quoting in HTML, headers and QR codes.
WEB_ADDRESS = re.compile(
    r"https?://([A-Za-z0-9.-]{1,200}|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[A-Za-z0-9._~-]+)*/?"
)
HEAD_ADDRESS = re.compile(r"([A-Za-z0-9.-]{1,200}|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")  # name or number, port
PIN_DIGITS = 8  # of the operator's page: five tries a minute need 19 years for half of them
COUNTS = (1, 2, 4)  # portraits of a sitting that the page offers
TIMES = (0, 20, 30, 60)  # seconds until a round closes by itself, as the host page offers them
# What an event's file may hold, by its tables: each key is the setting of that name.
EVENT_KEYS = {
    "": ("name", "date", "logo", "accent", "mode", "language", "languages"),
    "booth": (
        *("models", "looks", "expressions", "variations", "retention_minutes", "show_hours"),
        *("idle_seconds", "leave_seconds", "take_home", "wifi_name", "wifi_password"),
        *("printer", "copies", "sounds", "attract_seconds"),
    ),
    "room": ("deck", "timer"),
}
RELATIVE = ("logo", "deck")  # paths, which begin where the event's file lies


def _printable(text: str) -> str:
    """What people read. Raises a rule for signs that nobody sees, or that turn a line around."""
    if not text.isprintable():
        raise rule("Letters, digits and signs that can be printed")
    return text.strip()


def _pin(pin: SecretStr) -> SecretStr:
    if not re.fullmatch(rf"[0-9]{{{PIN_DIGITS}}}", pin.get_secret_value()):
        raise rule(f"{PIN_DIGITS} digits")
    return pin


def _cluster(address: str) -> str:
    found = HEAD_ADDRESS.fullmatch(address)
    if address != "auto" and not (found and 1 <= int(found[2]) <= 65535):
        raise rule("auto, or the address of a cluster's head like 10.0.0.1:6379")
    return address


def _offered(*values: int) -> AfterValidator:
    def check(value: int) -> int:
        if value not in values:
            raise rule(f"One of {', '.join(map(str, values))}")
        return value

    return AfterValidator(check)


def _names(folder: str) -> list[str]:
    return [path.stem for path in sorted((PRESETS / folder).glob("*.toml"))]


def _preset(folder: str) -> AfterValidator:
    """The name of a file of a folder of presets."""

    def check(name: str) -> str:
        if name not in (known := _names(folder)):
            raise rule(f"One of {', '.join(known)}")
        return name

    return AfterValidator(check)


def _presets(folder: str) -> AfterValidator:
    """Names of files of a folder of presets, each at most once."""

    def check(names: tuple[str, ...]) -> tuple[str, ...]:
        known = _names(folder)
        if not set(names) <= set(known) or len(set(names)) < len(names):
            raise rule(f"Each of {', '.join(known)} at most once")
        return names

    return AfterValidator(check)


def _split(names: object) -> object:
    """The environment names several with commas."""
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else names


Line = Annotated[str, Field(max_length=100), AfterValidator(_printable)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """The contract's settings and their defaults."""

    model_config = SettingsConfigDict(
        env_prefix="FACE_VALUE_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data: Annotated[Path, Field(description="Folder of the database and of sittings")] = Path("data")
    database: Annotated[
        str | None, Field(description="SQLAlchemy URL of the votes; default SQLite inside the data folder")
    ] = None
    pictures: Annotated[
        str | None,
        Field(description="Where several booths keep their pictures: file:///FOLDER or s3://BUCKET/PREFIX"),
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
    cluster: Annotated[
        Annotated[str, AfterValidator(_cluster)] | None,
        Field(description="Machines that draw: address of a cluster's head, or `auto`: one started here"),
    ] = None
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
    take_home: Annotated[
        Literal["on", "off"],
        Field(description="Whether visitors may have a link that brings their pictures to their phone"),
    ] = "on"
    printer: Annotated[Line | None, Field(description="Name in CUPS of a printer for 10 x 15 cm")] = None
    copies: Annotated[int, Field(ge=1, le=20, description="Sheets that a visit may print")] = 2
    wifi_name: Annotated[
        Annotated[Line, Field(max_length=32)] | None,
        Field(description="Wi-Fi that phones must be in, shown as a code"),
    ] = None
    wifi_password: Annotated[
        Annotated[Line, Field(max_length=63)] | None,
        Field(description="Its password; none for an open network"),
    ] = None
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

    event: Annotated[
        Path | None, Field(description="An event's file: what it sets holds where no variable says otherwise")
    ] = None
    name: Annotated[Line | None, Field(description="Name of the event")] = None
    date: Annotated[Line | None, Field(description="When it is, as it is shown")] = None
    logo: Annotated[Path | None, Field(description="SVG or PNG of whoever invites")] = None
    accent: Annotated[
        Literal["on", "off"], Field(description="`off`: the red pencil is black or white instead")
    ] = "on"
    mode: Annotated[
        Literal["laptop", "kiosk"], Field(description="`kiosk`: a machine that stands among its visitors")
    ] = "laptop"
    language: Annotated[
        str,
        _preset("words"),
        Field(description="Spoken on stage and host page, and first at the booth"),
    ] = "en"
    languages: Annotated[
        Annotated[Names, _presets("words")] | None, Field(description="What visitors may choose, beside that")
    ] = None
    looks: Annotated[
        Annotated[Names, Field(min_length=1), _presets("looks")] | None,
        Field(description="Looks that are offered, in this order, the first one chosen"),
    ] = None
    expressions: Annotated[
        Annotated[Names, _presets("expressions")] | None, Field(description="Expressions that are offered")
    ] = None
    variations: Annotated[
        int, _offered(*COUNTS), Field(description="Portraits of a sitting, where nobody chooses another")
    ] = COUNTS[-1]
    timer: Annotated[
        Annotated[int, _offered(*TIMES)] | None, Field(description="Seconds until a round closes by itself")
    ] = None
    idle_seconds: Annotated[
        int, Field(ge=15, le=3600, description="Seconds without a touch until the booth asks who is there")
    ] = 90
    leave_seconds: Annotated[
        int, Field(ge=5, le=300, description="Seconds from that question until the next person's visit")
    ] = 20

    sounds: Annotated[
        Literal["on", "off"], Field(description="`on`: the camera's countdown ticks, and its shutter clicks")
    ] = "off"

    attract_seconds: Annotated[
        int,
        Field(
            ge=0, le=600, description="Seconds until a kiosk's first screen shows what happens here; 0: never"
        ),
    ] = 20  # to read that screen takes about fifteen, and who has gone by is not called back

    operator_pin: Annotated[
        Annotated[SecretStr, AfterValidator(_pin)] | None,
        Field(description="PIN of a kiosk's operator page, eight digits; made at first start if none is set"),
    ] = None

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **more: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What was given in the program, then the environment, then the event's file."""
        return (more["init_settings"], more["env_settings"], EventFile(settings_cls))

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
    def is_kiosk(self) -> bool:
        """Whether the booth's machine stands among its visitors; never on a Space."""
        return self.mode == "kiosk" and not self.is_hosted

    @property
    def is_booth_local(self) -> bool:
        """Whether a visit's page opens at this machine only; never on a Space: visitors sit elsewhere."""
        is_alone = self.bind in LOOPBACK_NAMES and self.mode == "laptop"
        is_open = self.booth == "open" or (self.booth == "auto" and is_alone)
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
        """The path of the public address."""
        return path_of(self.public_url)

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL that holds."""
        return self.database or f"sqlite:///{quote(str(self.data / 'votes.sqlite3'))}"

    def spell(self, name: str) -> str:
        """Where a setting's value comes from, as its operator knows it: file and key, or variable."""
        variable = f"FACE_VALUE_{name.upper()}"
        if self.event is None or os.environ.get(variable) or name not in read_event(self.event):
            return variable
        table = next(table for table, keys in EVENT_KEYS.items() if name in keys)
        return f"{self.event.name}: {f'{table}.' if table else ''}{name}"


class EventFile(PydanticBaseSettingsSource):
    """The settings that an event's file holds, as far as nothing above it names them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Of no use here: a file is read as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Raises `PresetError` naming file and key."""
        path = self.current_state.get("event")
        return read_event(Path(path)) if path else {}


def read_event(path: Path) -> dict[str, Any]:
    """What an event's file sets, by the names of the settings. Raises `PresetError` naming file and key."""
    if not path.name.isprintable():
        raise OperatorError(f"FACE_VALUE_EVENT = {str(path)!r}. No file has that name.")
    values = parse_table(read_table(path), _event(), path.name).model_dump(exclude_unset=True)
    for table in filter(None, EVENT_KEYS):
        values |= values.pop(table, {})
    return values | {key: path.parent / values[key] for key in RELATIVE if values.get(key)}


@cache
def _event() -> type[Preset]:
    """The file's tables; each key obeys the rules of its setting."""

    def table(name: str, **tables: Any) -> Any:
        keys = {key: copy(Settings.model_fields[key]) for key in EVENT_KEYS[name]}
        fields: dict[str, Any] = {key: (field.annotation, field) for key, field in keys.items()}
        return create_model(name or "event", __base__=Preset, **fields, **tables)

    return table("", **{name: (table(name), {}) for name in filter(None, EVENT_KEYS)})  # type: ignore[no-any-return]


def path_of(public_url: str | None) -> str:
    """The address's path without the slash at its end, or nothing: a proxy may show us below one."""
    return urlsplit(public_url or "").path.rstrip("/")


def read_settings() -> Settings:
    """Settings from the environment and an event's file. Raises `OperatorError` naming value and rule."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "FACE_VALUE_" + "_".join(str(part) for part in first["loc"]).upper()
        shown = "(hidden)" if "KEY" in name or "PIN" in name else repr(first["input"])
        rule = first["msg"].removeprefix("Value error, ")
        raise OperatorError(f"{name} = {shown}. {rule}.") from error


def version() -> str:
    """The project's version."""
    project = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
