# %% [markdown]
# # Fair baselines
#
# The released experiments compare the dual method with plain gradient descent and two untuned strengths of an unusual
# penalty. Does its benefit survive against what a practitioner would use? {doc}`02_regression` has the answer for regression;
# here is classification.
#
# **In short:** no. Against a tuned weight decay both dual methods tie in every setting, and against the other tuned baselines in
# most. A tie means that the difference is below 5 % of the error or not significant; it does not show that two methods are equal.
#
# ## Design
#
# - **Data.** MNIST, Fashion-MNIST, CIFAR-10; 2 layers; $n$ = 100 and 500. Every seed draws a training subset of its own,
#   `RandomState(1000 + s)`. Test: the **official test split**, clean and noisy, looked at once.
# - **Same budget for every tuned method:** {glue:text}`budget` candidates, each trained on three quarters of the distinct
#   training rows and judged on the rest by its error, then by cross entropy. The winner is trained again on all training
#   rows. If it diverges there, the next best takes its place.
# - **Same number of samples seen:** 60,000, one by one or in mini-batches of {glue:text}`batch`.
#
# | method | what is tuned |
# | --- | --- |
# | gradient descent | learning rate, {glue:text}`rates` |
# | squared L2 (weight decay) | strength, {glue:text}`strengths`, at the paper's learning rate |
# | dropout | rate, {glue:text}`dropouts`, at the paper's learning rate |
# | early stopping | after which share of the updates |
# | mini-batches | learning rate of SGD with momentum 0.9, {glue:text}`minibatch_rates` |
# | Adam {cite:p}`kingma2015` | learning rate, {glue:text}`adam_rates` |
# | SAM {cite:p}`foret2021` | learning rate and radius on a grid of four by two, the radii ten times smaller for CIFAR-10; two gradients per step, twice the arithmetic |
# | dual, dual stabilized | as published, and with a tuned learning rate, the same candidates as gradient descent |

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %%
import pandas as pd
from myst_nb import glue

from weightspace import claims, experiments
from weightspace.analysis import frames
from weightspace.claims import verdicts
from weightspace.display import figures, style, tables
from weightspace.experiments.dual_weights import classification_tuned, tuning

runs = experiments.ensure("dual_classification_tuned", scale, seeds, device, recompute)

# %% tags=["remove-cell"]
glue("budget", tuning.BUDGET, display=False)
glue("batch", classification_tuned.BATCH_SIZE, display=False)
glue("rates", tables.common.span(tuning.LEARNING_RATES), display=False)
glue("strengths", tables.common.span(classification_tuned.L2_SQUARED_STRENGTHS), display=False)
glue("dropouts", tables.common.span(tuning.DROPOUT_RATES), display=False)
glue("minibatch_rates", tables.common.span(classification_tuned.MINIBATCH_RATES), display=False)
glue("adam_rates", tables.common.span(classification_tuned.ADAM_RATES), display=False)
final = frames.with_error(frames.last_turn(runs))
noisy = frames.with_error(frames.last_turn(runs, "noisy"))
tuned_dual = ("tuned_dual", "tuned_dual_stabilized")
tests = frames.paired_tests(final, claims.dual_weights.DUAL, claims.dual_weights.TUNED_CLASSIFIERS, "error")
both = frames.paired_tests(final, tuned_dual, claims.dual_weights.TUNED_CLASSIFIERS, "error")
noisy_tests = frames.paired_tests(noisy, claims.dual_weights.DUAL, claims.dual_weights.TUNED_CLASSIFIERS, "error")
noisy_both = frames.paired_tests(noisy, tuned_dual, claims.dual_weights.TUNED_CLASSIFIERS, "error")
n_seeds = runs["seed"].nunique()
note = (
    f"n = {n_seeds} seeds, each with a training subset of its own; lines: 95 % intervals of the geometric mean ratio; open "
    "markers: not significant after correction."
)

# %% [markdown]
# ## Accuracy

# %% tags=["remove-input"]
style.table(
    tables.common.tuned(final, best="max"),
    frame_of=runs,
    note=f"Accuracy (%) on the official test split, mean ± half the 95 % t interval over n = {n_seeds} seeds; bold: the "
    "highest mean of the row.",
)

