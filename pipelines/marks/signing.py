"""Pictures -> files with a mark that can be checked: a C2PA manifest, beside the note in XMP.

The manifest says what made the picture, with which models and under which licences, and what it was made
from. It says nothing about the sitter. What a picture was made from is named by a word ("photograph",
"plate", "portrait"): no thumbnail, as that would be the selfie itself; no hash and no lasting id, as whoever
has the selfie could find all its portraits by them. No time either: an hour and a booth can name a person.
"""

import io
import json
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipelines.arrays import Pixels
from pipelines.draw.model_set import ModelSet
from pipelines.marks.certificates import Chain, Credential, credential, known_chain
from pipelines.marks.note import SOFTWARE, SOURCES, VERSION, MarkKind, mark

if TYPE_CHECKING:
    from c2pa import Context

Made = Literal["generated", "from_plate", "tone_matched", "plate", "drawing"]
Relation = Literal["parentOf", "inputTo"]
# Both for signing and for checking: nothing is fetched, nobody is asked, no thumbnail is made.
OFFLINE: dict[str, Any] = {
    "core": {"allowed_network_hosts": [], "decode_identity_assertions": False},
    "verify": {
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
        "verify_timestamp_trust": False,
        "verify_after_sign": False,
    },
}
BUILDER = {
    "thumbnail": {"enabled": False},
    "created_assertion_labels": ["c2pa.actions", "c2pa.ingredient"],  # our own words, not gathered ones
    "actions": {f"auto_{name}_action": {"enabled": False} for name in ("created", "opened", "placed")},
}
LOG = logging.getLogger("face_value")
MIME = {"PNG": "image/png", "JPEG": "image/jpeg"}


@dataclass(frozen=True)
class Recipe:
    """What a manifest tells of one kind of picture (C2PA specification 2.2, 18.14 and 18.15.3).

    What has a parent begins with `c2pa.opened`; `inputTo` is what an algorithm was given.
    """

    action: str
    note: MarkKind  # the mark beside it, whose digital source type holds here too
    made_from: tuple[tuple[str, Relation], ...] = ()


def drawn_from(start: str, model_set: ModelSet) -> Made:
    """What a portrait is that the set drew from there: the sitter's photograph edited, or made from noise.

    A set that is shown the plate and told to redraw it edits it too, whatever it starts from: IPTC's term is
    for "augmentation, correction or enhancement" by generative AI, the other for what is made of words.
    """
    return "from_plate" if start == "plate" or "references" in model_set.capabilities else "generated"


RECIPES: dict[Made, Recipe] = {
    "generated": Recipe("c2pa.created", "generated"),
    "from_plate": Recipe("c2pa.created", "from_plate", (("plate", "inputTo"),)),
    # The portrait with the skin tone of the plate: an edit without AI of a picture that AI made.
    "tone_matched": Recipe("c2pa.edited", "from_plate", (("portrait", "parentOf"), ("plate", "inputTo"))),
    "plate": Recipe("c2pa.edited", "plate", (("photograph", "parentOf"),)),
    "drawing": Recipe("c2pa.created", "drawing"),
}


class Signer:
    """Signs for this booth; key and library are read at the first need. Safe to share between threads."""

    def __init__(self, folder: Path, certificate: Path | None = None, key: Path | None = None) -> None:
        self._where = (folder, certificate, key)
        self._context: Context | None = None
        self._lock = threading.Lock()
        if certificate or key:  # an operator's mistake is told at start
            credential(*self._where)

    def load(self) -> None:
        """Read or make the key now. Raises `OperatorError`."""
        with self._lock:
            self._load_context()

    def own_chain(self) -> Chain | None:
        """Whose marks are this booth's own, None before the first. Raises `OperatorError`."""
        folder, certificate, _ = self._where
        return known_chain(folder, certificate)

    def sign(
        self,
        pixels: Pixels,
        made: Made,
        model_set: ModelSet | None = None,
        label: str | None = None,
        format: Literal["PNG", "JPEG"] = "PNG",
    ) -> bytes:
        """A file with both marks; `label` goes on a strip under the picture. Raises `OperatorError`.

        `model_set` is what drew; a plate and a drawing have none. Where the library will not sign, as with a
        clock outside the certificate's time, the file has the note only and the log says so: nobody's
        portrait is lost for a mark.
        """
        from c2pa import Builder, C2paError

        marked, signed = mark(pixels, RECIPES[made].note, label, format), io.BytesIO()
        statement = manifest(made, model_set, MIME[format])
        try:
            with self._lock, Builder(statement, context=self._load_context()) as builder:
                builder.sign(MIME[format], io.BytesIO(marked), signed)
        except C2paError as error:
            LOG.error("a file is not signed (%s). Is the clock right?", type(error).__name__.strip("_"))
            return marked
        return signed.getvalue()

    def _load_context(self) -> "Context":
        if self._context is None:
            self._context = _context(credential(*self._where))
        return self._context


def manifest(made: Made, model_set: ModelSet | None, mime: str) -> str:
    """The manifest's definition as the library reads it: JSON."""
    recipe, agent = RECIPES[made], {"name": SOFTWARE, "version": VERSION}
    parents, inputs = (
        [name for name, relation in recipe.made_from if relation == wanted]
        for wanted in ("parentOf", "inputTo")
    )
    action: dict[str, Any] = {
        "action": recipe.action,
        "softwareAgent": agent,
        "digitalSourceType": SOURCES[recipe.note],
    }
    if parameters := _drawn_by(model_set) | _ingredient_ids(inputs):
        action["parameters"] = parameters
    opened = [{"action": "c2pa.opened", "parameters": _ingredient_ids(parents)}] if parents else []
    return json.dumps(
        {
            "claim_generator_info": [agent],
            "format": mime,
            "assertions": [
                {
                    "label": "c2pa.actions.v2",
                    "created": True,
                    "data": {"actions": [*opened, action], "allActionsIncluded": True},
                }
            ],
            "ingredients": [
                {"title": name, "label": name, "format": mime, "relationship": relation}
                for name, relation in recipe.made_from
            ],
        }
    )


def _ingredient_ids(names: list[str]) -> dict[str, Any]:
    """How an action points at ingredients of its manifest."""
    return {"ingredientIds": names} if names else {}


def _drawn_by(model_set: ModelSet | None) -> dict[str, Any]:
    """The models, and the licences of their weights."""
    if model_set is None:
        return {}
    licences = sorted({part.licence for part in model_set.parts.by_role().values()})
    return {"model_set": model_set.name, "model_licences": ", ".join(licences)}


def _context(signs: Credential) -> "Context":
    """The library's context that signs with that credential."""
    from c2pa import C2paSignerInfo, Context
    from c2pa import Signer as Hand

    sent, key = signs.chain.sent.encode(), signs.key.encode()
    info = C2paSignerInfo("es256", sent, key, None)  # None: no time-stamping authority
    return Context.from_dict(OFFLINE | {"builder": BUILDER}, signer=Hand.from_info(info))
