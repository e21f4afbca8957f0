"""The command line: ``penread serve | site | runtime | predict | read | train | evaluate | export | data | models``.

What needs the ``train`` extra is imported inside the commands that need it.
"""

from __future__ import annotations

import csv
import inspect
import json
import signal
import socket
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Self

import numpy as np
import typer
from rich.columns import Columns
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import penread
from penread import results
from penread.bundle import DEFAULT_BUNDLE, Bundle, load_all, shipped
from penread.charset import select
from penread.documents import Document, expand, ink, opened
from penread.errors import CharsetError, InputError, PenreadError, TrainingError
from penread.files import replacing
from penread.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import TaskID

    from penread.image import ImageSource
    from penread.prediction import Reading
    from penread.training.data import Subset
    from penread.training.evaluate import Evaluation
    from penread.training.loop import EpochMetrics

app = typer.Typer(
    name="penread",
    help="Read handwritten characters.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
data_app = typer.Typer(help="EMNIST's files: download, check, look at.", no_args_is_help=True)
app.add_typer(data_app, name="data")
models_app = typer.Typer(help="The bundles that ship with penread.", no_args_is_help=True)
app.add_typer(models_app, name="models")

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)

DataDir = Annotated[Path, typer.Option("--data-dir", envvar="PENREAD_DATA_DIR", help="The folder with EMNIST's files.")]
BundleName = Annotated[str, typer.Option("--bundle", help="A bundle that ships, or a bundle's directory.")]
TopK = Annotated[int, typer.Option(min=1, help="The most candidates to give.")]
UnclearAbove = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Reject ink as unclear where the probability that it is not one character is above this: the lower, the "
        "more is rejected; 1: none, specks and blots included.",
        show_default="the bundle's",
    ),
]
Split = Annotated[str, typer.Option(help="balanced, byclass, bymerge, letters, digits, mnist or pool47.")]
_DEFAULT_DATA_DIR = Path("data/emnist")


def main() -> None:
    """Runs the command line. Errors that penread raises on purpose are one line, and exit status 1."""
    try:
        app()
    # OSError: a folder that can't be written to, a disk that is full.
    except (PenreadError, OSError) as error:
        _complain(str(error))
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        _out.print(penread.__version__)
        raise typer.Exit


def _with_settings(command: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    """Gives a command an option for each setting of the server."""

    def with_options(**options: Any) -> None:  # noqa: ANN401 - as many types as settings
        command({name: value for name, value in options.items() if value is not None})

    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                _type_of_option(field.annotation) | None,
                typer.Option(
                    f"--{name.replace('_', '-')}" + (f"/--no-{name}" if field.annotation is bool else ""),
                    help=f"{(field.description or '').replace('`', '')}.",
                    show_default=str(field.default) if field.default is not None else False,
                ),
            ],
        )
        for name, field in Settings.model_fields.items()
    ]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    with_options.__doc__ = command.__doc__
    return with_options


def _type_of_option(of_setting: Any) -> Any:  # noqa: ANN401 - types
    """What a setting is as an option: numbers and switches are themselves; all else is checked by ``Settings``."""
    return of_setting if of_setting in {int, float, bool} else str


@app.command("serve")
@_with_settings
def serve(options: dict[str, Any]) -> None:
    """Serve the page and the HTTP API. PENREAD_HOST, PENREAD_PORT and so on set the same in the environment."""
    # uvicorn stops in order and then raises the signal again: that is no failure, and nor is an end before it runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from pydantic import ValidationError  # noqa: PLC0415 - no other command has to wait for it

    from penread.server.process import run  # noqa: PLC0415 - as above
    from penread.server.security import rate_limit  # noqa: PLC0415 - as above

    try:
        settings = Settings(**options)
    except ValidationError as error:
        wrong = error.errors()[0]
        message = wrong["msg"].removeprefix("Value error, ")
        given = "" if wrong["loc"][0] == "api_keys" else f" (given: {wrong['input']})"
        raise InputError(f"{wrong['loc'][0]}: {message}{given}.") from error
    # What is wrong is better told here, in a line, than from inside the server's start.
    load_all(settings.bundles)
    rate_limit(settings)
    _check_address(settings.host, settings.port)
    run(settings)


