"""The guesses, without a browser.

    python -m votes export --out DIR
    python -m votes backup FILE
    python -m votes restore FILE

Exit 0: done. Exit 2: an argument or the database will not do; a line on stderr says why.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from errors import OperatorError
from settings import read_settings, version
from votes import backup as copies
from votes import fairness
from votes.export import as_csv, as_json, method, rows
from votes.store import Store

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="What was guessed.")


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder to write to")],
    event: Annotated[str, typer.Option(help="Name of the event, for the first column")] = "",
) -> None:
    """Write guesses.csv, guesses.json and method.md; drift.csv where sitters told their skin tone."""
    with Store(read_settings().database_url) as store:
        trials, drifts = store.trials(), store.drifts()
    if not trials and not drifts:
        raise OperatorError("No guess is recorded there. Does FACE_VALUE_DATA name the folder of the event?")
    table = rows(trials, event)
    files = {
        "guesses.csv": as_csv(table),
        "guesses.json": as_json(table),
        "method.md": method(trials, version(), event),
    }
    if drifts:
        files["drift.csv"] = fairness.as_csv(drifts)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            # Excel reads a table without a BOM in the letters of its own country
            encoding = "utf-8-sig" if name.endswith(".csv") else "utf-8"
            (out / name).write_text(text, encoding=encoding, newline="")
    except OSError as error:
        raise OperatorError(f"Cannot write to {out.name}: {error.strerror}. Name another folder.") from error
    print(f"{len(table)} guesses: {', '.join(files)} in {out}")


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="File to write")]) -> None:
    """Copy the votes to a file, also while the room votes."""
    copies.backup(read_settings().database_url, file)
    print(f"The votes are in {file}")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="File that `backup` wrote")]) -> None:
    """Put a copy back where no votes are yet. Stop the app first."""
    copies.restore(read_settings().database_url, file)
    print("The votes are back. Start the app.")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; turn every failure a person can cause into one line and an exit code."""
    try:
        code = app(arguments, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        sentence = error.format_message()
    except OperatorError as error:
        sentence = str(error)
    print(sentence.replace("\n", " "), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
