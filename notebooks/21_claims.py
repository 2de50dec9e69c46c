# %% [markdown]
# # Claims
#
# :::{admonition} In short
# :class: answer
# **Question.** Which claims of the two papers hold, and which of our own?
#
# **Answer.** Of {glue:text}`claims` claims, {glue:text}`supported` are supported for every method or comparison that was asked about,
# {glue:text}`not_supported` are supported for none, and {glue:text}`open` wait for their runs. The others lie in between, are undecided, or are
# described without a verdict. Dual weights do well in regression and not in classification. The claim that diverse data act on the spectra
# of a network that overfits as dropout does is {glue:text}`verdict_overfit`; where networks underfit it is undecided.
#
# **How sure.** Each verdict stands beside its effect with an interval or a range, the number of comparisons that were decided, n, and the
# smallest effect that would have been found. Most rules were committed before the first records that they judge; each card says which came
# first.
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["remove-input"]
from IPython.display import Image

from weightspace import claims, experiments
from weightspace.analysis import designs, frames, spectral_shifts
from weightspace.claims import elsewhere, training_sets
from weightspace.display import figures, quotes, style, tables

judged = tables.common.judged(claims.CLAIMS)
tables.claims.at_a_glance(judged)

# %% [markdown]
# Each sign of this map is a verdict. Point at it to see the word, and follow it to open the card of the claim further down. A cell has several
# signs where methods or comparisons have different verdicts, and a dash where the question was not asked. For paper B, *not supported* includes
# claims of which most comparisons are ties: it does not say that the opposite is true.
#
# ## Sort and filter
#
# In this table a line is a finding: one claim, for one method or group of comparisons. Click on a heading to sort by it.

# %% tags=["remove-input"]
tables.claims.register(judged)

# %% [markdown]
# ## Six questions that people ask
#
# **Does the method of paper B help with few data?** In regression it does, against plain gradient descent: the gain is larger at *n* = 100
# than at *n* = 1000 in all four settings of both methods (B2a). In classification that was found in few settings (B2b), and from 50 to 500
# samples neither method wins against gradient descent by the rule ({doc}`06_data_and_noise`). Over a tuned weight decay, no setting of
# regression showed a larger gain with few samples, and one, the deeper network on the wine data, showed a smaller one ({doc}`02_regression`).
# In the setting where data are sparsest for the size of the network, a tuned squared L2 beats both methods: it beats dual weights in
# {glue:text}`lost_dual`, and the stabilized method in {glue:text}`lost_stabilized`.
#
# **Does it beat a tuned weight decay?** The stabilized method does in regression, in most settings and by a few percent of the error. The
# method without the stabilizer was not shown to, and in classification neither was ({doc}`08_fair_baselines`).
#
# **Is diversity closer to dropout than to weight decay (A2)?** Where a network overfits, this claim is {glue:text}`verdict_overfit_closer`. The
# claim that diversity is closer to dropout than to *no regularizer* is {glue:text}`verdict_overfit_baseline` there ({doc}`12_like_dropout`).
# Where networks underfit, A2 is supported in the two that were fine-tuned. In the two from scratch it is mixed, because one metric of four,
# alpha, decides nothing there. These verdicts say little, because weight decay moves the spectra so far that anything is closer to dropout.
# The claim *closer to dropout than to no regularizer* (A2c) is not supported from scratch and undecided elsewhere: dropout is significantly
# closer in one metric of one family, the log norm of the network fine-tuned on images, and significantly farther in several others. Most of
# the remaining comparisons decide nothing.
#
# **Does it act like the regularizers (A1)?** Where a network overfits, the claim that diversity acts like dropout is
# {glue:text}`verdict_overfit`, and the claim that it acts like weight decay is {glue:text}`verdict_overfit_decay`. Where networks underfit, most
# metrics show no direction that could be told from chance. Where there is a direction, it is in the log norm, and it differs between
# families. From scratch, diversity goes along with dropout and with weight decay. In the network fine-tuned on images it goes along with
# dropout and against weight decay. In the network fine-tuned on texts no direction was found. For synthetic images none was found either,
# while augmented images in the same networks go along with dropout ({doc}`17_synthetic_data`).
#
# **Does a diversity score explain the outcome (A3)?** Where networks overfit, {glue:text}`scores_supported:d` of {glue:text}`scores_judged:d` scores rank
# the training sets: those of pixels, and those of embeddings within a class. Embeddings of the whole set rank them the wrong way round, and none of
# {glue:text}`imagenet_judged:d` scores of embeddings from ImageNet ranks them ({doc}`14_diversity_outcomes`). In underfit networks from scratch the verdict
# on embeddings is mixed. No score of our other campaigns is supported or mixed. Nor did any of these comparisons show the weighted score to be better or
# worse than the plain one (A3b); the intervals are wide.
#
# **Do synthetic images help (A4, A4b)?** They were not found to bring diversity, and not found to improve accuracy out of distribution, alone
# or in comparison with augmentation. The diversity of their pixels is lower than that of real images.