def _check_address(host: str, port: int) -> None:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise InputError(
            f"Can't listen on {host}, port {port}: {error.strerror}. Choose others with --host and --port."
        ) from error


@app.command()
def site(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder: new, empty, or of an older site.")],
    bundle: BundleName = DEFAULT_BUNDLE,
) -> None:
    """Write the page as static files for any web host: it reads on the visitor's own device."""
    from penread.site import page_files, write_site  # noqa: PLC0415 - beside its only use

    loaded = Bundle.load(bundle)
    _fetch_runtime(None)
    page = page_files(loaded, server=False)
    write_site(page, directory)
    size_mb = sum(len(file.content) for file in page.files.values()) / 1e6
    _out.print(
        f"{escape(str(directory))}: {len(page.files)} files, {size_mb:.1f} MB, version {page.version[:12]}. "
        "Copy the folder to any place of a web host; reading without a network needs https there. "
        f"To try it: python -m http.server --directory {escape(str(directory))}",
        soft_wrap=True,
    )


@app.command()
def runtime(
    archive: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The package's archive, where it was downloaded elsewhere."),
    ] = None,
) -> None:
    """Fetch ONNX Runtime for browsers (33 MB) from npm's registry: with it the page reads on the visitor's device.

    The variable npm_config_registry names another registry, as for npm itself.
    """
    from penread.runtime import DIRECTORY, PINNED  # noqa: PLC0415 - beside its only use

    fetched = _fetch_runtime(archive)
    verb = "is now" if fetched else "is already"
    _out.print(f"{PINNED.name} {PINNED.version} {verb} in {escape(str(DIRECTORY))}, sums right.", soft_wrap=True)
    if fetched:
        _out.print("A server that is running has it when it is started again.")


