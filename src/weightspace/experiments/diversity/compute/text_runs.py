"""How the runs of paper A's text experiments are computed: fine-tuned, looked at before and after, tested."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import Tensor

from weightspace.experiments.diversity.compute.image_runs import as_records, scores, spectra, with_rounded
from weightspace.experiments.diversity.text_sets import TextSet, evaluation_set, training_set
from weightspace.experiments.diversity.text_settings import (
    TextRunConfiguration,
    TextSetsConfiguration,
    TextTrainingConfiguration,
)
from weightspace.models import pretrained, tokenize
from weightspace.training.trainer import Recipe, Trainer, initialized

CLASSES = 2


def trainer(
    configuration: TextTrainingConfiguration | TextSetsConfiguration, device: str, cosine_epochs: int | None = None
) -> Trainer:
    """The network of a configuration as it was published, with the new head of the seed, ready to be fine-tuned."""
    c = configuration
    model = initialized(lambda: pretrained(c.model, CLASSES, c.dropout, config=c.encoder or None), c.seed)
    recipe = Recipe(c.optimizer, c.lr, c.batch_size, c.weight_decay, cosine_epochs)
    return Trainer(model, recipe, c.seed, device, as_they_are, c.precision, getattr(c, "replicate", 0))


def as_they_are(tokens: Tensor) -> Tensor:
    """Tokens need no preparation for the network."""
    return tokens


def train_and_measure(configuration: TextRunConfiguration, device: str) -> pd.DataFrame:
    """Loss and accuracy per epoch as it trained; scores and spectra after the last one; for baselines spectra before.

    inputs: ``train``, the batches as the network trained on them; ``train_clean``, the training texts of the baseline,
    and ``test``, in evaluation mode: loss (nats), accuracy_percent, macro_f1 and ece. Layers, unfolding, N, M and
    eigenvalues: as in ``diversity_cifar10``, but rounded; tables of embeddings are layers too. All runs start from the
    published weights, but for the head ``fc``, which the seed draws. updates: number of optimizer steps, which grows
    with the training set. synonyms: where those of our own augmentation are from.
    """
    c = configuration
    texts = training_set(c.dataset, c.augmentation, c.seed, c.every)
    tokens = tokenize(texts.texts, c.length)
    run = trainer(c, device)
    rows: list[dict[str, object]] = []

    def record(epoch: int, inputs: str, values: dict[str, float]) -> None:
        common = {"epoch": epoch, "inputs": inputs, "severity": 0}
        rows.extend(common | {"metric": name, "value": value} for name, value in values.items())

    def measure(epoch: int, inputs: str, judged: TextSet) -> None:
        logits = run.logits(tokenize(judged.texts, c.length))
        record(epoch, inputs, scores(logits, judged.labels) | {"macro_f1": macro_f1(logits, judged.labels)})

    if c.setting == "baseline":
        rows += [{"epoch": 0} | row for row in with_rounded(spectra(run.model, device))]
    for epoch in range(1, c.epochs + 1):
        loss, accuracy = run.train_epoch(tokens, texts.labels, epoch)
        record(epoch, "train", {"loss": loss, "accuracy_percent": 100 * accuracy})
    last = c.epochs
    measure(last, "train_clean", training_set(c.dataset, every=c.every))
    measure(last, "test", evaluation_set(c.dataset))
    rows += [{"epoch": last} | row for row in with_rounded(spectra(run.model, device))]
    return as_records(rows, c, texts.origin).assign(
        updates=last * (len(tokens) // c.batch_size), synonyms=texts.synonyms
    )


def macro_f1(logits: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    """Mean over the classes of the F1 score, from 0 to 1; a class that is never right counts 0."""
    return float(f1_score(y, logits.argmax(axis=1), average="macro", labels=range(CLASSES), zero_division=0))
