"""The training loop: a recipe, a split and a seed become a run folder.

    penread train --recipe reference --split pool47 --data-dir data/emnist --out runs/reference

A recipe with a teacher learns from a finished run, too:

    penread train --recipe best --teacher runs/large-tuned --split pool47 --data-dir data/emnist --out runs/best

The loss of a class is taken with the logarithm of its share of the epoch's EMNIST images added to its logit. What the
network then gives without it is right for classes that are equally frequent, as they are in EMNIST Balanced (A. Menon
et al. 2021, arXiv:2007.07314), whatever the shares are: even shares would show the rare letters so often that they are
learnt by heart. Drawn images, a tenth of an epoch at most, have shares of their own, which are not taken off.

A run folder holds ``config.json`` (what was asked), ``environment.json`` (what it ran on), ``metrics.jsonl``
(a line an epoch), ``curves.png`` and ``checkpoint.pt`` (the state after the last whole epoch). All randomness
is a function of the seed and the epoch, so a run that was killed repeats the epoch it was in and ends with
the same numbers, to the last digit on a CPU.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import platform
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from penread.charset import SPLIT_CHARS
from penread.errors import TrainingError
from penread.files import replacing, write_text
from penread.training import networks, optimizers
from penread.training.augment import augment
from penread.training.data import Subset, load_training, training_sums
from penread.training.recipes import Recipe
from penread.training.styles import drawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Precision = Literal["float32", "bfloat16"]

# Variants of each drawing that a run makes for itself: twenty seconds' worth.
_PER_DRAWING = 250


@dataclass(frozen=True)
class Config:
    """What a run was asked to do: all that its numbers depend on.

    Attributes:
        recipe: The training configuration.
        split: EMNIST's split.
        seed: Of weights, order, distortions and dropout.
        device: ``"cpu"`` or ``"cuda"``.
        precision: What the forward pass computes in.
        threads: CPU threads; another number sums in another order and so gives other last digits.
        data_sha256: Sums of the files trained on, by name.
        teachers: Sum of the weights of each teacher, by its run folder; none for a recipe without.
        taught_by: Which training each teacher was, with its own teachers: a bundle tells it.
    """

    recipe: Recipe
    split: str
    seed: int
    device: str
    precision: Precision
    threads: int
    data_sha256: dict[str, str]
    teachers: dict[str, str] = field(default_factory=dict)
    taught_by: list[dict[str, Any]] = field(default_factory=list)

    @property
    def made_by(self) -> dict[str, Any]:
        """The recipe, seed and teachers, as a bundle tells them: the fields of ``penread.bundle.Run``."""
        return {
            "recipe": self.recipe.name,
            "recipe_sha256": self.recipe.sha256,
            "seed": self.seed,
            "teachers": self.taught_by,
        }

    @classmethod
    def read(cls, run_dir: Path) -> Config:
        """Reads a run folder's configuration.

        Args:
            run_dir: The run folder.

        Raises:
            TrainingError: The folder is no run folder, or another version of penread wrote it.
        """
        if not (run_dir / "config.json").exists():
            raise TrainingError(f"{run_dir} is no run folder: it has no config.json.")
        try:
            fields = json.loads((run_dir / "config.json").read_text("utf-8"))
            config = cls(**{**fields, "recipe": Recipe(**fields["recipe"])})
            networks.NETWORKS[config.recipe.network], SPLIT_CHARS[config.split]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise TrainingError(
                f"{run_dir}/config.json is not one that this version can read: {error}. Train it anew."
            ) from error
        return config


@dataclass(frozen=True)
class EpochMetrics:
    """The figures of one epoch: a line of ``metrics.jsonl``.

    Attributes:
        epoch: From 1.
        train_loss: Mean over the epoch's steps of what is minimised, in nats: with dropout, distortions, smoothed or
            taught targets and the classes' shares, where the recipe has them. It can't be compared with val_loss.
        train_accuracy: The same way.
        val_loss: On the validation subset after the epoch, in nats.
        val_accuracy: The same way.
        images_per_s: Training speed.
        duration_s: Of the epoch, validation included.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    images_per_s: float
    duration_s: float


