# %% [markdown]
# # Words
#
# Paper A {cite:p}`ba2024` makes its point with texts as well: BERT learns to tell complaints from other tweets, from edited
# texts, from generated ones, and from mixtures. Its diversity metric is meant for exactly this comparison, of augmentation
# with synthetic data. Does it rank the training sets? And do edits act on the weights as dropout does?
#
# **What the paper says.** A metric of diversity, likely the Vendi score weighted by the resemblance to the original texts,
# explains and compares what augmented and synthetic texts are good for (A3); diversity acts on the spectra like the explicit
# regularizers (A1), and more like dropout (A2).
#
# **What its released code does.** bert-base-uncased with dropout and a new linear head, Adam with a rate of 1e-5, batches of
# 32, five epochs; 2,759 training texts and 345 test texts; one unseeded run for each of 27 training sets. Edits are those of
# EDA {cite:p}`wei2019`: synonyms, insertions, swaps, deletions. Generated texts take the place of a share of the real ones,
# with and without a check, or are added to them.
#
# **What we chose.** MiniLM {cite:p}`wang2020`, a BERT of six layers that can be had offline, several seeds, the released
# training sets of the complaints task, and as a second task SST-2 {cite:p}`socher2013` with edits of our own. All settings of
# a seed share the head and, where sets are of one size, the order of the rows. The rules (A1w, A2w, A2cw, A3w, A3bw) were
# written before any of these runs had been read, except those of the tuning.

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
    experiments,
    fair_tests,
    plots_diversity,
    plots_outcomes,
    plots_texts,
    style,
    tables,
    tables_diversity,
    tables_texts,
    text_outcomes,
)

runs = experiments.ensure("diversity_text", scale, seeds, device, recompute)
sets = experiments.ensure("diversity_text_sets", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_text_spectra", scale, seeds, "cpu", recompute)
outcomes = text_outcomes.outcomes(runs)
both = text_outcomes.training_sets(outcomes, sets)

# %% tags=["remove-cell"]
correlations = diversity_outcomes.rank_correlations(both, outcomes=text_outcomes.JUDGED)
complaints, sst2 = tables_texts.tasks(outcomes)
reported = text_outcomes.against_reported(complaints)
similarities, distances = tables_texts.shift_tests(spectra)
for name, value in tables_texts.numbers(outcomes, correlations).items():
    glue(name, value, display=False)
n = "n = {} seeds per setting.".format(int(reported["n"].min()))

# %% [markdown]
# :::{admonition} A reduced scale
# :class: warning
# Everything here is of the scale *laptop*: every seventh of the released texts (395 of the baseline) and as many of SST-2, two
# epochs, {glue:text}`complaints_seeds` seeds, with a learning rate tuned for so few steps. A larger training set has more
# steps. The same command with `--scale paper --device cuda` takes all texts.
# :::
#
# ## Ours against reported

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-words-reported", "caption": "Accuracy on 345 test tweets minus that of the baseline, for every training set. Above: as reported, one run of BERT each, with Wilson's 95 % interval; below: ours, with 95 % t intervals over seeds. Under generated sets the share of real texts; under added ones the share of generated texts added. Grey: interval of the baseline."}}
style.show(
    plots_texts.beside_reported(reported),
    "words-reported",
    note=n,
    frame=runs,
    alt="Two rows of points with intervals, one above the other.",
)

# %% [markdown]
# PROSE

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every training set", "code_prompt_hide": "Hide every training set"}
style.table(
    tables_texts.reported(reported), decimals=1, frame_of=runs, note="Complaints task, accuracy on 345 test texts."
)

# %% [markdown]
# ## What each setting does

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-words-complaints", "caption": "Complaints: every setting minus the baseline of the same seed, with 95 % t intervals; those much wider than a panel are cut. Grey: what two groups of baselines differ by if nothing but the seeds does."}}
noise = diversity_outcomes.seed_noise(complaints, text_outcomes.OUTCOMES)
baseline = complaints.query("setting == 'baseline' and arm == 'main'").mean(numeric_only=True)
style.show(
    plots_outcomes.effects(tables_texts.effects(complaints), baseline, noise),
    "words-complaints",
    note=n + " All in percent.",
    frame=runs,
    alt="Three panels, a row per setting.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-words-sst2", "caption": "SST-2: the same."}}
