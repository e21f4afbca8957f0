"""Training on a small real subset: it learns, it resumes to the last digit, its bundle computes what it computes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.special import softmax

from penread import Recognizer, TrainingError
from penread.bundle import Run
from penread.charset import SPLIT_CHARS
from penread.training import export as exporting
from penread.training import loop, networks
from penread.training.calibrate import fit_temperature
from penread.training.data import Subset, load, training_sums
from penread.training.export import compare, export
from penread.training.recipes import RECIPES
from tests.conftest import PENREAD
from tests.made import typeset_subset, write_split

EPOCHS = 6


class Silent:
    def start(self, epoch: int, images: int) -> None: ...

    def step(self, images: int, loss: float, accuracy: float) -> None: ...

    def epoch(self, metrics: loop.EpochMetrics) -> None: ...


def config(data_dir: Path, epochs: int = EPOCHS, recipe: str = "reference", **changes) -> loop.Config:
    # As many steps a second average the weights over much of so short a run.
    averaging = 0.9 if RECIPES[recipe].averaging else 0.0
    short = replace(RECIPES[recipe], epochs=epochs, batch_size=64, averaging=averaging)
    fields = {
        "recipe": short, "split": "pool47", "seed": 5, "device": "cpu", "precision": "float32", "threads": 1,
        "data_sha256": training_sums(data_dir, changes.get("split", "pool47")),
    }  # fmt: skip
    return loop.Config(**{**fields, **changes})


def numbers(run_dir: Path) -> list[dict[str, float]]:
    """A run's figures without those that time gives."""
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if not key.endswith("_s")} for row in rows]


