"""The chain without a browser.

    python -m pipelines portrait SELFIE... --look grey --out DIR
    python -m pipelines fetch SET
    python -m pipelines doctor --out DIR
    python -m pipelines compare PHOTO PORTRAIT
    python -m pipelines verify FILE
    python -m pipelines ladder SELFIE... --out DIR
    python -m pipelines commission SET --photos DIR
    python -m pipelines cluster --join HOST:PORT

Exit 0: done. Exit 2: an argument or a picture will not do. Exit 3: a model set is not on this machine.
`verify` exits 0 only for an unchanged file of this booth, and 1 for any other picture; `commission` 0 only
for a set that may go on stage, and 1 for one that was measured and may not.
A failure is one line on stderr, and nothing has been written.
"""

import errno
import json
import os
import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import typer

from commission.record import FOLDER, choose_commissioned
from errors import ChoiceError, NotDownloaded, OperatorError, PhotoError, VisitorError
from pipelines.draw.generate import Generator, Progress
from pipelines.draw.machine import locate
from pipelines.draw.model_set import ModelSet, read_model_sets
from pipelines.draw.node import run_node
from pipelines.look import Expression, Look, read_expressions, read_looks
from pipelines.marks.certificates import known_chain
from pipelines.marks.signing import Signer, drawn_from
from pipelines.marks.verify import ProofVerdict, prove
from pipelines.order import Order, check_order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import Face, FaceFinder, silence_mediapipe
from pipelines.selfie.photo import Photo, file_bytes, open_photo
from pipelines.sitting import Done, FaceFound, PlateReady, Portrait, PoseReady, SittingEvent, sit
from settings import Settings, read_settings
from words import read_words

T = TypeVar("T")
Drawing = Callable[[list[Photo], Order, Generator, Signer], dict[str, bytes]]  # files by name

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Selfies in, headshots out.")


@app.command()
def portrait(
    selfies: Annotated[list[Path], typer.Argument(help="One to four photos of one person")],
    out: Annotated[Path, typer.Option(help="Folder to write to")],
    look: Annotated[str, typer.Option(help="A file of presets/looks")] = "grey",
    expression: Annotated[str | None, typer.Option(help="A file of presets/expressions")] = None,
    variations: Annotated[int, typer.Option(help="How many portraits, 1 to 8")] = 4,
    seed: Annotated[int | None, typer.Option(help="Of the first portrait; the next ones count up")] = None,
    identity: Annotated[float | None, typer.Option(help="Identity adapter's scale, 0 to 1")] = None,
    light: Annotated[float | None, typer.Option(help="Key light, degrees to the camera's left")] = None,
    start: Annotated[Literal["noise", "plate"] | None, typer.Option(help="Instead of the set's own")] = None,
    strength: Annotated[float | None, typer.Option(help="Of a start from the plate, 0 to 1")] = None,
    models: Annotated[str | None, typer.Option(help="A file of presets/model_sets, or auto")] = None,
) -> None:
    """Make portraits: plate.png, pose.png, seen.png, portrait-1.png and on, report.json."""
    order = Order(
        look=chosen_look(look, light),
        expression=chosen_expression(expression),
        variations=variations,
        seed=random.SystemRandom().randrange(2**31) if seed is None else seed,
        identity=identity,
        start=start,
        strength=strength,
    )
    draw(collect_portraits, selfies, order, models, out)


def draw(way: Drawing, selfies: list[Path], order: Order, models: str | None, out: Path) -> None:
    """Check everything, draw in that way, then write all files; a failure leaves nothing behind."""
    settings = read_settings()
    model_set, why = chosen_here(settings, models or settings.models)
    check_order(order, model_set)
    locate(model_set)
    require_folder(out)
    photos = [open_photo(path) for path in selfies]
    say(why)
    files = way(photos, order, Generator(model_set, settings.device), signer_of(settings))
    write(out, files)
    say(f"{len(files)} files in {out}")