# %% [markdown]
# ## As published, against tuned baselines

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-stabilized", "caption": "Test error of the stabilized dual method as published, untuned, relative to seven tuned baselines, a panel for each. Left of the band is better."}}
style.show(
    figures.curves.ratio_forest(
        tests, "dual_stabilized", verdicts.MARGIN, "error ratio, dual stabilized (untuned) / tuned baseline"
    ),
    "fair-stabilized",
    note=note,
    frame=runs,
    alt="Seven panels, one per tuned baseline, with the error ratio in six settings.",
)

# %% [markdown]
# ## Tuned as well: the same budget for all

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-both", "caption": "Test error of the stabilized dual method with a tuned learning rate relative to seven tuned baselines."}}
style.show(
    figures.curves.ratio_forest(
        both, "tuned_dual_stabilized", verdicts.MARGIN, "error ratio, dual stabilized (tuned) / tuned baseline"
    ),
    "fair-both",
    note=note,
    frame=runs,
    alt="Seven panels, one per tuned baseline, with the error ratio of the tuned stabilized dual method in six settings.",
)

# %% tags=["remove-input"]
style.table(
    tables.common.outcomes(pd.concat([tests, both])),
    frame_of=runs,
    note="Clean inputs, six settings; win, tie and loss by the rule of the claims page; a ratio below 1 favours the dual "
    "method.",
)

# %% tags=["remove-cell"]
rival = "tuned_l2_squared"
for method in claims.dual_weights.DUAL:
    glue(f"tally_{method}", tables.common.tally(tests, method, rival), display=False)
    glue(f"ratio_{method}", frames.overall_ratio(final, method, [rival], "error")[0], display=False)

# %% [markdown]
# The strongest rival is again squared L2 with a tuned strength. Against it: dual, {glue:text}`tally_dual`, geometric mean
# error ratio {glue:text}`ratio_dual:.2f`; dual stabilized, {glue:text}`tally_dual_stabilized`,
# {glue:text}`ratio_dual_stabilized:.2f`. What the dual methods gain in classification is about what a tuned weight decay gains.
# In regression that is so for the method without stabilizer only: there the stabilized one has a lower error than a tuned weight
# decay in most settings ({doc}`02_regression`).
#
# Tuning has its price here: at the smaller $n$ a choice rests on about two dozen held-out samples, and the dual methods with
# a tuned rate do worse on average than at the paper's rate, which needed no choice. The comparison of the untuned methods with
# tuned baselines is thus kind to the untuned ones; the one in which all are tuned is even.
#
# ## With noise on the test images

# %% tags=["remove-input"]
style.table(
    tables.common.tuned(noisy, best="max"),
    frame_of=runs,
    note="As above, noisy inputs (standard deviation 0.3, clipped).",
)

# %% tags=["remove-input"]
style.table(
    tables.common.outcomes(pd.concat([noisy_tests, noisy_both])),
    frame_of=runs,
    note="Noisy inputs; exploratory, no claim.",
)

# %% [markdown]
# ## What was chosen

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the table", "code_prompt_hide": "Hide the table"}
style.table(tables.common.chosen(runs), decimals=0, frame_of=runs)

# %% [markdown]
# **Limits.** The 2-layer network only; the 3-layer network is left for want of computing time. The radii of SAM for CIFAR-10
# were set after a first pass, in which networks trained with those of the other two sets fell to chance; no other grid was
# looked at twice. One setting is tuned for each method (two for SAM), the grids are coarse, and no baseline combines two
# regularizers. Squared L2 and dropout keep the paper's learning rate. With $n$ = 100 only a quarter of about a hundred rows is
# held out for the choice, which is noisy for every method alike.
#
# ## Verdicts

# %% tags=["remove-input"]
mine = [claim for claim in claims.CLAIMS if claim.experiment == "dual_classification_tuned"]
style.table(
    tables.common.findings(mine),
    across="claim",
    frame_of=runs,
    note="Verdicts always rest on the records at the scale of the paper.",
)

# %% [markdown]
# ```{glue} judged_08_fair_baselines
# :doc: 20_claims.py
# ```
