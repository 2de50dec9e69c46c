# %% [markdown]
# # Fine-tuning
#
# Most of paper A {cite:p}`ba2024` is about pretrained networks: CLIP and BERT, fine-tuned under every regularizer.
# {doc}`15_like_dropout` and {doc}`16_diversity_outcomes` asked their questions of a small network trained from scratch.
# Does a network that already knows how to see answer them in the same way?
#
# **What the paper says.** In fine-tuned networks as well, diversity acts on the spectra as the explicit regularizers do (A1),
# and more like dropout than like weight decay (A2).
#
# **What its released code does.** The visual tower of CLIP, RN50 or ViT-B/32, with a new linear head; Adam with a learning
# rate of 1e-5 and coupled weight decay, batches of 32, five epochs, one run per setting. Dropout is configured for the
# blocks of CLIP but never called there: only that of the head acts.
#
# **What we chose.** EfficientNet-Lite0 {cite:p}`tan2019` with weights of ImageNet, which can be had offline; the same
# optimizer and batches, the same 21 settings, dropout that acts in every block. All settings of a seed share the pretrained
# weights, the new head and the order of the data. The rules are those of {doc}`15_like_dropout`; they were written down for
# this experiment (A1f, A2f, A2cf) before any of its runs had been read, except those of the tuning.

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %%
from myst_nb import glue

from weightspace import (
    claims,
    diversity_outcomes,
    diversity_shifts,
    experiments,
    fair_tests,
    plots_diversity,
    plots_outcomes,
    style,
    tables,
    tables_diversity,
    tables_outcomes,
)