def collect_portraits(
    photos: list[Photo], order: Order, generator: Generator, signer: Signer
) -> dict[str, bytes]:
    """Run the chain and gather every file by name, so that a failure leaves nothing behind."""
    files: dict[str, bytes] = {}
    with FaceFinder() as finder, Studio() as studio:
        for event in sit(photos, order, finder, studio, generator):
            if line := event_line(event):
                say(line)
            files |= files_of(event, signer, generator.model_set)
            if isinstance(event, Done):
                report = event.report | {"files": [*files, "report.json"]}
                files["report.json"] = json.dumps(report, indent=2).encode()
    return files


def event_line(event: SittingEvent) -> str:
    """What the person at the terminal reads about an event, or nothing."""
    match event:
        case FaceFound(faces, best):
            return f"usable selfies: {len(faces)}; the pose comes from number {best + 1}"
        case Progress():
            first, last = event.first + 1, event.first + event.count
            which = f"portrait {first}" if first == last else f"portraits {first} to {last}"
            return f"{which}: step {event.step} of {event.steps}"
    return ""


def files_of(event: SittingEvent, signer: Signer, model_set: ModelSet) -> dict[str, bytes]:
    """The files that an event brings, each with its marks."""
    match event:
        case PlateReady(shown):
            return {"plate.png": signer.sign(shown.pixels, "plate")}
        case PoseReady(pose, seen):
            drawings = {"pose.png": pose.image} if "pose" in model_set.capabilities else {}
            drawings["seen.png"] = seen
            return {name: signer.sign(pixels, "drawing") for name, pixels in drawings.items()}
        case Done(portraits):
            files = [files_of_one(portrait, signer) for portrait in portraits]
            return {name: data for both in files for name, data in both.items()}
    return {}


def files_of_one(portrait: Portrait, signer: Signer) -> dict[str, bytes]:
    """A portrait as it was drawn, and with the photograph's skin tone where that is another."""
    drawn, model_set = portrait.rendering, portrait.model_set
    made = drawn_from(drawn.start, model_set)
    files = {f"portrait-{drawn.index + 1}.png": signer.sign(portrait.image, made, model_set)}
    if portrait.tone_matched is not None:
        name = f"portrait-{drawn.index + 1}-skin-tone.png"
        files[name] = signer.sign(portrait.tone_matched, "tone_matched", model_set)
    return files


def signer_of(settings: Settings) -> Signer:
    """The booth's, whose key lies in its data folder. Raises `OperatorError`."""
    signer = Signer(settings.data, settings.signing_certificate, settings.signing_key)
    signer.load()
    return signer


@app.command()
def fetch(name: Annotated[str, typer.Argument(metavar="SET", help="A file of presets/model_sets")]) -> None:
    """Download a model set from the Hugging Face Hub; a broken download goes on where it stopped."""
    from pipelines.draw.fetch import fetch as download

    model_set = chosen_set(name)
    say(f"{model_set.title}. {model_set.licence_line}")
    download(model_set, say)


@app.command()
def doctor(
    out: Annotated[Path | None, typer.Option(help="Folder for a timed portrait's contact sheet")] = None,
) -> None:
    """Say what is on this machine, time one portrait, and draw the effect of the scales."""
    from pipelines.doctor import contact_sheet, findings
    from pipelines.draw.fleet import open_generator

    settings = read_settings()
    if out:
        require_folder(out)
    model_set, why = chosen_here(settings, settings.models)
    generator = open_generator(settings.cluster, model_set, settings.device)
    for line in findings(settings, generator, why):
        say(line)
    if out:
        sheet = signer_of(settings).sign(contact_sheet(generator), "from_plate", model_set)
        write(out, {"scales.png": sheet})
        say(f"scales.png in {out}")