@pytest.fixture(scope="module")
def finished(small_emnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a few epochs."""
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    loop.start(config(small_emnist), run_dir, small_emnist)
    loop.run(run_dir, small_emnist, Silent())
    return run_dir


def test_the_reference_recipe_is_exact() -> None:
    recipe = RECIPES["reference"]
    assert (recipe.epochs, recipe.epoch_images, recipe.batch_size) == (20, 112_800, 512)
    assert (recipe.learning_rate, recipe.weight_decay) == (1e-3, 1e-5)
    layers = [layer for layer in networks.build("reference", 47).modules() if not list(layer.children())]
    assert [str(layer).split(", bias")[0].rstrip(")") for layer in layers] == [
        "Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1",
        "ReLU(",
        "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False",
        "Conv2d(32, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1",
        "ReLU(",
        "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False",
        "Flatten(start_dim=1, end_dim=-1",
        "Linear(in_features=3136, out_features=128",
        "ReLU(",
        "Dropout(p=0.5, inplace=False",
        "Linear(in_features=128, out_features=47",
    ]


def test_multiply_adds() -> None:
    # 28x28 planes of 32 filters of 9, 14x14 of 64 of 9 x 32, then 3136 x 128 and 128 x 47.
    by_hand = 784 * 32 * 9 + 196 * 64 * 9 * 32 + 3136 * 128 + 128 * 47
    assert networks.multiply_adds(networks.build("reference", 47)) == by_hand


def test_the_loss_falls(finished: Path) -> None:
    rows = numbers(finished)
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))
    assert rows[-1]["train_loss"] < 0.6 * rows[0]["train_loss"]
    assert rows[-1]["val_loss"] < 0.7 * rows[0]["val_loss"]
    assert rows[-1]["val_accuracy"] > 0.3 > 1 / 47 * 3


def test_the_run_folder_says_what_was_done(finished: Path, small_emnist: Path) -> None:
    assert loop.Config.read(finished) == config(small_emnist)
    environment = json.loads((finished / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__
    assert environment["cpu_cores"] == os.cpu_count()
    with Image.open(finished / "curves.png") as curves:
        assert curves.width > 800
    assert sorted(path.name for path in finished.iterdir()) == [
        "checkpoint.pt", "config.json", "curves.png", "environment.json", "metrics.jsonl",
    ]  # fmt: skip


def test_stopped_and_resumed_with_all_that_a_recipe_can_have(
    finished: Path, residual: Path, small_emnist: Path, tmp_path: Path, monkeypatch
) -> None:
    """Muon, one-cycle, a running average, shares, distortions, drawings, two teachers, the weights of one."""
    monkeypatch.setattr(loop, "_PER_DRAWING", 5)
    short = config(small_emnist, 3, "best")
    asked = replace(
        short,
        recipe=replace(short.recipe, network=RECIPES["fast"].network, drawn_images=200),
        teachers={str(run_dir): loop.weights_sum(run_dir) for run_dir in (residual, finished)},
    )
    loop.start(asked, tmp_path / "whole", small_emnist)
    whole = loop.run(tmp_path / "whole", small_emnist, Silent())
    assert whole[-1].val_loss < whole[0].val_loss
    assert whole[-1].val_accuracy > 0.2

    class Stops(Silent):
        def start(self, epoch: int, images: int) -> None:
            self.second = epoch == 2 and images > 500

        def step(self, images: int, *_: float) -> None:
            if self.second and images > 500:
                raise KeyboardInterrupt

    loop.start(asked, tmp_path / "stopped", small_emnist)
    with pytest.raises(KeyboardInterrupt):
        loop.run(tmp_path / "stopped", small_emnist, Stops())
    loop.run(tmp_path / "stopped", small_emnist, Silent())
    assert numbers(tmp_path / "stopped") == numbers(tmp_path / "whole")
    assert loop.weights_sum(tmp_path / "stopped") == loop.weights_sum(tmp_path / "whole")

    other = replace(asked, teachers={str(finished): "0" * 64})
    loop.start(other, tmp_path / "other", small_emnist)
    with pytest.raises(TrainingError, match=r"not in .* any more"):
        loop.run(tmp_path / "other", small_emnist, Silent())


def test_a_run_can_begin_as_another_ended(finished: Path, small_emnist: Path, tmp_path: Path) -> None:
    asked = config(small_emnist, 1, teachers={str(finished): loop.weights_sum(finished)})
    # Hardly any step is taken, so what it begins as is what it ends as.
    asked = replace(asked, recipe=replace(asked.recipe, epochs=2, begins_as_teacher=True, learning_rate=1e-9))
    loop.start(asked, tmp_path / "run", small_emnist)

    class Stops(Silent):
        def epoch(self, _: loop.EpochMetrics) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.run(tmp_path / "run", small_emnist, Stops())
    # Once it has begun it needs the other no more.
    gone = replace(asked, teachers={str(tmp_path / "gone"): "0" * 64})
    (tmp_path / "run" / "config.json").write_text(json.dumps(asdict(gone)))
    for row in loop.run(tmp_path / "run", small_emnist, Silent()):
        assert row.val_loss == pytest.approx(numbers(finished)[-1]["val_loss"], rel=1e-4)


def test_a_teacher_must_fit(finished: Path, small_emnist: Path, tmp_path: Path) -> None:
    write_split(tmp_path / "data", typeset_subset("digits", 6, 1, "train"), typeset_subset("digits", 1, 2, "test"))
    for recipe, split, data_dir, message in (
        ("medium", "digits", tmp_path / "data", "trained on other files"),
        ("best", "pool47", small_emnist, "needs a residual-large network; that in .* is reference"),
        ("fast", "pool47", small_emnist, "has no teacher"),
    ):
        with pytest.raises(TrainingError, match=message):
            loop.configure(RECIPES[recipe], split, data_dir, 1, [finished])
    with pytest.raises(TrainingError, match="give one --teacher"):
        loop.configure(RECIPES["large-tuned"], "pool47", small_emnist, 1, [finished, finished])
    fitting = loop.configure(RECIPES["medium"], "pool47", small_emnist, 1, [finished])
    assert fitting.teachers == {str(finished): loop.weights_sum(finished)}
    # What a bundle of it says of its teachers needs no folder that may be gone by then.
    [told] = Run.model_validate(fitting.made_by).teachers
    assert (told.recipe, told.seed, told.teachers) == ("reference", 5, [])


def test_shares_don_t_tip_the_scales(tmp_path: Path) -> None:
    """One class has eleven times the images of any other: what is learnt from them is for as many of each."""
    rng = np.random.default_rng(3)

    def noise(count: int) -> NDArray[np.uint8]:
        return rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)

    # The classes can't be told apart, so all that can be learnt is how frequent each is.
    unbalanced = Subset(noise(1000), np.repeat(np.arange(10), [550, *[50] * 9]), "0123456789", "digits", "train")
    write_split(tmp_path, unbalanced, typeset_subset("digits", 1, 2, "test"))
    for power in (0.0, 1.0):
        asked = config(tmp_path, 2, split="digits")
        asked = replace(asked, recipe=replace(asked.recipe, sampling_power=power))
        loop.start(asked, tmp_path / f"run{power}", tmp_path)
        loop.run(tmp_path / f"run{power}", tmp_path, Silent())
        with torch.inference_mode():
            network = loop.load_network(tmp_path / f"run{power}", "0123456789")
            probs = network(torch.from_numpy(noise(500))).softmax(1).mean(0)
        assert probs[0].item() == pytest.approx(0.1, abs=0.05)


def test_labels_are_smoothed_by_the_shares() -> None:
    recipe = replace(RECIPES["reference"], label_smoothing=0.2)
    shares = torch.tensor([0.7, 0.2, 0.1])
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 3.0]])
    target = 0.8 * torch.eye(3)[[1, 2]] + 0.2 * shares
    by_hand = -(target * logits.log_softmax(1)).sum(1).mean()
    assert loop.smoothed_loss(recipe, logits, torch.tensor([1, 2]), shares.log()).item() == pytest.approx(
        by_hand.item()
    )


def test_a_recipe_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="not smoothed"):
        replace(RECIPES["best"], label_smoothing=0.1)
    with pytest.raises(ValueError, match="set augment"):
        replace(RECIPES["reference"], untouched_share=0.1)


def test_killed_and_resumed_ends_with_the_same_numbers(finished: Path, small_emnist: Path, tmp_path: Path) -> None:
    """SIGKILL at whatever moment comes, several times, through the command line."""
    run_dir = tmp_path / "killed"
    loop.start(config(small_emnist), run_dir, small_emnist)
    kills = 0
    for delay_s in (0.3, 0.1, 0.5):
        process = subprocess.Popen(
            [PENREAD, "train", "--resume", "--out", str(run_dir), "--data-dir", str(small_emnist)],
            stdout=subprocess.DEVNULL,
        )
        before = loop_progress(run_dir)
        while process.poll() is None and loop_progress(run_dir) == before:
            time.sleep(0.01)
        time.sleep(delay_s)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills >= 1
    again = [PENREAD, "train", "--resume", "--out", str(run_dir), "--data-dir", str(small_emnist)]
    subprocess.run(again, check=True, stdout=subprocess.DEVNULL)
    assert numbers(run_dir) == numbers(finished)
    assert loop.weights_sum(run_dir) == loop.weights_sum(finished)
    # It goes on as it was started, and not otherwise.
    ended = subprocess.run([*again, "--epochs", "9"], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "leave out --epochs" in ended.stderr
    # What a killed write left behind is not taken for a result, and a finished run stays as it is.
    subprocess.run(again, check=True, stdout=subprocess.DEVNULL)
    assert numbers(run_dir) == numbers(finished)


def test_two_threads_compute_the_same_each_time(tmp_path: Path) -> None:
    """Each thread sums a part: which part is no chance, so a run that was stopped ends with the same numbers."""
    write_split(tmp_path / "data", typeset_subset("digits", 24, 1, "train"), typeset_subset("digits", 1, 2, "test"))
    asked = config(tmp_path / "data", epochs=2, split="digits", threads=2)
    for name in ("whole", "stopped"):
        loop.start(asked, tmp_path / name, tmp_path / "data")
    loop.run(tmp_path / "whole", tmp_path / "data", Silent())

    class Stops(Silent):
        def epoch(self, _: loop.EpochMetrics) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.run(tmp_path / "stopped", tmp_path / "data", Stops())
    assert torch.get_num_threads() == 2
    loop.run(tmp_path / "stopped", tmp_path / "data", Silent())
    torch.set_num_threads(1)
    assert loop.weights_sum(tmp_path / "stopped") == loop.weights_sum(tmp_path / "whole")


def test_killed_between_a_checkpoint_and_its_metrics(small_emnist: Path, tmp_path: Path, monkeypatch) -> None:
    """The moment that no killing by the clock finds."""
    run_dir = tmp_path / "run"
    loop.start(config(small_emnist, epochs=1), run_dir, small_emnist)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_publish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            loop.run(run_dir, small_emnist, Silent())
    assert not (run_dir / "metrics.jsonl").exists()
    loop.run(run_dir, small_emnist, Silent())
    assert [row["epoch"] for row in numbers(run_dir)] == [1]
    assert (run_dir / "curves.png").exists()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_failed_start_leaves_nothing_in_the_way(small_emnist: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    damaged = Path(shutil.copytree(small_emnist, tmp_path / "damaged"))
    labels = damaged / "emnist-pool47-train-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:-20])
    for wrong in (
        ["--data-dir", "nowhere"],
        ["--data-dir", str(small_emnist), "--split", "latin"],
        ["--data-dir", str(damaged), "--split", "pool47"],
    ):
        ended = subprocess.run([PENREAD, "train", "--out", str(run_dir), *wrong], capture_output=True, text=True)
        assert ended.returncode == 1
        assert not run_dir.exists()
    run_dir.mkdir()
    (run_dir / ".config.part.json").write_text("{")
    loop.start(config(small_emnist), run_dir, small_emnist)


def test_a_damaged_checkpoint_is_told(small_emnist: Path, tmp_path: Path) -> None:
    loop.start(config(small_emnist, epochs=1), tmp_path, small_emnist)
    (tmp_path / "checkpoint.pt").write_bytes(b"half a checkpoint")
    with pytest.raises(TrainingError, match="damaged or of another version"):
        loop.run(tmp_path, small_emnist, Silent())


def loop_progress(run_dir: Path) -> int:
    """When the checkpoint was written last; 0 before the first."""
    checkpoint = run_dir / "checkpoint.pt"
    return checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0


def test_bfloat16_trains_too(tmp_path: Path) -> None:
    # Ten classes of type: a CPU that has to emulate bfloat16 takes its time.
    write_split(tmp_path / "data", typeset_subset("digits", 30, 1, "train"), typeset_subset("digits", 1, 2, "test"))
    bfloat16 = config(tmp_path / "data", epochs=3, split="digits", precision="bfloat16")
    loop.start(bfloat16, tmp_path / "run", tmp_path / "data")
    history = loop.run(tmp_path / "run", tmp_path / "data", Silent())
    assert history[-1].train_loss < history[0].train_loss
    assert history[-1].val_loss < history[0].val_loss


def test_a_run_folder_in_use_is_not_overwritten(finished: Path, small_emnist: Path) -> None:
    before = numbers(finished)
    with pytest.raises(TrainingError, match="--resume"):
        loop.start(config(small_emnist), finished, small_emnist)
    assert numbers(finished) == before


def test_other_data_are_noticed(small_emnist: Path, tmp_path: Path) -> None:
    loop.start(
        config(small_emnist, data_sha256={"emnist-pool47-train-images-idx3-ubyte.gz": "0"}),
        tmp_path / "run",
        small_emnist,
    )
    with pytest.raises(TrainingError, match="not those that"):
        loop.run(tmp_path / "run", small_emnist, Silent())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"recipe": {}}', '{"recipe": {"name": "x"}, "split": "digits"}'])
def test_no_run_folder_is_told(tmp_path: Path, content: str) -> None:
    if content:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(TrainingError, match=r"is no run folder|not one that this version can read"):
        loop.Config.read(tmp_path)


@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=6),
    st.integers(1, 200),
    st.sampled_from([0, 0.5, 1]),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_epochs_take_each_class_s_share_and_deal_every_image_in_turn(
    sizes: list[int], images: int, power: float, seed: int
) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    shares = loop.class_shares(labels, images, power)
    for share, size in zip(shares, sizes, strict=True):
        fair = images * size**power / sum(other**power for other in sizes)
        assert share == max(1, int(fair + 1e-6))
    seen: Counter[int] = Counter()
    for epoch in range(3):
        order = loop.epoch_order(labels, epoch, shares, seed)
        assert np.bincount(labels[order]).tolist() == shares.tolist()
        seen.update(order.tolist())
        np.testing.assert_array_equal(order, loop.epoch_order(labels, epoch, shares, seed))
    for label in range(len(sizes)):
        times = [seen[index] for index in np.flatnonzero(labels == label).tolist()]
        # Dealt like cards: no image comes again before all the others of its class have come as often.
        assert max(times) - min(times) <= 1


def test_epochs_and_seeds_differ() -> None:
    labels = np.repeat(np.arange(5), 40)
    shares = loop.class_shares(labels, 100, 0)
    first = loop.epoch_order(labels, 0, shares, 1)
    assert not np.array_equal(first, loop.epoch_order(labels, 1, shares, 1))
    assert not np.array_equal(first, loop.epoch_order(labels, 0, shares, 2))


def test_export_makes_a_bundle_that_computes_the_same(finished: Path, small_emnist: Path, tmp_path: Path) -> None:
    evaluation = export([finished], tmp_path / "small", small_emnist, version="0.1")
    recognizer = Recognizer(tmp_path / "small")
    info = recognizer.info
    assert (info.name, info.version, info.split) == ("small", "0.1", "pool47")
    assert [(run.recipe, run.seed) for run in info.runs] == [("reference", 5)]
    assert info.chars == SPLIT_CHARS["pool47"]
    assert info.trained_on.images == 47 * 32
    assert info.parameters == sum(w.numel() for w in networks.build("reference", 47).parameters())
    assert info.measured is not None
    assert info.measured.accuracy == pytest.approx(evaluation.accuracy, abs=1e-6)
    assert info.measured.images == 470
    test = load(small_emnist, "pool47", "test")
    network = loop.load_network(finished, info.chars)
    with torch.inference_mode():
        by_torch = network(torch.from_numpy(test.images)).numpy()
    np.testing.assert_allclose(recognizer.logits(test.images) * info.temperature, by_torch, atol=1e-3)
    with pytest.raises(TrainingError, match="exists already"):
        export([finished], tmp_path / "small", small_emnist)


@pytest.fixture(scope="module")
def residual(small_emnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a residual network."""
    run_dir = tmp_path_factory.mktemp("runs") / "residual"
    loop.start(config(small_emnist, recipe="fast"), run_dir, small_emnist)
    loop.run(run_dir, small_emnist, Silent())
    return run_dir


def test_runs_that_read_together(finished: Path, residual: Path, small_emnist: Path, tmp_path: Path) -> None:
    export([finished, residual], tmp_path / "both", small_emnist)
    recognizer = Recognizer(tmp_path / "both")
    assert [run.recipe for run in recognizer.info.runs] == ["reference", "fast"]
    test = load(small_emnist, "pool47", "test")
    with torch.inference_mode():
        images = torch.from_numpy(test.images)
        each = [loop.load_network(run_dir, test.chars)(images).numpy() for run_dir in (finished, residual)]
    np.testing.assert_allclose(
        recognizer.logits(test.images) * recognizer.info.temperature, (each[0] + each[1]) / 2, atol=1e-3
    )
    changed = tmp_path / "changed"
    write_split(changed, typeset_subset("pool47", 6, 1, "train"), typeset_subset("pool47", 1, 2, "test"))
    with pytest.raises(TrainingError, match="not those that"):
        export([finished], tmp_path / "none", changed)
    elsewhere = Path(shutil.copytree(residual, tmp_path / "elsewhere"))
    told = json.loads((elsewhere / "config.json").read_text())
    told["data_sha256"] = dict.fromkeys(told["data_sha256"], "0" * 64)
    (elsewhere / "config.json").write_text(json.dumps(told))
    with pytest.raises(TrainingError, match="trained on the same files"):
        export([finished, elsewhere], tmp_path / "none", small_emnist)


@pytest.mark.parametrize("which", ["finished", "residual"])
def test_export_in_8_bit_integers(
    which: str, small_emnist: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run_dir = request.getfixturevalue(which)
    export([run_dir], tmp_path / "exact", small_emnist)
    export([run_dir], tmp_path / "small", small_emnist, int8=True)
    exact, small = Recognizer(tmp_path / "exact"), Recognizer(tmp_path / "small")
    assert (exact.info.precision, small.info.precision) == ("float32", "int8")
    # The head that tells what is no character has half precision in both.
    assert (tmp_path / "small/model.onnx").stat().st_size < 0.6 * (tmp_path / "exact/model.onnx").stat().st_size
    test = load(small_emnist, "pool47", "test").images
    answers = [recognizer.probs(test) for recognizer in (exact, small)]
    assert (answers[0].argmax(axis=1) == answers[1].argmax(axis=1)).mean() > 0.97
    assert np.abs(answers[0] - answers[1]).mean() < 0.002


def test_8_bit_integers_that_cost_accuracy_are_refused(
    finished: Path, small_emnist: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(exporting, "quantize", flattened)
    with pytest.raises(TrainingError, match="cost too much"):
        export([finished], tmp_path / "small", small_emnist, int8=True)
    assert not (tmp_path / "small").exists()


def flattened(graph: onnx.ModelProto, _: NDArray[np.uint8]) -> onnx.ModelProto:
    """The graph with its logits all zero."""
    answer = graph.graph.output[0].name
    for node in graph.graph.node:
        node.output[:] = ["before" if name == answer else name for name in node.output]
    zero = onnx.helper.make_tensor("zero", onnx.TensorProto.FLOAT, [], [0.0])
    graph.graph.initializer.append(zero)
    graph.graph.node.append(onnx.helper.make_node("Mul", ["before", "zero"], [answer]))
    return graph


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.5])
def test_the_temperature_makes_confidences_true(true_temperature: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (4000, 10))
    probs = softmax(logits / true_temperature, axis=1)
    labels = np.array([rng.choice(10, p=row) for row in probs])
    assert fit_temperature(logits, labels) == pytest.approx(true_temperature, rel=0.08)


def test_a_graph_that_differs_from_the_network_is_refused(
    finished: Path, small_emnist: Path, recognizer: Recognizer
) -> None:
    network = loop.load_network(finished, SPLIT_CHARS["pool47"])
    with pytest.raises(TrainingError, match="differs from the network"):
        compare(network, recognizer, load(small_emnist, "pool47", "val"))


def test_an_unfinished_run_is_not_exported(small_emnist: Path, tmp_path: Path) -> None:
    loop.start(config(small_emnist), tmp_path / "run", small_emnist)
    with pytest.raises(TrainingError, match=r"unfinished: 0 of 6 epochs.*--resume"):
        export([tmp_path / "run"], tmp_path / "bundle", small_emnist)
    assert not (tmp_path / "bundle").exists()
