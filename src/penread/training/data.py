"""EMNIST's own files: load, verify, fetch, and carve a validation subset out of train.

The files are IDX, gzipped or plain, under NIST's names (``emnist-balanced-train-images-idx3-ubyte.gz``),
with the images stored transposed and a mapping file that gives each label's characters. Nothing here
needs torch.

    penread data fetch data/emnist
    penread data verify data/emnist
"""

from __future__ import annotations

import gzip
import math
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from penread.charset import SPLIT_CHARS
from penread.errors import DataError
from penread.files import file_sha256, replacing
from penread.training.checksums import ARCHIVE_MD5, ARCHIVE_URL, MEMBER_SHA256

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SubsetName = Literal["train", "val", "test"]

_MAGIC_LABELS, _MAGIC_IMAGES = 0x0801, 0x0803
# The validation subset is the same whatever the seed of a run, so that runs can be compared on it.
_VAL_SEED = 47
_VAL_PER_CLASS = 100


@dataclass(frozen=True)
class Subset:
    """Labelled glyphs in memory.

    Attributes:
        images: uint8 (N, 28, 28), upright, ink 255 on 0.
        labels: int64 (N,), class indices from 0.
        chars: The class table, one character a class.
        split: EMNIST's split.
        name: ``"train"``, ``"val"`` or ``"test"``.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    chars: str
    split: str
    name: SubsetName

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64], name: SubsetName | None = None) -> Subset:
        """Gives the images at ``indices`` as a subset of their own.

        Args:
            indices: int64, which images.
            name: Name of the new subset; the same where None.
        """
        return Subset(self.images[indices], self.labels[indices], self.chars, self.split, name or self.name)


def load(data_dir: Path, split: str, subset: SubsetName) -> Subset:
    """Loads one subset of a split.

    Args:
        data_dir: The folder with EMNIST's files.
        split: One of ``SPLIT_CHARS``.
        subset: ``"test"`` is EMNIST's test file. ``"train"`` and ``"val"`` are EMNIST's train file parted
            in two, see ``load_training``.

    Raises:
        DataError: A file is missing, damaged, or not what its name says.
    """
    if subset == "test":
        return _load_file(data_dir, split, "test")
    train, val = load_training(data_dir, split)
    return train if subset == "train" else val


def load_training(data_dir: Path, split: str) -> tuple[Subset, Subset]:
    """Loads EMNIST's train file of a split and carves the validation subset out of it.

    Validation takes the same images whoever asks: 100 of each class, or a fifth of a class that is smaller
    than 500.

    Args:
        data_dir: The folder with EMNIST's files.
        split: One of ``SPLIT_CHARS``.

    Returns:
        What is left to train on, and the validation subset.

    Raises:
        DataError: A file is missing, damaged, or not what its name says.
    """
    whole = _load_file(data_dir, split, "train")
    rng = np.random.default_rng(_VAL_SEED)
    val = np.zeros(len(whole), dtype=bool)
    for label in range(len(whole.chars)):
        of_class = np.flatnonzero(whole.labels == label)
        if len(of_class) == 0:
            raise DataError(f"{split}'s train file has no image of class {whole.chars[label]!r}: get it again.")
        val[rng.permutation(of_class)[: min(_VAL_PER_CLASS, len(of_class) // 5)]] = True
    return whole.take(np.flatnonzero(~val), "train"), whole.take(np.flatnonzero(val), "val")


def training_sums(data_dir: Path, split: str) -> dict[str, str]:
    """Computes SHA-256 of the files that a split is trained from, by name.

    Args:
        data_dir: The folder with EMNIST's files.
        split: One of ``SPLIT_CHARS``.

    Raises:
        DataError: A file is missing.
    """
    _check_split(split)
    names = [f"emnist-{split}-train-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")]
    return {path.name: file_sha256(path) for path in (_find(data_dir, name) for name in names)}


def splits_in(data_dir: Path) -> list[str]:
    """Lists the splits of which a folder has at least one file.

    Args:
        data_dir: The folder with EMNIST's files.
    """
    return [split for split in SPLIT_CHARS if any(data_dir.glob(f"emnist-{split}-*"))]


@dataclass(frozen=True)
class FileReport:
    """What ``verify`` found in one subset's files.

    Attributes:
        split: EMNIST's split.
        subset: ``"train"`` or ``"test"``, EMNIST's own two files.
        images: Number of images; 0 where they can't be read.
        official: Whether both files are NIST's, by SHA-256; None where no sum is known (unpacked files,
            and splits that NIST doesn't publish).
        error: What is wrong, or None.
    """

    split: str
    subset: Literal["train", "test"]
    images: int
    official: bool | None
    error: str | None


def verify(data_dir: Path) -> list[FileReport]:
    """Reads every split in a folder and compares its files with NIST's sums.

    Args:
        data_dir: The folder with EMNIST's files.

    Returns:
        A report for each subset of each split that has a file in the folder.

    Raises:
        DataError: The folder has no file of EMNIST at all.
    """
    splits = splits_in(data_dir)
    if not splits:
        raise DataError(f"{data_dir} has no EMNIST files (emnist-balanced-train-images-idx3-ubyte.gz and so on).")
    return [_verify_files(data_dir, split, subset) for split in splits for subset in ("train", "test")]


def _verify_files(data_dir: Path, split: str, subset: Literal["train", "test"]) -> FileReport:
    try:
        loaded = _load_file(data_dir, split, subset)
        official: bool | None = None
        for kind in ("images-idx3", "labels-idx1"):
            path = _find(data_dir, f"emnist-{split}-{subset}-{kind}-ubyte")
            expected = MEMBER_SHA256.get(path.name)
            if expected is None:
                continue
            if file_sha256(path) != expected:
                message = f"{path.name} can be read but is not NIST's file (SHA-256 differs): get it again."
                return FileReport(split, subset, len(loaded), official=False, error=message)
            official = True
    except DataError as error:
        return FileReport(split, subset, 0, official=None, error=str(error))
    return FileReport(split, subset, len(loaded), official, None)


def fetch(
    data_dir: Path,
    *,
    url: str = ARCHIVE_URL,
    md5: str = ARCHIVE_MD5,
    sums: dict[str, str] = MEMBER_SHA256,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Path]:
    """Downloads NIST's archive and unpacks EMNIST's files from it.

    The archive is downloaded under a temporary name and its sum checked before anything is unpacked; each
    file is checked and takes its name only when it is whole. Files that are here already and right are kept,
    and where all of them are, nothing is downloaded.

    Args:
        data_dir: Where the files go; it is made.
        url: The archive.
        md5: Its MD5, as hex digits.
        sums: SHA-256 of each gzipped file in the archive.
        progress: Called with the bytes done and the bytes in all (0: not known).

    Returns:
        The files, mapping files included.

    Raises:
        DataError: The download broke off or isn't the archive, or a file in it isn't the right one.
    """
    here = [data_dir / name for name in sums]
    mappings = [data_dir / f"emnist-{split}-mapping.txt" for split in sorted({name.split("-")[1] for name in sums})]
    if all(path.exists() for path in [*here, *mappings]) and all(file_sha256(path) == sums[path.name] for path in here):
        return [*here, *mappings]
    data_dir.mkdir(parents=True, exist_ok=True)
    archive = _download(data_dir, url, md5, progress)
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = {Path(name).name: name for name in zipped.namelist()}
            for path in [*mappings, *here]:
                if path.name in sums and path.exists() and file_sha256(path) == sums[path.name]:
                    continue
                if path.name not in members:
                    raise DataError(f"{url} has no {path.name}: it is not NIST's EMNIST archive.")
                with replacing(path) as temporary:
                    with zipped.open(members[path.name]) as source, temporary.open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
                    if path.name in sums and file_sha256(temporary) != sums[path.name]:
                        raise DataError(f"{path.name} in {url} is damaged (SHA-256 differs). Run the command again.")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{url} is no readable zip archive: {error}.") from error
    finally:
        archive.unlink(missing_ok=True)
    return [*here, *mappings]


def _download(data_dir: Path, url: str, md5: str, progress: Callable[[int, int], None]) -> Path:
    import pooch  # noqa: PLC0415 - only this needs it, and it takes a while to load
    from requests import RequestException  # noqa: PLC0415 - as above

    class Bar:
        """The progress display that pooch asks for, handed on to ``progress``."""

        total: int = 0
        done: int = 0

        def update(self, size: int) -> None:
            self.done += size
            progress(self.done, self.total)

        def reset(self) -> None:
            # pooch winds the bar back when the file is whole, and then sets it to the end in one step.
            self.done = 0

        def close(self) -> None:
            pass

    try:
        # pooch writes under a temporary name and renames only when the sum is right.
        path = pooch.retrieve(
            url,
            known_hash=f"md5:{md5}",
            fname=".emnist-gzip.zip",
            path=data_dir,
            downloader=pooch.HTTPDownloader(progressbar=Bar(), timeout=60),
        )
    except (RequestException, OSError) as error:
        raise DataError(f"Could not download {url}: {error}. Nothing was kept; run the command again.") from error
    except ValueError as error:
        raise DataError(
            f"What came from {url} is incomplete or is not the archive (MD5 is not {md5}). "
            "Nothing was kept; run the command again."
        ) from error
    return Path(path)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Reads an IDX file of bytes: labels (N,) or images (N, rows, columns), as stored.

    Args:
        path: The file; gzipped where its name ends in ``.gz``.

    Raises:
        DataError: The file is no IDX file of labels or images, or isn't whole.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} can't be read, it is damaged or incomplete ({error}). Get it again.") from error
    magic = int.from_bytes(content[:4], "big")
    if magic not in {_MAGIC_LABELS, _MAGIC_IMAGES}:
        raise DataError(f"{path} is no IDX file of labels or images: it starts with {content[:4].hex() or 'nothing'}.")
    dimensions = magic & 0xFF
    header_bytes = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(content[first : first + 4], "big") for first in range(4, header_bytes, 4))
    expected_bytes = header_bytes + math.prod(shape)
    if len(content) != expected_bytes:
        raise DataError(
            f"{path} is truncated or has a wrong header: {len(content):,} bytes, {expected_bytes:,} expected. "
            "Get it again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header_bytes).reshape(shape)


def read_mapping(path: Path) -> tuple[str, int]:
    """Reads a mapping file: lines of a label and the ASCII codes of its characters.

    Args:
        path: The file, such as ``emnist-letters-mapping.txt``.

    Returns:
        The class table (the first character of each label), and the first label: 0, or 1 for letters.

    Raises:
        DataError: The file is missing, or no mapping.
    """
    try:
        rows = [[int(field) for field in line.split()] for line in path.read_text("ascii").splitlines() if line.strip()]
        labels, chars = [row[0] for row in rows], "".join(chr(row[1]) for row in rows)
    except OSError as error:
        raise DataError(f"{path} is missing or can't be read: it gives the labels their characters.") from error
    except (ValueError, IndexError) as error:
        raise DataError(f"{path} is no mapping file (lines of a label and an ASCII code): {error}.") from error
    if not rows or labels != list(range(labels[0], labels[0] + len(rows))):
        raise DataError(f"{path} is no mapping file: its labels don't count up by one.")
    return chars, labels[0]


def _load_file(data_dir: Path, split: str, subset: Literal["train", "test"]) -> Subset:
    _check_split(split)
    chars, first_label = read_mapping(_find(data_dir, f"emnist-{split}-mapping.txt"))
    if chars != SPLIT_CHARS[split]:
        raise DataError(
            f"{data_dir}/emnist-{split}-mapping.txt is of another split: {split}'s classes are not {chars}."
        )
    images_path = _find(data_dir, f"emnist-{split}-{subset}-images-idx3-ubyte")
    labels_path = _find(data_dir, f"emnist-{split}-{subset}-labels-idx1-ubyte")
    images, labels = read_idx(images_path), read_idx(labels_path).astype(np.int64) - first_label
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise DataError(f"{images_path} holds no 28×28 images: its shape is {images.shape}.")
    if labels.ndim != 1 or len(labels) != len(images):
        raise DataError(f"{images_path} has {len(images):,} images but {labels_path.name} {labels.size:,} labels.")
    if len(labels) == 0:
        raise DataError(f"{images_path} is empty.")
    if labels.min() < 0 or labels.max() >= len(chars):
        raise DataError(
            f"{labels_path} has labels from {labels.min() + first_label} to {labels.max() + first_label}, "
            f"but {split}'s go from {first_label} to {first_label + len(chars) - 1}: it is of another split."
        )
    return Subset(np.ascontiguousarray(images.transpose(0, 2, 1)), labels, chars, split, subset)


def _check_split(split: str) -> None:
    if split not in SPLIT_CHARS:
        raise DataError(f'There is no split "{split}": it is one of {", ".join(SPLIT_CHARS)}.')


def _find(data_dir: Path, name: str) -> Path:
    for candidate in (data_dir / f"{name}.gz", data_dir / name):
        if candidate.is_file():
            return candidate
    advice = (
        "pool47 is not among the splits that NIST publishes; train and evaluate with --split balanced."
        if "-pool47-" in name
        else f"`penread data fetch {data_dir}` downloads EMNIST's six official splits."
    )
    raise DataError(f"{data_dir} has no {name}{'' if name.endswith('.txt') else '[.gz]'}. {advice}")