tuning = experiments.ensure("diversity_transfer_tuning", scale, seeds, device, recompute)
runs = experiments.ensure("diversity_transfer", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_transfer_spectra", scale, seeds, "cpu", recompute)
outcomes = diversity_outcomes.outcomes(runs[runs["arm"] != "paper_rate"])
differences = diversity_outcomes.differences(outcomes)

# %% tags=["remove-cell"]
cases = fair_tests.cases(spectra)
similarities, distances = fair_tests.similarities(cases), fair_tests.distances(cases)
correlations = diversity_shifts.correlations(spectra)
numbers = tables_outcomes.effect_numbers(outcomes, differences) | tables_outcomes.transfer_numbers(runs)
numbers |= tables_diversity.fair_numbers(spectra, correlations, similarities, distances)
for name, value in numbers.items():
    glue(name, value, display=False)
n = "n = {} seeds per setting.".format(int(differences["n"].min()))

# %% [markdown]
# :::{admonition} A reduced scale
# :class: warning
# Everything here is of the scale *laptop*: 1,000 training images of CIFAR-10, enlarged from 32 to 64 pixels a side where the
# network was made for 224, two epochs (62 steps) instead of five, {glue:text}`seeds` seeds; 400 test images, 30 per kind
# and severity of corruption. The same command with `--scale paper --device cuda` runs it at full size, and with
# `--set model=clip_vit_b32` the paper's own network, for someone who has its weights.
# :::
#
# ## A network that knows how to see
#
# Before any training, a linear classifier on the features of the network is right on {glue:text}`probe:.1f` % of the test
# images: the features separate the ten classes, at a resolution far below the one they were learned for. Fine-tuned with
# the tuned learning rate the baseline reaches {glue:text}`tuned:.1f` %. With the rate of the paper, in so few steps, it stays
# at {glue:text}`paper_rate:.1f` %, hardly better than guessing: there is nothing to compare, and all that follows is at the
# tuned rate.

# %% tags=["remove-input"]
style.table(
    tables_diversity.tuning(tuning),
    frame_of=tuning,
    note="A tenth of the training images held out; no regularizer; the rate with the lowest held-out loss was taken. The top "
    "row is the paper's optimizer with our rate, the rate of the paper is 1e-05.",
)

# %% [markdown]
# ## What each regularizer does

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-outcomes", "caption": "Every setting minus the baseline of the same seed after fine-tuning, with 95 % t intervals; those much wider than a panel are cut. Grey: what two groups of baselines differ by if nothing but the seeds does."}}
baseline = outcomes[outcomes["setting"] == "baseline"].groupby("arm").mean(numeric_only=True).loc["main"]
style.show(
    plots_outcomes.effects(differences, baseline, diversity_outcomes.seed_noise(outcomes)),
    "transfer-outcomes",
    note=n + " Accuracies and ECE in percent.",
    frame=runs,
    alt="Five panels, a row per setting, of differences to the baseline.",
)

# %% [markdown]
# PROSE

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-line", "caption": "Accuracy on corrupted images against accuracy on the same images without corruption, a point per run. Line: least squares over the runs without augmentation."}}
style.show(
    plots_outcomes.accuracy_line(outcomes),
    "transfer-line",
    note="Corruption accuracy: mean over 15 kinds and 5 severities. Baselines of all seeds, independent ones included.",
    frame=runs,
    alt="Points of all runs.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every setting", "code_prompt_hide": "Hide every setting"}
style.table(
    tables_outcomes.settings(outcomes),
    frame_of=runs,
    note="Mean ± half the 95 % interval over seeds. Training loss: as the network trained, with augmentation and dropout.",
)

# %% [markdown]
# ## What two categories share

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-baselines", "caption": "Pearson correlations over layers between categories, by what they share. Dots: seeds (or pairs of seeds), bars: their mean, crosses: the value that the release reports for CLIP RN50, the convolutional network of the paper."}}
style.show(
    plots_diversity.correlations(correlations, tables_diversity.theirs("pearson", "clip_rn50")),
    "transfer-baselines",
    note=f"{n} {tables_diversity.layers_used(spectra)} layers.",
    frame=spectra,
    alt="Three panels of correlations, rows by metric and kind of baseline.",
)

# %% [markdown]
# PROSE

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-sizes", "caption": "Size of the shift of every setting: root mean square over layers, in units of the standard deviation between baselines, without the contribution of noise. Line: as far as two baselines differ from their mean. Open markers: no shift seen above the noise."}}
style.show(
    plots_diversity.sizes(fair_tests.sizes(spectra)),
    "transfer-sizes",
    note=f"{n} The last layer is left out.",
    frame=spectra,
    alt="Four panels with a marker per setting on logarithmic axes.",
)

# %% [markdown]
# PROSE
#
# ## Similarity: A1

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-similarity", "caption": "Similarity of the shifts of two categories: 1, the same direction in the space of layers; 0, nothing in common; -1, opposite. Filled: different from 0 after correction. Dotted: the threshold of the rule."}}
style.show(
    plots_diversity.similarities(similarities, fair_tests.LIKE),
    "transfer-similarity",
    note=f"Lines: 95 % bootstrap intervals; {n} The right column is for orientation and not judged.",
    frame=spectra,
    alt="Panels of similarities with intervals.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables_diversity.similarities(similarities),
    frame_of=spectra,
    note="Levels: augmentation levels compared. Holm's correction over the eight judged rows of a comparison.",
)

# %% [markdown]
# ## Distance: A2

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-distance", "caption": "Left: distance of diversity to dropout, to weight decay and to the baseline. Right: squared distance to weight decay, and to the baseline, minus that to dropout; above 0, dropout is closer. Filled: different from 0 after correction."}}
style.show(
    plots_diversity.distances(distances),
    "transfer-distance",
    note=f"Lines: 95 % bootstrap intervals; {n} The axes are linear up to 1.",
    frame=spectra,
    alt="Rows of three panels.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables_diversity.distances(distances),
    frame_of=spectra,
    note="Squared, per layer, in units of the variance between baselines; below 0: no distance seen. Holm's correction over the "
    "metrics of a comparison.",
)

# %% [markdown]
# ## Verdict
#
# PROSE

# %% tags=["remove-input"]
style.table(
    tables.findings([claim for claim in claims.CLAIMS if claim.id in ("A1f", "A2f", "A2cf")]),
    across="claim",
    frame_of=spectra,
    note="Effect: mean over metrics with the smallest and largest. A1f: similarity; A2f: distance to dropout / to weight decay; "
    "A2cf: distance to the baseline / to dropout. n: seeds.",
)