@app.command()
def compare(
    photo: Annotated[Path, typer.Argument(help="A photograph of a person")],
    portrait: Annotated[Path, typer.Argument(help="A portrait that should be the same person")],
    as_json: Annotated[bool, typer.Option("--json", help="One object as the last line")] = False,
) -> None:
    """Say what a portrait changed, and whether a face-recognition program would know the person."""
    from pipelines.measure import likeness
    from pipelines.measure.headline import headline_of
    from pipelines.measure.recognition import Recognizer

    words, recognizer = read_words(), Recognizer(read_settings().recognition == "on")
    with FaceFinder() as finder:
        first, second = (likeness.study(measurable(path, finder), finder) for path in (photo, portrait))
    changed, answer = likeness.compare(first, second), recognizer.answer([first.face], second.face)
    measures = [*changed.measures.values(), answer]
    report, top = likeness.as_json(measures, words.say), headline_of(changed, answer.level)
    say(words.say(top.key, **top.values))
    if top.then:
        say(words.say(top.then, **top.then_values))
    for measure in measures:
        doubt = f" {words.say('likeness.unsure')}" if measure.unsure else ""
        say(f"{words.say(f'likeness.{measure.name}')}: {report[measure.name]['words']}{doubt}")
    if as_json:
        say(json.dumps(report))


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A picture")],
    as_json: Annotated[
        bool, typer.Option("--json", help="The verdict as one object in the last line")
    ] = False,
) -> int:
    """Say who signed a picture, whether it is unchanged, and whether AI made it."""
    settings, words = read_settings(), read_words()
    proof = prove(file_bytes(file), known_chain(settings.data, settings.signing_certificate))
    say(words.say(proof.key))
    if as_json:
        said = {"verdict": proof.verdict, "said": proof.said or None, "words": words.say(proof.key)}
        say(json.dumps(said))
    return 0 if proof.verdict == ProofVerdict.OURS else 1


