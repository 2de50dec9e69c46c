"""How MiniLM is fine-tuned until it fits its texts, and what is measured of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from weightspace.experiments.diversity.compute.image_runs import as_records, scores
from weightspace.experiments.diversity.compute.scratch_runs import NAMES, spectra
from weightspace.experiments.diversity.compute.text_runs import macro_f1, trainer
from weightspace.experiments.diversity.text_fitted_settings import FittedTextConfiguration
from weightspace.experiments.diversity.text_sets import TextSet, evaluation_set, training_set
from weightspace.models import tokenize


def train_and_measure(configuration: FittedTextConfiguration, device: str) -> pd.DataFrame:
    """The records of one run.

    Rows of scores have inputs: ``train``, the batches as the network trained on them (mean loss and accuracy of every
    pass); ``train_own``, its training texts, and ``train_clean``, the baseline's, which are the same for dropout and
    weight decay; ``test``, at the end. All but the first without dropout. metric: loss (nats), accuracy_percent, ece,
    macro_f1. epoch counts passes over the own set; updates is the number of optimizer steps.

    Rows of spectra, at the end, are as in ``diversity_from_scratch``, of the linear layers: query, key, value, output
    and two of a perceptron in each of the blocks, and the head ``fc``. Those of the start are kept for replicate 0 of
    the baseline. synonyms: where those of our own augmentation are from.
    """
    c = configuration
    texts, baseline = training_set(c.dataset, c.augmentation, c.seed, c.every), training_set(c.dataset, every=c.every)
    tokens = tokenize(texts.texts, c.length)
    passes = c.passes(len(tokens))
    run = trainer(c, device, passes)
    rows: list[dict[str, Any]] = []

    def record(epoch: int, inputs: str, values: dict[str, float]) -> None:
        where = {"epoch": epoch, "inputs": inputs, "severity": 0}
        rows.extend(where | {"metric": metric, "value": value} for metric, value in values.items())

    def judge(judged: TextSet) -> dict[str, float]:
        logits = run.logits(tokenize(judged.texts, c.length))
        return scores(logits, judged.labels) | {"macro_f1": macro_f1(logits, judged.labels)}

    if c.setting == "baseline" and c.replicate == 0:
        rows += [{"epoch": 0} | row for row in spectra(run.model, device)]
    for epoch in range(1, passes + 1):
        loss, accuracy = run.train_epoch(tokens, texts.labels, epoch)
        record(epoch, "train", {"loss": loss, "accuracy_percent": 100 * accuracy})
        if epoch == passes or epoch in c.score_epochs:
            own = judge(texts)
            record(epoch, "train_own", own)
            record(epoch, "train_clean", judge(baseline) if c.augmentation else own)
    record(passes, "test", judge(evaluation_set(c.dataset)))
    rows += [{"epoch": passes} | row for row in spectra(run.model, device)]
    updates = passes * (len(tokens) // c.batch_size)
    origin = {"updates": updates, "synonyms": texts.synonyms} | texts.origin
    return as_records(rows, c, origin, NAMES)