noise = diversity_outcomes.seed_noise(sst2, text_outcomes.OUTCOMES)
baseline = sst2.query("setting == 'baseline' and arm == 'main'").mean(numeric_only=True)
style.show(
    plots_outcomes.effects(tables_texts.effects(sst2), baseline, noise),
    "words-sst2",
    note=n + " All in percent.",
    frame=runs,
    alt="Three panels, a row per setting.",
)

# %% [markdown]
# PROSE
#
# ## How diverse the training sets are

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-words-accuracy", "caption": "Test accuracy against the diversity of the training set, a point per set with its 95 % t interval over seeds (cut where it leaves the panel)."}}
style.show(
    plots_texts.scores_against(
        both, "accuracy", [("vendi", "ngrams"), ("vendi", "embeddings"), ("weighted_vendi", "embeddings")]
    ),
    "words-accuracy",
    note=n + " Embeddings: mean features of the published MiniLM.",
    frame=runs,
    alt="Two rows of three scatter plots.",
)

# %% [markdown]
# PROSE

# %% tags=["remove-input"]
style.table(
    tables_texts.pairing(sets),
    frame_of=sets,
    note="Resemblance: cosine between the embeddings of a set and those of the baseline, row by row (of an added set, of the "
    "added rows). Weighted score = Vendi score x resemblance.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-words-correlations", "caption": "Rank correlation over training sets of each score with each outcome, means over seeds. Lines: 95 % bootstrap intervals over sets and seeds; ticks: single seeds."}}
style.show(
    plots_outcomes.correlations(
        correlations, diversity_outcomes.seed_correlations(both, outcomes=text_outcomes.JUDGED)
    ),
    "words-correlations",
    note=f"{n} 27 sets of the complaints task, 9 of SST-2.",
    frame=runs,
    alt="Three panels of rank correlations with intervals.",
)

# %% [markdown]
# PROSE
#
# ## In the weights

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-words-similarity", "caption": "Similarity of the shifts of two categories of settings, for every task and kind of training set: 1, the same direction in the space of layers; 0, nothing in common; -1, opposite. Filled: different from 0 after correction. Dotted: the threshold of the rule."}}
style.show(
    plots_diversity.similarities(tables_texts.as_they_are(similarities), fair_tests.LIKE),
    "words-similarity",
    note=f"Lines: 95 % bootstrap intervals; {n} Judged: edited texts.",
    frame=spectra,
    alt="Panels of similarities with intervals, a row per task and kind of training set.",
)

# %% [markdown]
# PROSE

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-words-distance", "caption": "Left: distance of changed texts to dropout, to weight decay and to the baseline. Right: squared distance to weight decay, and to the baseline, minus that to dropout; above 0, dropout is closer. Filled: different from 0 after correction."}}
style.show(
    plots_diversity.distances(tables_texts.as_they_are(distances)),
    "words-distance",
    note=f"Lines: 95 % bootstrap intervals; {n} The axes are linear up to 1.",
    frame=spectra,
    alt="Rows of three panels.",
)

# %% [markdown]
# PROSE

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables_diversity.similarities(similarities), frame_of=spectra, note="Holm's correction within a comparison."
)
style.table(tables_diversity.distances(distances), frame_of=spectra, note="Holm's correction within a comparison.")

# %% [markdown]
# ## Verdict
#
# PROSE

# %% tags=["remove-input"]
style.table(
    tables.findings([claim for claim in claims.CLAIMS if claim.id in ("A1w", "A2w", "A2cw", "A3w", "A3bw")]),
    across="claim",
    frame_of=runs,
    note="Effects with their smallest and largest. A1w: similarity; A2w: distance to dropout / to weight decay; A2cw: distance "
    "to the baseline / to dropout; A3w: rank correlation; A3bw: how much higher that of the weighted score is. n: seeds, in A3w "
    "and A3bw training sets.",
)