@app.command("commission")
def commission_command(
    name: Annotated[str, typer.Argument(metavar="SET", help="A file of presets/model_sets")],
    photos: Annotated[Path | None, typer.Option(help="Folder of photos of people, only read")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to, instead of the data folder's")] = None,
    show_photos: Annotated[bool, typer.Option("--show-photos", help="Also portraits of your photos")] = False,
) -> int:
    """Draw a small grid with a set, measure it, and say whether the set may go on stage."""
    from commission.report import commission
    from commission.run import Photos, Tools
    from pipelines.measure.recognition import Recognizer

    settings, model_set = read_settings(), chosen_set(name)
    locate(model_set)
    out = out or settings.data / FOLDER / model_set.name
    require_folder(out)
    own = None if photos is None else Photos(photos, show_photos)
    generator, recognizer = Generator(model_set, settings.device), Recognizer(settings.recognition == "on")
    with FaceFinder() as finder, Studio() as studio:
        tools = Tools(generator, finder, studio, recognizer)
        verdict = commission(tools, settings, out, write, say, own)
    say(verdict.last_line)
    return 0 if verdict.ready else 1


app.command("cluster")(run_node)


@app.command("ladder")
def ladder_command(
    selfies: Annotated[list[Path], typer.Argument(help="One to four photos of one person")],
    out: Annotated[Path, typer.Option(help="Folder to write to")],
    look: Annotated[str, typer.Option(help="A file of presets/looks")] = "grey",
    expression: Annotated[str | None, typer.Option(help="A file of presets/expressions")] = None,
    seed: Annotated[int, typer.Option(help="Of all steps")] = 0,
    light: Annotated[float | None, typer.Option(help="Key light, degrees to the camera's left")] = None,
    models: Annotated[str | None, typer.Option(help="A file of presets/model_sets, or auto")] = None,
) -> None:
    """Draw one portrait with ever less of the sitter: step-1.png and on, ladder.png, ladder.json."""
    order = Order(chosen_look(look, light), chosen_expression(expression), seed=seed)
    draw(collect_ladder, selfies, order, models, out)


def collect_ladder(
    photos: list[Photo], order: Order, generator: Generator, signer: Signer
) -> dict[str, bytes]:
    """Draw the ladder and gather every file by name. The report holds no times: same in, same out."""
    from pipelines.ladder import Rung, dial_of, ladder, rung_report, strip
    from pipelines.measure.recognition import Recognizer

    words, recognizer = read_words(), Recognizer(read_settings().recognition == "on")
    files: dict[str, bytes] = {}
    pictures: list[tuple[Any, str]] = []
    steps: list[dict[str, object]] = []
    with FaceFinder() as finder, Studio() as studio:
        for event in ladder(photos, order, finder, studio, generator, recognizer):
            if isinstance(event, PlateReady):
                files["plate.png"] = signer.sign(event.plate.pixels, "plate")
                pictures.append((event.plate.pixels, "photograph"))
            if isinstance(event, Rung):
                name, caption, drawn = f"step-{len(steps) + 1}.png", dial_of(event.order), event.portrait
                made = drawn_from(drawn.rendering.start, generator.model_set)
                files[name] = signer.sign(drawn.image, made, generator.model_set)
                pictures.append((drawn.image, caption))
                steps.append({"file": name} | rung_report(event, words.say))
                say(f"{name}: {caption}")
    files["ladder.png"] = signer.sign(strip(pictures), "from_plate", generator.model_set)
    report = {"look": order.look.name, "model_set": generator.model_set.name, "seed": order.seed}
    report |= {"repos": generator.revisions(), "steps": steps}
    return files | {"ladder.json": json.dumps(report, indent=2).encode()}


def measurable(path: Path, finder: FaceFinder) -> Face:
    """The face in a file. Raises `PhotoError` where none can be measured."""
    face = finder.find(open_photo(path))
    if np.isnan(face.landmarks).any():
        raise PhotoError(face.verdict.key)
    return face


def chosen_look(name: str, light: float | None) -> Look:
    """By name, lit as asked. Raises `ChoiceError`."""
    look = one_of(read_looks(), name, "look")
    return look if light is None else look.relight(key=light)


def chosen_expression(name: str | None) -> Expression | None:
    """By name, or none. Raises `ChoiceError`."""
    return None if name is None else one_of(read_expressions(), name, "expression")


def chosen_here(settings: Settings, wanted: str) -> tuple[ModelSet, str]:
    """The set that the booth would draw with, as it was commissioned, and why. Raises `OperatorError`."""
    where = settings.data, settings.device
    return choose_commissioned(read_model_sets(), wanted, *where, read_words().say)


def chosen_set(name: str) -> ModelSet:
    """By name. Raises `ChoiceError`."""
    return one_of(read_model_sets(), name, "model set")


def one_of(known: dict[str, T], name: str, kind: str) -> T:
    """The preset of that name, or a `ChoiceError` that lists what there is."""
    if name not in known:
        raise ChoiceError(f"There is no {kind} {name!r}. There are: {', '.join(sorted(known))}.")
    return known[name]


def require_folder(out: Path) -> None:
    """Refuse an `out` that cannot become a folder of ours, before anything is made. Raises `ChoiceError`."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise ChoiceError(f"--out: {there.name} is a file. Name a folder.")
    if not os.access(there, os.W_OK):
        raise ChoiceError(f"--out: nothing may be written to {there.name}. Name another folder.")


def write(out: Path, files: dict[str, bytes]) -> None:
    """Write all files or none, in place of those of an earlier run. Raises `ChoiceError`."""
    unfinished = {out / f".{name}.part": out / name for name in files}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for (part, place), data in zip(unfinished.items(), files.values(), strict=True):
            if place.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            part.write_bytes(data)
        earlier = set(out.glob("portrait-*.png")) if "report.json" in files else set()
        for part, place in unfinished.items():
            part.replace(place)
        for place in earlier - set(unfinished.values()):
            place.unlink()  # of another sitter, perhaps: not beside this report
    except OSError as error:
        for part in unfinished:
            part.unlink(missing_ok=True)
        raise ChoiceError(f"Cannot write to {out.name}: {error.strerror}. Name another folder.") from error


def say(line: str) -> None:
    """One line for the person at the terminal."""
    print(line, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; turn every failure a person can cause into one line and an exit code."""
    warnings.simplefilter("ignore")  # libraries warn on stderr, which carries our one line only
    try:
        with silence_mediapipe():  # its threads also write after the calls that keep them quiet
            code = app(arguments, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        return fail(error.format_message(), 2)
    except NotDownloaded as error:
        return fail(str(error), 3)
    except (VisitorError, OperatorError) as error:
        return fail(read_words().sentence(error), 2)


def fail(sentence: str, code: int) -> int:
    """One line on stderr."""
    print(sentence.replace("\n", " "), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
