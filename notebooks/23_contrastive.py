# %% [markdown]
# # Appendix: contrastive learning
#
# :::{admonition} In short
# :class: answer
# **Question.** Appendix A of paper B {cite:p}`wang2025` sets its method beside contrastive learning. What do the two have in common, and which
# classifies better from few samples?
#
# **Answer.** Both compare a weighted average of what a unit should respond to with a weighted average of what it should not respond to. At an equal
# budget of training samples the dual method has the lower error on average: its error is {glue:text}`ratio_dual:.2f` times that of contrastive
# learning, and {glue:text}`ratio_dual_stabilized:.2f` times with the stabilizer. Few single comparisons are decided (dual: {glue:text}`tally_dual`;
# stabilized: {glue:text}`tally_dual_stabilized`).
#
# **How sure.** There are n = {glue:text}`n_seeds` seeds in four settings. Only large differences can be told from chance, and the contrastive baseline
# is a plain one. The comparison is exploratory: no rule was written before it, and no claim is judged.
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
from weightspace import claims, experiments
from weightspace.analysis import frames
from weightspace.display import figures, quotes, style, tables

runs = experiments.ensure("dual_contrastive", scale, seeds, device, recompute)

# %% tags=["remove-cell"]
final = frames.with_error(frames.last_turn(runs))
noisy = frames.with_error(frames.last_turn(runs, "noisy"))
n_seeds = runs["seed"].nunique()
others = ("tuned_contrastive", "tuned_minibatch")

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-contrastive", "caption": "Test error of the two dual methods relative to contrastive learning and to cross entropy in mini-batches. Left of the grey band the dual method is better by 5 % or more; open markers: not significant after correction."}}
tests = frames.paired_tests(final, claims.dual_weights.DUAL, others, "error")
style.show(
    figures.curves.ratio_forest(tests, "error ratio, dual / other"),
    "contrastive",
    note=f"n = {n_seeds} paired seeds per point; lines: 95 % intervals of the geometric mean ratio.",
    frame=runs,
    alt="Two panels of error ratios of the dual methods in four settings, against contrastive learning and against "
    "mini-batches.",
)

# %% [markdown]
# In {numref}`fig-contrastive` the points against contrastive learning lie left of the grey band, where the dual method is better, and those against
# mini-batches lie inside it. Most markers are open: after correction these differences are not significant.
#
# ## What the two have in common
#
# **Contrastive learning** with labels {cite:p}`khosla2020` trains an encoder so that the features of two samples of one class point the same way and
# those of different classes do not. With unit vectors $u_i$, temperature $\tau$ and $P(i)$ the other samples of the class of $i$, its loss is
#
# $$ \mathcal L = -\frac1{|I|}\sum_{i\in I} \frac{1}{|P(i)|}\sum_{p\in P(i)} \log\frac{e^{u_i\cdot u_p/\tau}}{\sum_{a\neq i} e^{u_i\cdot u_a/\tau}}. $$
#
# Its gradient pulls $u_i$ towards an average of its *positives* and away from a weighted average of the *others*. A **dual neuron** holds two such
# averages as weights, $W_1$ of the inputs that should raise it and $W_2$ of those that should lower it, both weighted by the gradient, and answers with
# the difference of the two products.
#
# In both, a target average stands against a non-target average, and hard examples count more. The differences are as large. The contrastive loss
# compares samples with each other, needs batches that hold several samples of a class, and leaves the classifier to a second stage. A dual neuron
# compares each sample with two running averages, one sample at a time, and its "positives" are its own, not a class. This reading of the relation is
# ours.
#
# ## How they were compared
#
# We took MNIST and Fashion-MNIST, the 3-layer network, $n$ = 100 and 500, a training subset of its own for each seed, and the official test split. Every
# method sees 60,000 training samples. The hidden layers are the contrastive encoder. Half of the samples go into the contrastive loss in batches of
# 50, and half into a linear classifier on the frozen, normalised features. Ordinary cross entropy in the same batches stands beside it, since the
# batches may be what matters. Both mini-batch methods choose one of eight learning rates on a quarter of the training rows, held out. The online
# methods are used as the paper sets them.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the accuracies", "code_prompt_hide": "Hide the table"}
style.table(
    tables.common.tuned(final, best="max"),
    frame_of=runs,
    note=f"Accuracy (%) on the official test split, mean ± half the 95 % t interval over n = {n_seeds} seeds; bold: the "
    "highest mean of the row.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the accuracies with noisy inputs", "code_prompt_hide": "Hide the table"}
style.table(
    tables.common.tuned(noisy, best="max"),
    frame_of=runs,
    note="Likewise, with noisy test inputs (standard deviation 0.3, clipped).",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the table"}
style.table(
    tables.common.outcomes(tests),
    frame_of=runs,
    note="Clean inputs; a ratio below 1 favours the dual method; exploratory, no claim.",
)

# %% tags=["remove-cell"]
dual, rival = claims.dual_weights.DUAL, "tuned_contrastive"
quotes.glue(
    n_seeds=n_seeds,
    **{f"tally_{method}": tables.common.tally(tests, method, rival) for method in dual},
    **{f"ratio_{method}": frames.overall_ratio(final, method, [rival], "error")[0] for method in dual},
)

# %% [markdown]
# ## What would change our mind
#
# A contrastive method with a projection head and augmented views, which it usually has, may do better and would change the answer. Ours has neither, and
# its temperature and the learning rate of its classifier are fixed at common values. The online methods were not tuned here either. The comparison
# gives every method the same number of samples, and not the same amount of arithmetic: a contrastive step compares every pair of a batch, and
# mini-batches make fewer, larger steps.