# %% tags=["remove-cell"]
records = ("dual_regression", "dual_classification", "diversity_from_scratch")
regression, classification, runs = (experiments.load(name, experiments.committed_scale(name)) for name in records)
errors = frames.with_error(frames.last_turn(experiments.load("dual_regression_tuned")))
against_tuned = frames.paired_tests(errors, claims.dual_weights.DUAL, claims.dual_weights.TUNED_BASELINES, "error")
scores, imagenet_scores = (frames.select(judged, claim=claim)["verdict"] for claim in ("A3o", "A3e"))
quotes.glue(
    scores_judged=len(scores),
    scores_supported=int((scores == "supported").sum()),
    imagenet_judged=len(imagenet_scores),
    **tables.claims.count(judged),
    **tables.claims.judged_here(judged),
    verdict_overfit=tables.common.verdict_words(judged, "A1o", "like dropout, ", "metrics"),
    verdict_overfit_decay=tables.common.verdict_words(judged, "A1o", "like weight decay, ", "metrics"),
    verdict_overfit_closer=tables.common.verdict_words(judged, "A2o", unit="metrics"),
    verdict_overfit_baseline=tables.common.verdict_words(judged, "A2co", unit="metrics"),
    lost_dual=tables.common.lost_settings(against_tuned, "dual", "tuned_l2_squared"),
    lost_stabilized=tables.common.lost_settings(against_tuned, "dual_stabilized", "tuned_l2_squared"),
    in_short=tables.claims.in_short(judged, "../notebooks/21_claims.html"),
    hero_dual=figures.landing.dual_weights(regression, classification),
    hero_densities=figures.landing.densities(runs),
    preview=Image(
        figures.landing.preview("What happens inside a network's weights?", regression, classification, runs)
    ),
)

# %% tags=["remove-cell"]
# What the rules before results say of their campaigns.
others = (name.removesuffix("_spectra") for name in (elsewhere.MAIN, *elsewhere.IMAGES, *elsewhere.TEXTS))
quotes.glue(
    augmentation_levels=designs.augmentation_levels(),
    **designs.map_design(),
    **designs.dual_spectra_design(),
    **designs.dual_today_design(),
    **designs.designs("diversity_cifar10", training_sets.IMAGENET_SETS, training_sets.AMOUNTS, *others),
)

