"""The released protocol of paper B, common to regression and classification.

Online training in six turns of 10,000 updates; after each turn a test on every row that is not among the training
rows, after the last one also with noise on the inputs. All five methods of a seed share initial weights, sample order
and test noise, so that comparisons are paired.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

import numpy as np
import pandas as pd
from numba import get_num_threads
from pydantic import AfterValidator, model_validator

from weightspace import data
from weightspace.campaigns.configuration import (
    IDENTITY,
    STRICT,
    Configuration,
    Count,
    NotNegative,
    Positive,
    Seed,
    Settings,
    common,
    dataclass,
)
from weightspace.data import sampling
from weightspace.dual.methods import PAPER_METHODS, parse_method
from weightspace.training.online import networks_on
from weightspace.training.online.networks import OnlineNetworks, on_threads

HIDDEN = {2: (20,), 3: (64, 32)}
"""Hidden widths of the "2 layer" and the "3 layer" network (paper B, released code)."""
TRAIN_SIZES = {"paper": (100, 500, 1000), "quick": (100,)}
UPDATES_PER_TURN = {"paper": 10_000, "quick": 500}
TURNS = 6
LR = 1e-3
NOISE_STD = 0.3
PAPER_SUBSET_SEED = 5
FRESH_SUBSETS = 1000
"""Where an experiment of ours varies the training subset, seed s draws it with RandomState(1000 + s)."""

# Random streams of a seed, so that weights, sample order, test noise and the rest are drawn independently of each
# other and are the same for every method of a seed.
ORDER_STREAM, NOISE_STREAM, SPLIT_STREAM, LABEL_STREAM = 1, 2, 3, 4

CELL = ("dataset", "layers", "train_size")
"""What runs that are computed together share."""
DEVICES = ("cpu", "cuda")
"""Where they can be computed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A data set as the protocol scales it.

    x: ``[rows, features]``; y: targets or labels ``[rows]``; outputs: width of the last layer. test_x, test_y: the
    official test part of a classification set, which the released protocol does not use. metric: its name in the
    records. origin: the columns that say where the data are from.
    """

    task: str
    x: np.ndarray
    y: np.ndarray
    outputs: int
    test_x: np.ndarray | None
    test_y: np.ndarray | None
    metric: str
    origin: dict[str, str]

    def noisy(self, x: np.ndarray, seed: int, std: float) -> np.ndarray:
        """x + N(0, std^2), clipped to [0, 1] for images: the noise test of the released code."""
        clip = (0.0, 1.0) if self.task == "classification" else None
        return sampling.add_input_noise(x, std, np.random.default_rng([seed, NOISE_STREAM]), clip)

    def unseen(self, train_indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(x, y) of the official test part, or where a set has none, of the rows that are not trained on."""
        if self.test_x is not None and self.test_y is not None:
            return self.test_x, self.test_y
        rows = sampling.left_out(len(self.x), train_indices)
        return self.x[rows], self.y[rows]

    def values(self, scores: np.ndarray) -> np.ndarray:
        """Mean scores in the unit of the records: MSE x 10^4, or accuracy in percent."""
        return scores * (1e4 if self.task == "regression" else 100.0)


@lru_cache(maxsize=2)
def load_problem(dataset: str) -> Problem:
    """Scaled as in the released code of paper B.

    Regression: columns z-scored over the whole file (ddof 1), y = 0.1 z(target). Classification: pixels / 255,
    flattened; MNIST without the first 5,000 images of the training file, CIFAR-10 the 10,000 images of data_batch_1,
    Fashion-MNIST the whole training file.
    """
    raw = data.load(dataset)
    origin = {"data_digest": raw.digest, "data_variant": raw.variant}
    if raw.task == "regression":
        x, y = sampling.standardize(raw.x), 0.1 * sampling.standardize(raw.y)
        return Problem("regression", x, y, 1, None, None, "mse_x1e4", origin)
    rows = {"mnist": slice(5000, None), "cifar10": slice(0, 10_000)}.get(dataset, slice(None))
    parts = [raw.x[rows]] if raw.test_x is None else [raw.x[rows], raw.test_x]
    largest = np.float32(255 if raw.x.max() > 16 else 16)  # the small digits of the quick scale have 17 grey levels
    pixels = [part.reshape(len(part), -1).astype(np.float32) / largest for part in parts]
    test_x = pixels[1] if len(pixels) == 2 else None
    outputs = int(raw.y.max()) + 1
    return Problem("classification", pixels[0], raw.y[rows], outputs, test_x, raw.test_y, "accuracy_percent", origin)


def sample_order(seed: int, part: int, indices: np.ndarray, updates: int) -> np.ndarray:
    """``updates`` draws, uniform and with replacement, from the training indices."""
    return indices[np.random.default_rng([seed, ORDER_STREAM, part]).integers(0, len(indices), updates)]