class Reporter(Protocol):
    """Who wants to know how training goes: the command line's live display."""

    def start(self, epoch: int, images: int) -> None:
        """Takes the beginning of an epoch, counted from 1, of ``images`` images."""

    def step(self, images: int, loss: float, accuracy: float) -> None:
        """Takes an epoch's means so far, ``images`` into it."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Takes a finished epoch."""


def auto_device() -> str:
    """Picks the device: CUDA where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def auto_precision(device: str) -> Precision:
    """Picks the precision that trains faster: bfloat16 where the hardware multiplies it, else float32.

    A CPU without such instructions emulates bfloat16, several times slower than float32.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
    """
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    capabilities = torch.cpu.get_capabilities()
    return "bfloat16" if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16") else "float32"


def class_shares(labels: NDArray[np.int64], images: int, sampling_power: float) -> NDArray[np.int64]:
    """Says how many images of each class an epoch takes.

    Args:
        labels: int64 (N,), every class at least once.
        images: At most this many together.
        sampling_power: A share is proportional to the class's number of images to this power.

    Returns:
        int64 (classes,), at least one of each.
    """
    weights = np.bincount(labels).astype(np.float64) ** sampling_power
    shares: NDArray[np.int64] = np.floor(images * weights / weights.sum() + 1e-9).astype(np.int64)
    return np.maximum(1, shares)


def epoch_order(labels: NDArray[np.int64], epoch: int, shares: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Deals the images of one epoch, in random order.

    Each class is a deck: shuffled, dealt to its end over the epochs, shuffled again. So a class with fewer
    images than its share repeats each of them equally often, and one with more shows all of them in turn.

    Args:
        labels: int64 (N,), every class at least once.
        epoch: From 0. Any epoch can be asked for; none depends on another having been dealt.
        shares: int64 (classes,), the images that an epoch takes of each class.
        seed: Of the run.

    Returns:
        Indices into ``labels``, int64.
    """
    dealt = []
    for label, hand in enumerate(shares):
        of_class = np.flatnonzero(labels == label)
        positions = np.arange(epoch * hand, (epoch + 1) * hand)
        for deck in np.unique(positions // len(of_class)):
            shuffled = np.random.default_rng([seed, label, int(deck)]).permutation(of_class)
            dealt.append(shuffled[positions[positions // len(of_class) == deck] % len(of_class)])
    # NumPy pads seeds with zeros, so this is the stream of some class's first deck, too: it shuffles something else.
    return np.random.default_rng([seed, epoch]).permutation(np.concatenate(dealt))


def configure(recipe: Recipe, split: str, data_dir: Path, seed: int, teachers: Sequence[Path] = ()) -> Config:
    """Makes the configuration of a run on this machine.

    Args:
        recipe: The training configuration.
        split: EMNIST's split.
        data_dir: The folder with EMNIST's files.
        seed: Of weights, order, distortions and dropout.
        teachers: Finished runs to learn from, for a recipe that has teachers. Of several it learns the mean.

    Raises:
        TrainingError: A teacher is missing, in the way, unfinished, or was trained on other data.
        DataError: The data can't be read.
    """
    if recipe.needs_teacher and not teachers:
        raise TrainingError(f"The recipe {recipe.name} learns from a teacher: give a finished run to --teacher.")
    if teachers and not recipe.needs_teacher:
        raise TrainingError(f"The recipe {recipe.name} has no teacher: leave out --teacher.")
    if len(teachers) > 1 and not recipe.teacher_share:
        raise TrainingError(f"The recipe {recipe.name} only begins as its teacher ended: give one --teacher.")
    teacher_sums = {str(teacher.resolve()): weights_sum(teacher) for teacher in teachers}
    data_sums = training_sums(data_dir, split)
    for teacher in teachers:
        if Config.read(teacher).data_sha256 != data_sums:
            raise TrainingError(
                f"The teacher in {teacher} was trained on other files: give one of the same to --teacher."
            )
    if recipe.begins_as_teacher:
        network = Config.read(teachers[0]).recipe.network
        if network != recipe.network:
            raise TrainingError(
                f"{recipe.name} begins with its first teacher's weights, and needs a {recipe.network} network; that "
                f"in {teachers[0]} is {network}. Give another run to --teacher."
            )
    device = auto_device()
    return Config(
        recipe=recipe,
        split=split,
        seed=seed,
        device=device,
        precision=auto_precision(device),
        threads=torch.get_num_threads(),
        data_sha256=data_sums,
        teachers=teacher_sums,
        taught_by=[Config.read(teacher).made_by for teacher in teachers],
    )


def start(config: Config, run_dir: Path, data_dir: Path) -> None:
    """Makes a run folder, ready for ``run``.

    Args:
        config: What to train.
        run_dir: The folder; it must be new or empty.
        data_dir: The folder with EMNIST's files. They are read once, so that data that can't be trained on are
            reported before there is a folder in the way of the next try.

    Raises:
        TrainingError: The folder has something in it.
        DataError: The data can't be read.
    """
    # Hidden files are what a start that was killed left behind.
    if run_dir.exists() and (not run_dir.is_dir() or any(path.name[0] != "." for path in run_dir.iterdir())):
        raise TrainingError(
            f"{run_dir} exists already. Give --resume to go on with the run in it, or another folder to --out."
        )
    load_training(data_dir, config.split)
    write_text(run_dir / "config.json", _json(asdict(config)))


def run(run_dir: Path, data_dir: Path, reporter: Reporter) -> list[EpochMetrics]:
    """Trains from a run folder's last checkpoint, or from the beginning, to the end of its recipe.

    Args:
        run_dir: A folder that ``start`` made.
        data_dir: The folder with EMNIST's files.
        reporter: Told of each step and epoch.

    Returns:
        The figures of all epochs, earlier ones included.

    Raises:
        TrainingError: The folder is no run, or the data are not those that the run started with.
        DataError: The data can't be read.
    """
    config = Config.read(run_dir)
    recipe = config.recipe
    if training_sums(data_dir, config.split) != config.data_sha256:
        raise TrainingError(f"The {config.split} files in {data_dir} are not those that {run_dir} was started with.")
    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError(f"{run_dir} was started on a GPU, and here is none: go on with it there, or start anew.")
    if not (run_dir / "environment.json").exists():
        write_text(run_dir / "environment.json", _json(environment(config.device)))
    device = torch.device(config.device)
    torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(config.device == "cpu")

    train, val = load_training(data_dir, config.split)
    torch.manual_seed(config.seed)
    learner = _Learner(recipe, _channels_last(networks.build(recipe.network, len(train.chars)).to(device)))
    history = _restore(run_dir, learner)
    if history:
        # The run may have been killed after its checkpoint and before these.
        _publish(run_dir, history)
    if len(history) == recipe.epochs:
        return history
    teacher = None
    begins = recipe.begins_as_teacher and not history
    if begins or recipe.teacher_share:
        teachers = _load_teachers(config, train.chars, device)
        if begins:
            learner.begin_as(teachers[0])
        teacher = networks.Ensemble(teachers).eval() if recipe.teacher_share else None
    lessons = _Lessons(config, train, device)
    for epoch in range(len(history), recipe.epochs):
        started_s = time.perf_counter()
        torch.manual_seed(config.seed * 1_000_003 + epoch)
        train_loss, train_accuracy, images = _train(config, epoch, learner, teacher, lessons, reporter)
        trained_s = time.perf_counter() - started_s
        val_loss, val_accuracy = validate(learner.result, val, device)
        history.append(
            EpochMetrics(
                epoch=epoch + 1,
                train_loss=train_loss,
                train_accuracy=train_accuracy,
                val_loss=val_loss,
                val_accuracy=val_accuracy,
                images_per_s=round(images / trained_s, 1),
                duration_s=round(time.perf_counter() - started_s, 2),
            )
        )
        _save(run_dir, learner, history)
        reporter.epoch(history[-1])
    return history


def _train(
    config: Config, epoch: int, learner: _Learner, teacher: nn.Module | None, lessons: _Lessons, reporter: Reporter
) -> tuple[float, float, int]:
    """Trains one epoch, counted from 0; gives its loss and accuracy, and how many images it had."""
    recipe, device = config.recipe, lessons.images.device
    order = lessons.order(epoch)
    reporter.start(epoch + 1, len(order))
    learner.network.train()
    loss_sum = torch.zeros((), device=device)
    right = torch.zeros((), device=device, dtype=torch.int64)
    done = 0
    for batch in np.split(order, range(recipe.batch_size, len(order), recipe.batch_size)):
        picked = torch.from_numpy(batch).to(device)
        glyphs, labels = lessons.images[picked], lessons.labels[picked]
        glyphs = augment(glyphs, recipe.untouched_share) if recipe.augment else glyphs
        with torch.autocast(config.device, torch.bfloat16, enabled=config.precision == "bfloat16"):
            logits = learner.network(glyphs).float()
            taught = teacher(glyphs).float() if teacher is not None else None
        # Where all shares are equal this would only add the same to each logit.
        if recipe.sampling_power:
            logits = logits + lessons.log_shares
        if taught is None:
            loss = smoothed_loss(recipe, logits, labels, lessons.log_shares)
        else:
            teacher_share = recipe.teacher_share * (picked < lessons.emnist_images)
            loss = cross_entropy(logits, _targets(labels, taught + lessons.log_shares, teacher_share))
        learner.step(loss, (epoch + done / len(order)) / recipe.epochs)
        loss_sum += loss.detach() * len(batch)
        right += (logits.argmax(1) == labels).sum()
        done += len(batch)
        # On a GPU, reading the sums back waits for the work in flight: now and then is enough.
        if config.device == "cpu" or done // recipe.batch_size % 50 == 0:
            reporter.step(done, loss_sum.item() / done, right.item() / done)
    return loss_sum.item() / done, right.item() / done, done


class _Lessons:
    """What a run learns from: EMNIST's images, and behind them those that are drawn for it."""

    def __init__(self, config: Config, train: Subset, device: torch.device) -> None:
        recipe = config.recipe
        self._seed = config.seed
        self._train_labels = train.labels
        self.emnist_images = len(train)
        self._shares = class_shares(train.labels, min(recipe.epoch_images, len(train)), recipe.sampling_power)
        self._drawn_share = np.array([recipe.drawn_images])
        self.log_shares = torch.from_numpy(self._shares / self._shares.sum()).log().float().to(device)
        images, labels = train.images, train.labels
        if recipe.drawn_images:
            drawings = drawn(train.chars, _PER_DRAWING, config.seed)
            images, labels = np.concatenate([images, drawings.images]), np.concatenate([labels, drawings.labels])
        self.images = torch.from_numpy(images).to(device)
        self.labels = torch.from_numpy(labels).to(device)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Gives the indices of an epoch's images, counted from 0."""
        order = epoch_order(self._train_labels, epoch, self._shares, self._seed)
        count = len(self.labels) - self.emnist_images
        if not count:
            return order
        drawings = epoch_order(np.zeros(count, np.int64), epoch, self._drawn_share, self._seed)
        together = np.concatenate([order, self.emnist_images + drawings])
        return np.random.default_rng([self._seed, epoch]).permutation(together)


def _targets(labels: Tensor, taught: Tensor, teacher_share: Tensor) -> Tensor:
    """Mixes labels with what the teacher believes.

    Args:
        labels: int64 (N,).
        taught: The teacher's logits, float (N, classes).
        teacher_share: Float (N,), the teacher's part of each image: none of those that it hasn't learnt.

    Returns:
        Probabilities, float (N, classes).
    """
    known = one_hot(labels, taught.shape[1]).to(taught.dtype)
    return torch.lerp(known, taught.softmax(1), teacher_share[:, None])


def smoothed_loss(recipe: Recipe, logits: Tensor, labels: Tensor, log_shares: Tensor) -> Tensor:
    """Computes the mean loss of a batch without a teacher.

    Args:
        recipe: The recipe.
        logits: Float (N, classes), the shares in them.
        labels: int64 (N,).
        log_shares: Float (classes,), the logarithm of each class's share of EMNIST's images in the epoch.
    """
    loss = cross_entropy(logits, labels)
    if recipe.label_smoothing:
        # Spread by the shares: evenly, it would favour the rare classes once the shares are off again.
        spread = log_shares.exp().expand_as(logits)
        loss = torch.lerp(loss, cross_entropy(logits, spread), recipe.label_smoothing)
    return loss


class _Learner:
    """What training changes: the network, its optimizers, the running average of its weights."""

    def __init__(self, recipe: Recipe, network: nn.Module) -> None:
        self.network = network
        self._recipe = recipe
        self._optimizers = optimizers.build(recipe, network)
        self._average = (
            AveragedModel(
                network,
                multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging),  # type: ignore[no-untyped-call]  # not in the stubs
                use_buffers=True,
            )
            if recipe.averaging
            else None
        )

    @property
    def result(self) -> nn.Module:
        """The network that training is for: the average where the recipe asks for one."""
        return self.network if self._average is None else self._average.module

    def begin_as(self, network: nn.Module) -> None:
        """Takes a network's weights for its own; the average begins with the first step."""
        self.network.load_state_dict(network.state_dict())

    def step(self, loss: Tensor, progress: float) -> None:
        """Takes one step, ``progress`` of the way from 0 to 1 through the schedule."""
        optimizers.set_learning_rate(self._recipe, self._optimizers, progress)
        self.network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in self._optimizers:
            optimizer.step()
        if self._average is not None:
            self._average.update_parameters(self.network)

    def state_dict(self) -> dict[str, Any]:
        """Gives all of it, for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "average": None if self._average is None else self._average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what ``state_dict`` gave."""
        self.network.load_state_dict(state["network"])
        for optimizer, its_state in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(its_state)
        if self._average is not None:
            self._average.load_state_dict(state["average"])


def load_network(run_dir: Path, chars: str) -> torch.nn.Module:
    """Loads the network of a finished run, on the CPU and ready to infer.

    Args:
        run_dir: The run folder.
        chars: The class table of its split.

    Raises:
        TrainingError: The folder is no run, or the run is unfinished.
    """
    config = Config.read(run_dir)
    learner = _Learner(config.recipe, _channels_last(networks.build(config.recipe.network, len(chars))))
    history = _restore(run_dir, learner)
    if len(history) < config.recipe.epochs:
        raise TrainingError(
            f"{run_dir} is unfinished: {len(history)} of {config.recipe.epochs} epochs. "
            f"`penread train --resume --out {run_dir}` goes on with it."
        )
    return learner.result.eval()


def weights_sum(run_dir: Path) -> str:
    """Computes the SHA-256 of a finished run's weights, as hex digits.

    Args:
        run_dir: The run folder.

    Raises:
        TrainingError: The folder is no run, or the run is unfinished.
    """
    digest = hashlib.sha256()
    for name, weights in load_network(run_dir, SPLIT_CHARS[Config.read(run_dir).split]).state_dict().items():
        digest.update(name.encode() + weights.contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_history(run_dir: Path) -> list[EpochMetrics]:
    """Reads the figures of a run's epochs.

    Args:
        run_dir: The run folder.

    Raises:
        TrainingError: The folder has no finished epoch, or what it has can't be read.
    """
    try:
        lines = (run_dir / "metrics.jsonl").read_text("utf-8").splitlines()
        return [EpochMetrics(**json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{run_dir}/metrics.jsonl can't be read: {error}.") from error


def _load_teachers(config: Config, chars: str, device: torch.device) -> list[nn.Module]:
    teachers = []
    for name, asked_sum in config.teachers.items():
        if not (Path(name) / "config.json").exists() or weights_sum(Path(name)) != asked_sum:
            raise TrainingError(
                f"The teacher this run was started with is not in {name} any more: put it back, or start anew."
            )
        teacher = _channels_last(load_network(Path(name), chars)).to(device)
        teachers.append(teacher.requires_grad_(requires_grad=False))
    return teachers


def _channels_last(network: nn.Module) -> nn.Module:
    """Puts convolutions' weights in the order that they are fastest in; Muon's step relies on it."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # not in the stubs


@torch.inference_mode()
def validate(network: torch.nn.Module, subset: Subset, device: torch.device) -> tuple[float, float]:
    """Scores a network, without autocast.

    Args:
        network: Takes glyphs, gives logits.
        subset: What to score it on.
        device: Where the network is.

    Returns:
        Loss in nats, and accuracy.
    """
    network.eval()
    loss_sum, right = 0.0, 0
    for first in range(0, len(subset), 1024):
        images = torch.from_numpy(subset.images[first : first + 1024]).to(device)
        labels = torch.from_numpy(subset.labels[first : first + 1024]).to(device)
        logits = network(images)
        loss_sum += cross_entropy(logits, labels, reduction="sum").item()
        right += int((logits.argmax(1) == labels).sum())
    return loss_sum / len(subset), right / len(subset)


def environment(device: str) -> dict[str, Any]:
    """Describes the versions and the hardware at hand.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
    """
    packages = ("penread", "torch", "numpy", "scipy")
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: version(name) for name in packages},
        "cpu": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
        "cpu_cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _restore(run_dir: Path, learner: _Learner) -> list[EpochMetrics]:
    checkpoint = run_dir / "checkpoint.pt"
    if not checkpoint.exists():
        return []
    try:
        # weights_only: a checkpoint from elsewhere must not be able to run code.
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        learner.load_state_dict(state["learner"])
        return [EpochMetrics(**metrics) for metrics in state["history"]]
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, EOFError, ValueError) as error:
        raise TrainingError(f"{checkpoint} is damaged or of another version: {error}. Start the run anew.") from error


def _save(run_dir: Path, learner: _Learner, history: list[EpochMetrics]) -> None:
    # The checkpoint carries the history: the other two files are drawn from it, so none can run ahead of it.
    rows = [asdict(metrics) for metrics in history]
    with replacing(run_dir / "checkpoint.pt") as path:
        torch.save({"learner": learner.state_dict(), "history": rows}, path)
    _publish(run_dir, history)


def _publish(run_dir: Path, history: list[EpochMetrics]) -> None:
    """Writes the history for people and programs: ``metrics.jsonl`` and ``curves.png``."""
    write_text(run_dir / "metrics.jsonl", "".join(json.dumps(asdict(metrics)) + "\n" for metrics in history))
    from matplotlib.figure import Figure  # noqa: PLC0415 - takes a second to load, and only this needs it
    from matplotlib.ticker import MaxNLocator, PercentFormatter  # noqa: PLC0415 - as above

    figure = Figure(figsize=(10, 4), layout="constrained")
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    epochs = [metrics.epoch for metrics in history]
    for axes, name in ((loss_axes, "loss"), (accuracy_axes, "accuracy")):
        for subset, colour in (("train", "tab:gray"), ("val", "tab:blue")):
            values = [getattr(metrics, f"{subset}_{name}") for metrics in history]
            axes.plot(epochs, values, color=colour, marker="." if len(epochs) < 40 else "", label=subset)
        axes.set_xlabel("epoch")
        last = f"{values[-1]:.4f}" if name == "loss" else f"{values[-1]:.2%}"
        axes.set_title(f"{name}: {last} on val after {epochs[-1]} {'epoch' if epochs[-1] == 1 else 'epochs'}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    loss_axes.set_ylabel("mean cross-entropy, nats")
    loss_axes.legend()
    accuracy_axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    with replacing(run_dir / "curves.png") as path:
        figure.savefig(path, dpi=110)


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