# %% [markdown]
# ## How a verdict is made
#
# A *comparison* is one configuration, one method and one baseline, paired by seed on the logarithm of the error (two-sided t-test,
# {term}`Holm's correction` {cite:p}`holm1979` over all comparisons of a claim). The method *wins* a comparison if the corrected *p* is below
# 0.05 and its error is lower by 5 % or more. It *loses* if the error is as much higher and significantly so. Every other comparison is a
# *tie*, which means that neither was shown, not that the two are equal.
#
# A claim is **supported** with at least 80 % wins and at most 5 % losses, **not supported** with fewer than 50 % wins, and **mixed** in
# between. Claims with a rule of their own say so on their card; a rule that decides every comparison for the claim, against it or not at all
# may end with **undecided** ({doc}`../book/rules`). What rests on single runs is **described** and not judged. A claim stays **open** until
# every run of its experiment is on record.
#
# **Effects and what could have been found.** Each card says what its effect is and what *n* counts. The error is the mean squared error in
# regression and 100 minus the (balanced) accuracy in classification, and effects are geometric means over comparisons. The *smallest
# detectable* effect is the one that a single test at 5 % would have shown with a power of 80 %. Where the effect has an interval, this test is
# of the mean over all comparisons, and a single comparison would detect only larger effects. Where the effect has a range over comparisons,
# each comparison has a test of its own, and the card shows the median of what they would have detected. *None* means that no effect that can
# occur would have been found: with three seeds, for instance, not even a similarity of 1. These numbers do not include the corrections for
# many tests, so that the rules need somewhat larger effects. A card without this column says why it has none.
#
# ```{dropdown} Why some claims of paper A are undecided and not "not supported"
# For the claims of paper A in the first campaigns, the verdict *undecided* was added after the results. The rule as it was committed says *not
# supported* where fewer than half of the comparisons were won. That reads as a refutation, even where too few comparisons were lost to refute
# the claim; in such cases the page now says *undecided*. The change makes no claim supported.
# ```
#
# ```{dropdown} What the intervals cover
# B1a, B1b, B1e, B1f, B2a, B2b, B3a and B3b rest on one training subset per data set and size, the released one: their intervals are over
# initial weights and orders on that subset. B1c, B1d, B1g and B1h draw a new subset for every seed. B1a, B1e, B2a, B2b, B3a and B3b compare
# the method with the paper's baselines, which were not tuned; {doc}`02_regression` and {doc}`08_fair_baselines` show each tuned baseline by
# itself.
# ```
#
# ```{dropdown} Which was first, the rule or the records?
# Each card says it, by the order of the commits. The thresholds above and the rules of most claims were committed before the first records
# that they judge. Two groups are exceptions: the rule of B6 followed its measurement, and the rules on ResNet-18 from scratch (A1, A2, A2c,
# A3, A3b) were written when the first of three seeds had been run, those for networks that overfit (A1o, A2o, A2co, A5o) when some accuracies
# had been seen. The order of commits cannot show what else had been looked at; the notes on the cards say what had been.
# ```
#
# ### Why the released measurements are not judged
#
# They are single runs that share a baseline. The drawing shows what follows.
#
# ```{raw} html
# :file: ../book/_static/shared_baseline.svg
# ```
#
# The noise of the one baseline run is in both differences, with the same sign. Two regularizers that do nothing at all then seem to act
# alike, with a correlation of one half if all runs are equally noisy. {doc}`10_released_measurements` measures how much of the released
# correlations this explains, and our own experiments multiply only differences that share no run ({doc}`12_like_dropout`).
#
# ## The claims one by one
#
# A card shows the verdict, the claim and its effect; where methods differ, it shows every verdict and the range of the effects. Open it to see
# the numbers of each method, who made the claim, the rule, and when the rule was committed. For paper A, a letter at the end of a code names
# the family: *f* stands for networks fine-tuned on images ({doc}`15_fine_tuning`), *w* for those fine-tuned on texts ({doc}`16_words`), *s* for
# those with synthetic images ({doc}`17_synthetic_data`), and *o* for networks that overfit ({doc}`../book/rules`).
#
# ### Paper B: dual weights

# %% tags=["remove-input"]
tables.claims.cards(judged, claims.CLAIMS, "B")

# %% [markdown]
# ### Paper A: data diversity

# %% tags=["remove-input"]
tables.claims.cards(judged, claims.CLAIMS, "A")

# %% [markdown]
# ### Our own: where the two papers meet
#
# Neither paper makes these claims. C1 looks at the networks of one paper with the tools of the other ({doc}`18_where_they_meet`), and C2 and C3
# ask whether dual weights improve networks of today. Their rules stand in {doc}`../book/rules`.

# %% tags=["remove-input"]
tables.claims.cards(judged, claims.CLAIMS, "C")

# %% [markdown]
# (not-reproduced)=
# ## What could not be reproduced
#
# This is the one list of reported values that our runs did not meet. The chapters point to it.

# %% tags=["remove-input"]
released = experiments.load("released_measurements", experiments.committed_scale("released_measurements"))
style.table(
    tables.common.not_reproduced(judged, spectral_shifts.against_reported(frames.select(released, quantity="change"))),
    note="Every group of reported values of which some were not met. Of a hundred values of paper B, five are expected "
    "outside if theirs and ours are draws of the same experiment; the values of one reported run rise and fall together.",
)

# %% [markdown]
# Methods of paper B that are not in the list have all of their values inside. The rule asks for nine values of ten inside, and a verdict of
# *mixed* means that it found fewer; for each of these methods the interval on the card of B5a reaches beyond that mark.
#
# **Orders that did not agree.** Paper A trained BERT once on each training set. The gains over the baseline do not have the same order there as
# in our runs ({doc}`16_words`), but neither order can be told from chance.
#
# **What was not tried.** We have not repeated paper A's own training of CLIP, BERT and a full ResNet-18. Our experiments are at a reduced scale
# with other networks, so that their numbers cannot agree or disagree with the reported ones; only their signs and orders can. Accuracies out
# of distribution, results on synthetic images, weighted scores of images, and results on the second text task were not released, so that
# there is nothing to compare ours with.
#
# ## What would change our mind
#
# The runs of the open claims may change the picture: their rules are committed, and the runs have not been computed yet. The verdict on a
# decided claim changes if new records change it, because every verdict on this page is computed from the records when the book is built.