# --- what a run is ---------------------------------------------------------------------------------------------

Table = Literal["california_housing", "wine_quality_red", "wine_quality_white", "diabetes"]
Images = Literal["fashion_mnist", "mnist", "cifar10", "digits"]
ROWS = {name: data.REGISTRY[name].rows for name in (*get_args(Table), *get_args(Images))} | {
    "mnist": 55_000,
    "cifar10": 10_000,
}
"""Rows that training samples are drawn from; see ``load_problem``."""


def _known(method: str) -> str:
    parse_method(method)
    return method


Method = Annotated[str, AfterValidator(_known)]
"""Name of an online method, see ``weightspace.dual.methods``."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NetworkConfiguration(Configuration):
    """What every run of paper B's networks has.

    dataset, task: name of a data set and what it is for. layers: number of weight matrices; hidden: units of the
    layers between them, one number less. train_size: training samples, drawn with replacement, at most as many as the
    set has rows. turns, updates_per_turn: training has turns x updates_per_turn updates of one sample each, both at
    least 1. noise_std: standard deviation of the noise on the test inputs, in units of the inputs, at least 0. dtype:
    of weights and activations of the online networks, float32 or float64.
    """

    protocol: Annotated[Count, IDENTITY] = 1
    dataset: Table | Images
    task: Literal["regression", "classification"]
    layers: Count
    hidden: tuple[Count, ...]
    train_size: Count
    turns: Count = TURNS
    updates_per_turn: Count
    noise_std: NotNegative = NOISE_STD
    dtype: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _fits_the_data(self) -> NetworkConfiguration:
        task, rows = data.REGISTRY[self.dataset].task, ROWS[self.dataset]
        if self.task != task:
            raise ValueError(f"task: the dataset {self.dataset} is for {task}, got {self.task}")
        if len(self.hidden) != self.layers - 1:
            raise ValueError(
                f"layers: {self.layers} of them have {self.layers - 1} hidden widths, got hidden {self.hidden}"
            )
        if self.train_size > rows:
            raise ValueError(
                f"train_size: {self.dataset} has {rows:,} rows to draw training samples from, got {self.train_size:,}"
            )
        return self

    @property
    def updates(self) -> int:
        """All updates of the training."""
        return self.turns * self.updates_per_turn


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ProtocolConfiguration(NetworkConfiguration):
    """A network of the released protocol.

    method: how it is trained (``dual.methods``). lr: learning rate, above 0. subset_seed: draws the training
    rows, with RandomState.
    """

    method: Method
    lr: Positive = LR
    subset_seed: Seed = PAPER_SUBSET_SEED


Kind = TypeVar("Kind", bound=ProtocolConfiguration)


def base_settings(experiment: str, scale: str, dataset: str, layers: int, train_size: int) -> Settings:
    """The settings of a ``NetworkConfiguration`` but for the seed, at a scale."""
    return {
        "experiment": experiment,
        "dataset": dataset,
        "task": data.REGISTRY[dataset].task,
        "layers": layers,
        "hidden": HIDDEN[layers],
        "train_size": train_size,
        "updates_per_turn": UPDATES_PER_TURN[scale],
    }


def protocol_configurations(
    experiment: str,
    scale: str,
    datasets: Sequence[str],
    seeds: int,
    methods: Sequence[str] = PAPER_METHODS,
    *,
    kind: type[Kind] = ProtocolConfiguration,  # type: ignore[assignment]
) -> list[Kind]:
    return [
        kind(**base_settings(experiment, scale, dataset, layers, train_size), method=method, seed=seed)
        for dataset in datasets
        for layers in HIDDEN
        for train_size in TRAIN_SIZES[scale]
        for method in methods
        for seed in range(seeds)
    ]


def identity(configuration: NetworkConfiguration) -> dict[str, object]:
    """The columns of a record that say which run a row belongs to."""
    columns = ("dataset", "task", "layers", "train_size", "method", "seed")
    return {name: getattr(configuration, name) for name in columns if hasattr(configuration, name)} | {
        "run_key": configuration.run_key
    }


def record(configuration: NetworkConfiguration, problem: Problem, **measured: object) -> dict[str, object]:
    """A row of the records: which run it belongs to, what was measured, and where the data are from."""
    return identity(configuration) | measured | problem.origin


class ProtocolRuns(Generic[Kind]):
    """Runs of one data set, depth and training size, trained turn by turn as in the released code."""

    def __init__(self, group: Sequence[Kind], device: str = "cpu") -> None:
        self.group = group
        self.common = first = common(group, "method", "lr", "seed")
        self.problem = load_problem(first.dataset)
        self.train_indices = sampling.paper_training_indices(len(self.problem.x), first.train_size, first.subset_seed)
        self.test_indices = sampling.left_out(len(self.problem.x), self.train_indices)
        self.seeds = np.array([c.seed for c in group])
        methods, rates = [c.method for c in group], [c.lr for c in group]
        self.networks = untrained(first, self.problem, methods, self.seeds.tolist(), rates, device)
        self.turn = 0

    def train_turn(self) -> None:
        for _ in self.train_in_parts(1):
            pass

    def train_in_parts(self, parts: int) -> Iterator[int]:
        """Train one turn and stop after each of its equal parts to let the caller look; yields all updates so far."""
        updates = self.common.updates_per_turn
        orders = {seed: sample_order(seed, self.turn, self.train_indices, updates) for seed in set(self.seeds.tolist())}
        order = np.stack([orders[seed] for seed in self.seeds.tolist()])
        for part in np.array_split(order, parts, axis=1):
            self.networks.train(self.problem.x, self.problem.y, part)
            yield self.networks.updates
        self.turn += 1

    def train_values(self) -> np.ndarray:
        """Per run, on the clean training samples, to see overfitting; in the unit of the records."""
        x, y = self.problem.x[self.train_indices], self.problem.y[self.train_indices]
        return self.problem.values(self.networks.score(x, y))

    def test_sample_scores(self, noisy: bool) -> np.ndarray:
        """Squared error, or 1 for a right answer, of every left-out sample: ``[runs, samples]``."""
        x, y = self.problem.x[self.test_indices], self.problem.y[self.test_indices]
        if not noisy:
            return self.networks.sample_scores(x, y)
        scores = np.empty((len(self.seeds), len(x)), self.networks.dtype)
        disturb = partial(self.problem.noisy, x, std=self.common.noise_std)
        seeds, threads = sorted(set(self.seeds.tolist())), get_num_threads()
        # Drawing noise for tens of thousands of images takes longer than testing on them; all seeds at once would fill
        # the memory.
        for first in range(0, len(seeds), threads):
            batch = seeds[first : first + threads]
            for seed, disturbed in zip(batch, on_threads(disturb, batch)):
                runs = self.seeds == seed
                scores[runs] = self.networks.select(runs).sample_scores(disturbed, y)
        return scores


def untrained(
    configuration: NetworkConfiguration,
    problem: Problem,
    methods: Sequence[str],
    seeds: Sequence[int],
    lr: float | Sequence[float],
    device: str = "cpu",
    **options: Any,
) -> OnlineNetworks:
    """Networks of the shape and type of a configuration, one per method and seed; options of ``OnlineNetworks``."""
    sizes = (problem.x.shape[1], *configuration.hidden, problem.outputs)
    dtype = np.dtype(configuration.dtype).type
    return networks_on(device)(sizes, methods, seeds, task=problem.task, lr=lr, dtype=dtype, **options)


def wrong_labels(problem: Problem, indices: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Labels of training rows, wrong ones on a share of the distinct rows.

    Copies of a row get the same wrong label: noise sits on the images, not on the draws.
    """
    rows, copies = np.unique(indices, return_inverse=True)
    rng = np.random.default_rng([seed, LABEL_STREAM])
    return sampling.flip_labels(problem.y[rows], share, problem.outputs, rng)[copies]


