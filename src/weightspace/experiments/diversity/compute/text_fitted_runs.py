"""How MiniLM is fine-tuned until it fits its texts, and what is measured of it."""

from __future__ import annotations

import pandas as pd

from weightspace.experiments.diversity.compute.measurements import Measurements
from weightspace.experiments.diversity.compute.scratch_runs import NAMES, spectra
from weightspace.experiments.diversity.compute.text_runs import text_scores, trainer
from weightspace.experiments.diversity.text_fitted_settings import FittedTextConfiguration
from weightspace.experiments.diversity.text_sets import evaluation_set, training_set
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
    found = Measurements(trainer(c, device, passes), spectra)
    if c.setting == "baseline" and c.replicate == 0:
        found.spectra(0)
    for epoch in range(1, passes + 1):
        found.train(epoch, tokens, texts.labels)
        if epoch == passes or epoch in c.score_epochs:
            own = text_scores(found.run, texts, c.length)
            found.add(epoch, "train_own", own)
            found.add(epoch, "train_clean", text_scores(found.run, baseline, c.length) if c.augmentation else own)
    found.add(passes, "test", text_scores(found.run, evaluation_set(c.dataset), c.length))
    found.spectra(passes)
    updates = passes * (len(tokens) // c.batch_size)
    return found.records(c, {"updates": updates, "synonyms": texts.synonyms} | texts.origin, NAMES)