def _fetch_runtime(archive: Path | None) -> bool:
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415

    from penread.runtime import PINNED, fetch  # noqa: PLC0415 - beside its only use

    with Progress(
        PINNED.name,
        BarColumn(None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=_err,
        disable=not _err.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None, visible=False)
        return fetch(
            archive=archive,
            progress=lambda done, total: bar.update(task, completed=done, total=total or None, visible=True),
        )


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Images; or ink in .json files, as the HTTP API takes it.")],
    bundle: BundleName = DEFAULT_BUNDLE,
    charset: Annotated[
        str | None,
        typer.Option(help="Characters allowed: digits, upper, lower, letters, alnum, or themselves."),
    ] = None,
    top_k: TopK = 5,
    unclear_above: UnclearAbove = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Read one character from each file. A file that can't be read is reported, and the others are still read."""
    recognizer = penread.Recognizer(bundle)
    select(recognizer.info.chars, charset)
    failed = False
    for file in files:
        try:
            source = ink(file) if file.suffix.lower() == ".json" else file
            prediction = recognizer.predict(source, top_k=top_k, charset=charset, unclear_above=unclear_above)
        except InputError as error:
            failed = True
            _complain(f"{file}: {error}")
            continue
        if as_json:
            typer.echo(json.dumps({"file": str(file), **asdict(prediction)}, ensure_ascii=False))
        else:
            unread = "blank" if prediction.rejected == "blank" else f"unclear: {prediction.reason}"
            answer = prediction.char or unread
            others = "  ".join(f"{each.char} {each.confidence:.1%}" for each in prediction.candidates)
            typer.echo(f"{file}\t{answer}\t{others}")
    if failed:
        raise typer.Exit(1)


@app.command()
def read(
    files: Annotated[
        list[Path], typer.Argument(help="Images, PDFs, ink in .json files; or folders of images and PDFs.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write the results into this file, new.", show_default="standard output")
    ] = None,
    form: Annotated[
        results.Format | None,
        typer.Option(
            "--format",
            help="text; jsonl: all that is known, a JSON object a page; csv: a row a line, as of a form's fields.",
            show_default="that of --out's name, else text",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --out, jsonl or csv: pages that it has are skipped.")
    ] = False,
    charset: Annotated[
        list[str] | None,
        typer.Option(
            help="Characters allowed: digits, upper, lower, letters, alnum, or themselves. "
            'Given several times: for the first line, the second and so on; "" allows all.'
        ),
    ] = None,
    no_context: Annotated[
        bool, typer.Option("--no-context", help="Read each character by itself, not words as a whole.")
    ] = False,
    top_k: TopK = 5,
    unclear_above: UnclearAbove = None,
    overlay: Annotated[
        Path | None,
        typer.Option(
            help="Draw what was read on each page: a .png file for one page, else a folder. Files that exist are "
            "replaced with --resume only."
        ),
    ] = None,
    bundle: BundleName = DEFAULT_BUNDLE,
) -> None:
    """Read pages: lines, words, characters. What can't be read is reported, and the rest is still read."""
    chosen = form or _format_of(out)
    if resume and (out is None or chosen == "text"):
        raise InputError("--resume goes on with a file of JSON Lines or CSV: name it with --out results.jsonl or .csv.")
    # All the cores: a page is hundreds of glyphs in one go.
    recognizer = penread.Recognizer(bundle, threads=0)
    charsets = [each or None for each in charset or [""]]
    for each in charsets:
        select(recognizer.info.chars, each)
    found = expand(files)
    pictures = None if overlay is None else _Overlays(overlay, found, resume=resume)
    done = results.resume(out, chosen) if resume and out else set()
    failures = 0

    def report(complaint: str) -> None:
        nonlocal failures
        failures += 1
        _complain(complaint)

    try:
        with _writing(out, resume=resume) as content, _ReadingProgress(len(found), shown=out is not None) as progress:
            written = results.Results(content, chosen, recognizer.info)
            for file, number, document in _pages(found, done, progress, report):
                try:
                    source = document.page(number)
                    reading = recognizer.read(
                        source,
                        charset=charsets if len(charsets) > 1 else charsets[0],
                        context=not no_context,
                        top_k=top_k,
                        unclear_above=unclear_above,
                    )
                except (InputError, CharsetError) as error:
                    report(f"{file}, page {number}: {error}" if document.count > 1 else f"{file}: {error}")
                    continue
                if pictures is not None:
                    pictures.draw(file, number, document.count, source, reading)
                written.add(str(file), number, reading, headed=len(found) > 1 or document.count > 1)
    except KeyboardInterrupt:
        _err.print("Stopped. What was read until now is written.", soft_wrap=True)
        raise typer.Exit(130) from None
    if failures:
        raise typer.Exit(1)


def _complain(complaint: str) -> None:
    _err.print(f"[bold red]error:[/] {escape(complaint)}", soft_wrap=True)


def _format_of(out: Path | None) -> results.Format:
    """Tells what to write from the name of the file it goes to."""
    suffix = out.suffix.lower() if out else ""
    if suffix == ".jsonl":
        return "jsonl"
    return "csv" if suffix == ".csv" else "text"


@contextmanager
def _writing(out: Path | None, *, resume: bool) -> Iterator[BinaryIO]:
    if out is None:
        yield sys.stdout.buffer
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        content = out.open("ab" if resume else "xb")
    except FileExistsError as error:
        raise InputError(
            f"{out} exists: go on with it by --resume, where it is JSON Lines or CSV, or give another name."
        ) from error
    with content:
        yield content


def _pages(
    files: list[Path], done: set[tuple[str, int]], progress: _ReadingProgress, report: Callable[[str], None]
) -> Iterator[tuple[Path, int, Document]]:
    """Opens files one after the other, and gives the number of each page that is not done."""
    for file in files:
        try:
            with opened(file) as document:
                for number in range(1, document.count + 1):
                    if (str(file), number) not in done:
                        progress.at(file, number, document.count)
                        yield file, number, document
        except InputError as error:
            report(f"{file}: {error}")
        progress.next()


class _ReadingProgress:
    """The live display of reading: on standard error, where that is a terminal and the results don't go there."""

    def __init__(self, files: int, *, shown: bool) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - beside its only use

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[pages]} pages read"),
            TimeRemainingColumn(),
            console=_err,
            disable=not (_err.is_terminal and (shown or not sys.stdout.isatty())),
            # Results go to standard output as they are.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", total=files, pages=0)
        self._files = 0
        self._pages = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def at(self, file: Path, number: int, count: int) -> None:
        """Tells which page is read now."""
        page = f", page {number} of {count}" if count > 1 else ""
        self._bar.update(
            self._task,
            description=escape(f"{file.name}{page}"),
            completed=self._files + (number - 1) / count,
            pages=self._pages,
        )
        self._pages += 1

    def next(self) -> None:
        """Tells that a file is done."""
        self._files += 1
        self._bar.update(self._task, completed=self._files, pages=self._pages)


class _Overlays:
    """Where the pictures of pages with their readings go: one file, or a folder with a file a page.

    Args:
        path: The file or folder.
        files: What is read.
        resume: Whether pictures that exist are replaced.

    Raises:
        InputError: One file is given for several pages, or a name of another format; or a picture would take the place
            of a file that exists.
    """

    def __init__(self, path: Path, files: list[Path], *, resume: bool) -> None:
        suffix = path.suffix.lower()
        if suffix in {".jpg", ".jpeg", ".pdf", ".tif", ".tiff", ".webp", ".gif", ".bmp"} and not path.is_dir():
            raise InputError(f"{path}: pictures are written as PNG. Give a name that ends in .png, or a folder.")
        self._is_folder = suffix != ".png" or path.is_dir()
        self._path = path
        if not self._is_folder and (len(files) > 1 or _count(files[0]) > 1):
            raise InputError(f"There are several pages: give --overlay a folder for their pictures, not {path}.")
        if self._is_folder and path.exists() and not path.is_dir():
            raise InputError(f"{path} is no folder: give --overlay another name.")
        # Files of one name, from several folders, are told apart by numbers.
        unique = len({file.name for file in files}) == len(set(files))
        self._stems = {
            file: file.name if unique else f"{number}-{file.name}"
            for number, file in enumerate(dict.fromkeys(files), 1)
        }
        self._check_is_free(files, resume=resume)
        (path if self._is_folder else path.parent).mkdir(parents=True, exist_ok=True)

    def _check_is_free(self, files: list[Path], *, resume: bool) -> None:
        # Told by what they are: links give a file several names.
        sources = {_identity(file) for file in files if file.exists()}
        for there in self._there():
            if _identity(there) in sources:
                raise InputError(f"{there} is itself one of the files to read: give --overlay another name.")
            if not resume:
                raise InputError(f"{there} exists: give --overlay another name, or delete it.")

    def _there(self) -> Iterator[Path]:
        """Finds the files that pictures would take the place of."""
        if not self._is_folder:
            yield from [self._path] if self._path.exists() else []
            return
        stems = set(self._stems.values())
        for there in sorted(self._path.iterdir()) if self._path.is_dir() else []:
            # How many pages a file has, and so which numbers its pictures, is told only when it is read.
            name = there.name.removesuffix(".png")
            stem, _, number = name.rpartition("-")
            if name != there.name and (name in stems or (stem in stems and number.isdecimal())):
                yield there

    def draw(self, file: Path, number: int, count: int, source: penread.Ink | ImageSource, reading: Reading) -> None:
        """Draws a page."""
        from penread import overlay  # noqa: PLC0415 - only where it is asked for

        name = f"{self._stems[file]}{f'-{number}' if count > 1 else ''}.png"
        with replacing(self._path / name if self._is_folder else self._path) as temporary:
            overlay.draw(source, reading).save(temporary, "PNG")


def _identity(file: Path) -> tuple[int, int]:
    told = file.stat()
    return told.st_dev, told.st_ino


def _count(file: Path) -> int:
    try:
        with opened(file) as document:
            return document.count
    # It is told when the file's turn comes.
    except InputError:
        return 1


@app.command()
def train(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The run folder, new; or one to go on with.")],
    recipe: Annotated[str, typer.Option(help="The training configuration.")] = "reference",
    split: Split = "balanced",
    data_dir: DataDir = _DEFAULT_DATA_DIR,
    seed: Annotated[int, typer.Option(min=0, max=1_000_000, help="Of weights, order, distortions and dropout.")] = 1,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(help="A finished run to learn from, for a recipe that has teachers; of several, their mean."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Fewer or more epochs than the recipe's.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, as it was started.")] = False,
) -> None:
    """Train a network: a recipe and a split become a run folder."""
    with _train_extra():
        from dataclasses import replace  # noqa: PLC0415 - beside its only use

        from penread.training import loop  # noqa: PLC0415 - needs the train extra
        from penread.training.recipes import RECIPES  # noqa: PLC0415 - beside its only use

    if resume:
        changed = [name for name in ("recipe", "split", "seed", "teacher", "epochs") if _is_given(context, name)]
        if changed:
            raise TrainingError(f"A run goes on as it was started: leave out --{' and --'.join(changed)}.")
    else:
        if recipe not in RECIPES:
            raise TrainingError(f'There is no recipe "{recipe}": it is one of {", ".join(RECIPES)}.')
        chosen = replace(RECIPES[recipe], epochs=epochs) if epochs else RECIPES[recipe]
        config = loop.configure(chosen, split, data_dir, seed, teacher or [])
        loop.start(config, out, data_dir)
    config = loop.Config.read(out)
    _out.print(
        f"recipe {config.recipe.name}, split {config.split}, seed {config.seed}, {config.recipe.epochs} epochs "
        f"on {config.device} in {config.precision}, {config.threads} threads → {escape(str(out))}",
        soft_wrap=True,
    )
    with _TrainingProgress(config.recipe.epochs) as progress:
        history = loop.run(out, data_dir, progress)
    last = history[-1]
    _out.print(
        f"Done: after {last.epoch} epochs loss {last.val_loss:.4f} and accuracy {last.val_accuracy:.2%} on the "
        f"validation subset. Next: penread export {escape(str(out))} --out DIR",
        soft_wrap=True,
    )


def _is_given(context: typer.Context, parameter: str) -> bool:
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


class _TrainingProgress:
    """The live display of a training: a bar for the epoch, a line for each that is done."""

    def __init__(self, epochs: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - beside its only use

        self._epochs = epochs
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(None),
            TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.2%}"),
            TextColumn("{task.fields[speed]:,.0f} images/s  {task.fields[left]} left"),
            console=_out,
        )
        self._task: TaskID | None = None
        self._epoch = 0
        self._epoch_started_s = 0.0
        self._images = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def start(self, epoch: int, images: int) -> None:
        """Begins an epoch of ``images`` images."""
        self._epoch, self._images, self._epoch_started_s = epoch, images, self._bar.get_time()
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(
            "", total=images, epoch=f"{epoch}/{self._epochs}", loss=0.0, accuracy=0.0, speed=0.0, left="-:--"
        )

    def step(self, images: int, loss: float, accuracy: float) -> None:
        """Shows an epoch's means so far, ``images`` into it."""
        if self._task is None:
            return
        speed = images / max(self._bar.get_time() - self._epoch_started_s, 1e-9)
        left_s = ((self._epochs - self._epoch + 1) * self._images - images) / speed
        self._bar.update(
            self._task, completed=images, loss=loss, accuracy=accuracy, speed=speed, left=_duration(left_s)
        )

    def epoch(self, metrics: EpochMetrics) -> None:
        """Adds the line of a finished epoch."""
        self._bar.console.print(
            f"epoch {metrics.epoch:3}  train loss {metrics.train_loss:.4f} accuracy {metrics.train_accuracy:.2%}  "
            f"val loss {metrics.val_loss:.4f} accuracy {metrics.val_accuracy:.2%}  "
            f"{metrics.images_per_s:,.0f} images/s  {_duration(metrics.duration_s)}",
            soft_wrap=True,
        )


@app.command()
def evaluate(
    split: Split = "balanced",
    bundle: BundleName = DEFAULT_BUNDLE,
    data_dir: DataDir = _DEFAULT_DATA_DIR,
    report: Annotated[
        Path | None, typer.Option(help="Write metrics.json and pictures of the errors into this folder.")
    ] = None,
    leave_out: Annotated[
        Path | None,
        typer.Option(help="Give the accuracy without some images of the test, too: a CSV file with a column index."),
    ] = None,
) -> None:
    """Score a bundle on a split's test subset, through the recogniser that serves."""
    with _train_extra():
        from penread.training.data import load  # noqa: PLC0415 - needs the train extra
        from penread.training.evaluate import evaluate as score  # noqa: PLC0415 - needs the train extra

    recognizer = penread.Recognizer(bundle, threads=0)
    with _out.status(f"Reading the {split} test …"):
        test = load(data_dir, split, "test")
        left_out = [] if leave_out is None else _indices(leave_out, test)
        evaluation = score(recognizer, test, data_dir)
        kept = np.delete(np.arange(len(test)), left_out)
        rest = score(recognizer, test.take(kept), data_dir) if left_out else None
    _print_evaluation(evaluation)
    if rest is not None:
        low, high = rest.accuracy_interval
        _out.print(
            f"Without the {len(left_out):,} images of {escape(str(leave_out))}: accuracy {rest.accuracy:.2%}  "
            f"(95% interval {low:.2%} to {high:.2%}), look-alikes folded {rest.folded_accuracy:.2%}",
            soft_wrap=True,
        )
    if report is not None:
        with _train_extra(), _out.status("Drawing the report …"):
            from penread.training.report import write_report  # noqa: PLC0415 - needs the train extra

            written = write_report(evaluation, test.images, report)
        _out.print("\n".join(escape(str(path)) for path in written), soft_wrap=True)


def _indices(file: Path, test: Subset) -> list[int]:
    """Reads the column ``index`` of a CSV file, and holds its column ``label``, where it has one, against the test."""
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            listed = {int(row["index"]): row.get("label") for row in csv.DictReader(lines)}
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(f"{file} has no column index with whole numbers: its first line must name it.") from error
    if not listed or min(listed) < 0 or max(listed) >= len(test):
        raise InputError(f"{file} must list images of the test by number, 0 to {len(test) - 1}.")
    for index, char in listed.items():
        if char is not None and char != test.chars[test.labels[index]]:
            raise InputError(
                f"{file} is a list for another test: image {index} of the {test.split} test is labelled "
                f"{test.chars[test.labels[index]]}, not {char}."
            )
    if len(listed) == len(test):
        raise InputError(f"{file} lists all of the test: nothing is left to measure.")
    return sorted(listed)


def _print_evaluation(evaluation: Evaluation) -> None:
    low, high = evaluation.accuracy_interval
    table = Table("measure", "value", title=f"{evaluation.bundle} on the {evaluation.split} test", title_justify="left")
    for name, value in (
        ("images", f"{evaluation.images:,}"),
        ("accuracy", f"{evaluation.accuracy:.2%}  (95% interval {low:.2%} to {high:.2%})"),
        ("loss", f"{evaluation.loss:.4f} nats"),
        ("top-2 accuracy", f"{evaluation.top2_accuracy:.2%}"),
        ("top-3 accuracy", f"{evaluation.top3_accuracy:.2%}"),
        ("look-alikes folded", f"{evaluation.folded_accuracy:.2%}"),
        ("errors", f"{evaluation.errors:,}, of them {evaluation.look_alike_errors:,} between look-alikes"),
        ("macro F1", f"{evaluation.macro_f1:.4f}"),
        ("expected calibration error", f"{evaluation.ece:.2%}"),
    ):
        table.add_row(name, value)
    _out.print(table)
    worst_first = sorted(evaluation.per_class_accuracy.items(), key=lambda item: item[1])
    _out.print("Accuracy of each class, worst first:")
    _out.print(Columns([f"{char} {accuracy:.1%}" for char, accuracy in worst_first], padding=(0, 2)))
    if evaluation.caution:
        _out.print(f"[bold yellow]Caution:[/] {escape(evaluation.caution)}")


@app.command()
def export(
    runs: Annotated[list[Path], typer.Argument(help="A finished run folder, or several that read together.")],
    out: Annotated[Path, typer.Option(help="The bundle's directory, new.")],
    data_dir: DataDir = _DEFAULT_DATA_DIR,
    name: Annotated[str | None, typer.Option(help="The bundle's name.", show_default="that of --out")] = None,
    version: Annotated[str, typer.Option(help="The bundle's version.")] = "1.0",
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Multiply 8-bit integers: smaller, faster; refused where it costs accuracy."),
    ] = False,
) -> None:
    """Make a bundle of runs: model.onnx, checked against torch on real images, and model.json."""
    with _train_extra():
        from penread.training.export import export as write_bundle  # noqa: PLC0415 - needs the train extra

    with _out.status("Exporting, comparing and measuring …"):
        evaluation = write_bundle(runs, out, data_dir, name=name, version=version, int8=int8)
    _print_evaluation(evaluation)
    _out.print(f"Wrote {escape(str(out))}. Next: penread serve --bundle {escape(str(out))}", soft_wrap=True)


