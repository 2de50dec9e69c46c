"""How the runs of paper A's text experiments are computed: fine-tuned, looked at before and after, tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import Tensor, nn

from weightspace.experiments.diversity.compute.image_runs import spectra, with_rounded
from weightspace.experiments.diversity.compute.measurements import Measurements, Row, scores
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
    config: Any = c.encoder or None
    model = initialized(lambda: pretrained(c.model, CLASSES, c.dropout, config=config), c.seed)
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
    found = Measurements(trainer(c, device), rounded_spectra)
    if c.setting == "baseline":
        found.spectra(0)
    for epoch in range(1, c.epochs + 1):
        found.train(epoch, tokens, texts.labels)
    found.add(c.epochs, "train_clean", text_scores(found.run, training_set(c.dataset, every=c.every), c.length))
    found.add(c.epochs, "test", text_scores(found.run, evaluation_set(c.dataset), c.length))
    found.spectra(c.epochs)
    updates = c.epochs * (len(tokens) // c.batch_size)
    return found.records(c, texts.origin).assign(updates=updates, synonyms=texts.synonyms)


def rounded_spectra(model: nn.Module, device: str) -> list[Row]:
    """``spectra`` with rounded eigenvalues."""
    return with_rounded(spectra(model, device))


def text_scores(run: Trainer, texts: TextSet, length: int) -> dict[str, float]:
    """loss, accuracy_percent, ece and macro_f1 on texts that are cut to ``length`` tokens."""
    logits = run.logits(tokenize(texts.texts, length))
    return scores(logits, texts.labels) | {"macro_f1": macro_f1(logits, texts.labels)}


def macro_f1(logits: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    """Mean over the classes of the F1 score, from 0 to 1; a class that is never right counts 0."""
    return float(f1_score(y, logits.argmax(axis=1), average="macro", labels=range(CLASSES), zero_division=0))
