# %% [markdown]
# # Contrastive learning
#
# Appendix A of the paper {cite:p}`wang2025` sets its method beside contrastive learning. What do the two have in common,
# and which classifies better from few samples?
#
# ## The relation
#
# **Contrastive learning** with labels {cite:p}`khosla2020` trains an encoder so that the features of two samples of one
# class point the same way and those of different classes do not. With unit vectors $u_i$, temperature $\tau$ and
# $P(i)$ the other samples of the class of $i$, its loss is
#
# $$ \mathcal L = -\frac1{|I|}\sum_{i\in I} \frac{1}{|P(i)|}\sum_{p\in P(i)} \log\frac{e^{u_i\cdot u_p/\tau}}{\sum_{a\neq i} e^{u_i\cdot u_a/\tau}}. $$
#
# Its gradient pulls $u_i$ towards an average of its *positives* and away from a weighted average of the *others*. A
# **dual neuron** holds two such averages as weights: $W_1$ of the inputs that should raise it, $W_2$ of those that should
# lower it, both weighted by the gradient, and answers with the difference of the two products. What is alike: a target
# average minus a non-target average, hard examples counting more. What is not: the contrastive loss compares samples with
# each other, needs batches that hold several samples of a class, and leaves the classifier to a second stage; a dual
# neuron compares each sample with two running averages, one sample at a time, and its "positives" are its own, not a
# class. This reading of the relation is ours.
#
# ## Design
#
# MNIST and Fashion-MNIST, the 3-layer network, $n$ = 100 and 500, a training subset of its own per seed, the official test
# split. **Equal budget:** every method sees 60,000 training samples. Contrastive: the hidden layers as the encoder, half of
# the samples for the contrastive loss in batches of 50, half for a linear classifier on the frozen, normalised features.
# Beside it ordinary cross entropy in the same batches, since the batches may be what matters. Both mini-batch methods choose
# one of eight learning rates on a quarter of the training rows, held out; the online methods are as the paper sets them.

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %%
from weightspace import claims, experiments
from weightspace.analysis import frames
from weightspace.claims import verdicts
from weightspace.display import figures, style, tables

runs = experiments.ensure("dual_contrastive", scale, seeds, device, recompute)

# %% tags=["remove-cell"]
final = frames.with_error(frames.last_turn(runs))
noisy = frames.with_error(frames.last_turn(runs, "noisy"))
n_seeds = runs["seed"].nunique()
others = ("tuned_contrastive", "tuned_minibatch")

# %% [markdown]
# ## Result

# %% tags=["remove-input"]
style.table(
    tables.common.tuned(final, best="max"),
    frame_of=runs,
    note=f"Accuracy (%) on the official test split, mean ± half the 95 % t interval over n = {n_seeds} seeds; bold: the "
    "highest mean of the row.",
)

# %% tags=["remove-input"]
style.table(
    tables.common.tuned(noisy, best="max"),
    frame_of=runs,
    note="Likewise, with noisy test inputs (standard deviation 0.3, clipped).",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-contrastive", "caption": "Test error of the stabilized dual method relative to contrastive learning and to cross entropy in mini-batches. Left of the band is better; open markers: not significant after correction."}}
tests = frames.paired_tests(final, claims.dual_weights.DUAL, others, "error")
style.show(
    figures.curves.ratio_forest(tests, "dual_stabilized", verdicts.MARGIN, "error ratio, dual stabilized / other"),
    "contrastive",
    note=f"n = {n_seeds} paired seeds per point; lines: 95 % intervals of the geometric mean ratio.",
    frame=runs,
    alt="Forest plot of error ratios of the stabilized dual method against contrastive learning and mini-batches in four "
    "settings.",
)

# %% tags=["remove-input"]
style.table(
    tables.common.outcomes(tests),
    frame_of=runs,
    note="Clean inputs; a ratio below 1 favours the dual method; exploratory, no claim.",
)

# %% tags=["remove-cell"]
from myst_nb import glue

glue("n_seeds", n_seeds, display=False)
for method in claims.dual_weights.DUAL:
    glue(f"tally_{method}", tables.common.tally(tests, method, "tuned_contrastive"), display=False)
    glue(f"ratio_{method}", frames.overall_ratio(final, method, ["tuned_contrastive"], "error")[0], display=False)

# %% [markdown]
# Against contrastive learning at this budget: dual, {glue:text}`tally_dual`, geometric mean error ratio
# {glue:text}`ratio_dual:.2f`; dual stabilized, {glue:text}`tally_dual_stabilized`, {glue:text}`ratio_dual_stabilized:.2f`.
# With {glue:text}`n_seeds` seeds only large differences can be told from chance.
#
# **Limits.** Samples seen are equal, arithmetic is not: a contrastive step compares every pair of a batch, and mini-batches
# make fewer, larger steps. The contrastive baseline has no projection head and no augmented views, which it usually has;
# temperature and the learning rate of its classifier are fixed at common values. The online methods were not tuned here.