def train_seed(
    configuration: NetworkConfiguration,
    problem: Problem,
    indices: np.ndarray,
    methods: Sequence[str],
    *,
    lr: float,
    labels: np.ndarray | None = None,
    **options: Any,
) -> OnlineNetworks:
    """One network per method, all of one seed and of equal start and sample order, trained on rows of our choice.

    labels: taken instead of those of the rows. options go to ``OnlineNetworks``. For the experiments that vary the
    training set: all updates of the protocol in one go.
    """
    seed, updates = configuration.seed, configuration.updates
    networks = untrained(configuration, problem, methods, [seed] * len(methods), lr, **options)
    order = sample_order(seed, 0, np.arange(len(indices)), updates)
    networks.train(
        problem.x[indices],
        problem.y[indices] if labels is None else labels,
        np.broadcast_to(order, (len(methods), updates)),
    )
    return networks


def compute_protocol(group: list[ProtocolConfiguration], device: str) -> pd.DataFrame:
    """Test value after each turn, clean; after the last turn also with noisy inputs."""
    runs = ProtocolRuns(group, device)
    problem, rows = runs.problem, []

    def test(test_inputs: str) -> None:
        scores = runs.test_sample_scores(noisy=test_inputs == "noisy").mean(axis=1, dtype=np.float64)
        place = {"turn": runs.turn, "test_inputs": test_inputs, "metric": problem.metric}
        for c, value, train_value in zip(group, problem.values(scores), runs.train_values()):
            rows.append(record(c, problem, **place, value=value, train_value=train_value))

    for _ in range(runs.common.turns):
        runs.train_turn()
        test("clean")
    test("noisy")
    return pd.DataFrame(rows)