@data_app.command("fetch")
def data_fetch(
    data_dir: Annotated[Path, typer.Argument(help="Where the files go.")] = _DEFAULT_DATA_DIR,
) -> None:
    """Download EMNIST (536 MB) from NIST, check its sums and unpack its six splits."""
    with _train_extra():
        from penread.training.data import fetch  # noqa: PLC0415 - needs the train extra

    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415

    with Progress(
        "EMNIST",
        BarColumn(None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=_out,
    ) as bar:
        task = bar.add_task("", total=None)
        with _train_extra():
            paths = fetch(data_dir, progress=lambda done, total: bar.update(task, completed=done, total=total or None))
    _out.print(f"{len(paths)} files in {escape(str(data_dir))}, sums right.", soft_wrap=True)


@data_app.command("verify")
def data_verify(
    data_dir: Annotated[Path, typer.Argument(help="The folder with EMNIST's files.")] = _DEFAULT_DATA_DIR,
) -> None:
    """Read every split in a folder, and compare its files with NIST's sums."""
    with _train_extra():
        from penread.training.data import verify  # noqa: PLC0415 - needs the train extra

    with _out.status("Reading …"):
        reports = verify(data_dir)
    table = Table("split", "subset", "images", "verdict")
    for found in reports:
        verdict = "[green]NIST's file[/]" if found.official else "[green]whole[/] (no sum is known for it)"
        table.add_row(
            found.split,
            found.subset,
            f"{found.images:,}" if found.images else "",
            f"[red]{escape(found.error)}[/]" if found.error else verdict,
        )
    _out.print(table)
    if any(found.error for found in reports):
        raise typer.Exit(1)


@data_app.command("show")
def data_show(
    out: Annotated[Path, typer.Option(help="The PNG file to write.")],
    split: Split = "balanced",
    subset: Annotated[str, typer.Option(help="train, val or test.")] = "train",
    data_dir: DataDir = _DEFAULT_DATA_DIR,
    per_class: Annotated[int, typer.Option(min=1, max=100, help="Images a class.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of images.")] = 0,
) -> None:
    """Draw a labelled contact sheet of the images, as PNG."""
    with _train_extra():
        from penread.training.data import load  # noqa: PLC0415 - needs the train extra
        from penread.training.sheet import contact_sheet  # noqa: PLC0415 - beside its only use

    with _out.status("Reading …"):
        if out.suffix.lower() != ".png":
            raise InputError(f"{out} is written as PNG: give it a name that ends in .png.")
        if subset not in ("train", "val", "test"):
            raise InputError(f'There is no subset "{subset}": it is train, val or test.')
        loaded = load(data_dir, split, subset)  # type: ignore[arg-type]  # mypy doesn't narrow by `in`
    out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(loaded, per_class, seed).save(out, "PNG")
    _out.print(escape(str(out)), soft_wrap=True)


@models_app.command("list")
def models_list() -> None:
    """List the bundles that ship, with what they measure."""
    # As wide as a terminal usually is: 80 columns.
    table = Table(
        *("name", "accuracy", "test", "parameters", "multiply-adds", "size"),
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        caption_justify="left",
        caption=f"default: {DEFAULT_BUNDLE}",
    )
    for name in shipped():
        bundle = Bundle.load(name)
        info, measured = bundle.info, bundle.info.measured
        table.add_row(
            f"{name} {info.version}",
            f"{measured.accuracy:.2%}" if measured else "",
            measured.split if measured else "not measured",
            f"{info.parameters:,}",
            f"{info.multiply_adds / 1e6:.1f} M",
            f"{len(bundle.onnx) / 1e6:.2f} MB {info.precision}",
        )
    _out.print(table)


@contextmanager
def _train_extra() -> Iterator[None]:
    """Says what to install where a command's imports fail for want of the ``train`` extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise PenreadError(
            f"This needs the training extra ({error.name} is not installed). "
            "In a clone: make train-extra, or pip install '.[train]'"
        ) from error


def _duration(duration_s: float) -> str:
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
