# %% [markdown]
# # What the released measurements say
#
# Paper A {cite:p}`ba2024` compares networks trained on more diverse data with networks trained under dropout and under weight
# decay, by the spectra of their weight matrices. Its authors released the tables behind the figures. Do those tables show
# that diversity works like a regularizer, and like dropout rather than weight decay?
#
# **In short:** the reported numbers are those of the tables. But every network was trained once and one baseline is subtracted from
# all of them, which by itself makes diversity and dropout look alike. Where nothing is shared, little of the similarity remains. What
# the tables do show is that weight decay shrinks the norms of the weights.
#
# **What the paper says.** More diverse data change the spectra in the way that dropout and weight decay do, and the pattern
# is closer to that of dropout.
#
# **What its released code does.** For every layer, four WeightWatcher metrics before and after training: the power-law
# exponent alpha, the entropy, and the logarithms of the squared Frobenius and spectral norms, called log norm and log spectral
# norm ({doc}`11_regularizers_in_weight_space` defines the four). A *shift* is after minus before, minus the same difference of one baseline run. Shifts are averaged over the levels of a category (ten
# augmentation sets, four dropout rates, six weight decays), then over data sets. Layers are the replicates of an analysis of
# variance, of t-tests and of Pearson correlations between categories. Every setting was trained once, without a fixed seed.
#
# **What we chose.** The same statistics from the same tables; then controls: what one shared baseline does, contrasts in which
# nothing is shared, equivalence tests, distances with intervals, and the effect of every single layer, data set and level. The
# rules of the claims were written down before the results of these controls, when the reported figures had been seen; that the
# findings on spectra are described and not judged was decided afterwards ({doc}`20_claims`). Nothing is trained here.

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %%
from myst_nb import glue

from weightspace import claims, experiments
from weightspace.analysis import frames, released_scores, shift_checks, spectral_shifts
from weightspace.display import figures, style, tables
from weightspace.experiments.diversity.released_measurements import MODELS

runs = experiments.ensure("released_measurements", scale, seeds, device, recompute)
changes = frames.select(runs, quantity="change")
profile = spectral_shifts.profiles(spectral_shifts.shifts(changes))
inner = profile[~spectral_shifts.last_layer(profile)]

# %% tags=["remove-cell"]
compared = spectral_shifts.against_reported(changes)
means = spectral_shifts.category_means(inner)
noise = shift_checks.expected_correlations(changes)
noise_inner = shift_checks.expected_correlations(changes, with_last=False)
for name, value in tables.released.numbers(runs, compared, noise, noise_inner).items():
    glue(name, value, display=False)
quadrant_means = shift_checks.task_means(changes)
same = shift_checks.same_quadrant(quadrant_means, "log_norm", "log_spectral_norm")
chance = shift_checks.same_quadrant_chance(10, 4)
quadrant = {"same": int(same.sum()), "all": len(same), "low": 100 * chance[0], "high": 100 * chance[1]}
glue("per_data", int((compared["task"] != "").sum()), display=False)
for name, value in quadrant.items():
    glue(f"quadrant_{name}", value, display=False)

# %% tags=["remove-cell"]
nearer = next(claim for claim in claims.CLAIMS if claim.id == "A2a").findings()
glue("a2a_closer", sum(finding.wins > finding.ties + finding.losses for finding in nearer), display=False)
glue("a2a_models", len(nearer), display=False)
with_last = changes.groupby("model")["layer"].nunique()
layers = "One unseeded run per setting; n: layers, the last one left out. With it: " + ", ".join(
    f"{name} {with_last[model]}" for model, name in MODELS.items() if model in with_last
)
layers += "."

# %% [markdown]
# ## The reported values, recomputed
#
# {glue:text}`agree` of {glue:text}`reported` values come out in every digit that was printed. Two correlations differ in the
# last digit; the notebooks of the release print the correlations but were released without their output, and the two-digit
# values that we hold ours against seem to have been rounded twice. The accuracies of BERT exist only as numbers in a
# notebook: each is a whole number of right answers out of 345. Of the values, {glue:text}`per_data` are those that the release
# prints for each data set by itself. The two that differ stand in the {ref}`list of what could not be reproduced <not-reproduced>`.

# %% tags=["remove-input"]
style.table(tables.released.agreement(compared), frame_of=runs)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every value", "code_prompt_hide": "Hide every value"}
style.table(tables.released.every_value(compared), frame_of=runs)

# %% [markdown]
# ## How large the shifts are

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-released-means", "caption": "Mean shift per category over all layers but the last, with its value. Every panel has an axis of its own."}}
style.show(
    figures.released.category_bars(means),
    "released-means",
    note=layers + " Lines: 95 % t intervals over layers, which are not independent.",
    frame=runs,
    alt="A grid of bars, four metrics by four models, each with the mean shift of diversity, dropout and weight decay. In "
    "both norms the bar of weight decay is long and the other two are hardly visible.",
)

# %% [markdown]
# Weight decay shrinks the norms; beside it the other two are close to nothing. In the log norm the shift of weight decay is
# {glue:text}`wd_over_div_clip_rn50:.0f` times the larger of the two others for CLIP RN50,
# {glue:text}`wd_over_div_clip_vit_b32:.0f` times for CLIP ViT-B/32, {glue:text}`wd_over_div_resnet18:.0f` times for ResNet-18
# and {glue:text}`wd_over_div_bert:.0f` times for BERT. This is the effect behind every significant analysis of variance below;
# in alpha and entropy no difference between the three categories was found. Of {glue:text}`t_tests` t-tests between categories,
# {glue:text}`t_significant` are significant after Holm's correction: weight decay against the others in the norms, and diversity
# against dropout in the log norm of BERT.

# %% tags=["remove-input"]
style.table(
    tables.released.variance(spectral_shifts.anova(profile), spectral_shifts.anova(inner)),
    frame_of=runs,
    note="Layers as replicates, as in the release; Holm's correction over each column.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-released-levels", "caption": "Mean shift of the log norm at every level, weakest first, over all layers but the last. Symmetric logarithmic axis, linear below 0.0001."}}
style.show(
    figures.released.level_curves(
        spectral_shifts.level_means(spectral_shifts.shifts(changes[~spectral_shifts.last_layer(changes)])),
        "log_norm",
        1e-4,
    ),
    "released-levels",
    note=layers + " Bars: 95 % t intervals over layers.",
    frame=runs,
    alt="Four panels, one per model. Weight decay falls steadily from its weakest to its strongest level; dropout stays near "
    "zero; diversity stays near zero except in CLIP ViT-B/32, where it rises.",
)

# %% [markdown]
# Weight decay acts at every level and in order of its strength. Dropout in the two CLIP models could act only through the
# head: the dropout of their blocks is configured but never called in the released code. In CLIP ViT-B/32 diversity has an
# effect of its own: the log norm *rises* with the stronger sets, against the direction of weight decay, while dropout stays at
# zero. In BERT a part of the shift of weight decay is that of embedding rows which the task never uses: under Adam with
# a penalty in the gradient such rows shrink by about the learning rate in every step, however weak the penalty.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-released-layers", "caption": "Mean shift of every layer in the order of the network. The last layer is drawn as a large marker. Symmetric logarithmic axis, linear below 0.0001."}}
style.show(
    figures.released.layer_profiles(profile, ["log_norm", "log_spectral_norm"]),
    "released-layers",
    note="One unseeded run per setting; lines: mean over levels, then over data sets.",
    frame=runs,
    alt="Eight panels of shifts by layer. Diversity and dropout run close to zero and close together, weight decay far below; "
    "in the CLIP models and ResNet-18 the last layer lies far off the others for diversity and dropout.",
)

# %% [markdown]
# ## One baseline for everything
#
# The same baseline run is subtracted from every setting of a data set. Let the change of a layer be noise of variance
# $s^2$ in every run, with no effect of any setting. The mean shift of a category with $n$ levels then has the variance
# $s^2 (1 + 1/n)$, and two categories have the covariance $s^2$, that of the baseline:
#
# $$r = \frac{1}{\sqrt{(1 + 1/n_a)(1 + 1/n_b)}}.$$
#
# With ten augmentation sets and four dropout rates this is {glue:text}`noise_pearson:.2f`. **Pure noise makes diversity and dropout
# correlate that highly in this design**, for any metric and any number of data sets. Of the
# {glue:text}`pearson_all` correlations between diversity and dropout in the release, {glue:text}`pearson_above` lies above what
# noise alone gives 95 times out of a hundred, with the layers' own scales ({glue:text}`pearson_above_inner` without the last
# layer). Where one layer dominates, noise can give any correlation.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-shared-baseline", "caption": "Pearson correlations over layers between categories, with and without the last layer. Grey: the central 95 % of correlations of pure noise that shares a baseline; tick: their closed form."}}
style.show(
    figures.released.shared_baseline(noise, noise_inner),
    "shared-baseline",
    note="2,000 draws; noise of every layer: the spread of its change over the dropout rates. The band is for all layers.",
    frame=runs,
    alt="Three panels of correlations, a row per model and metric, with grey bands for pure noise that mostly reach from "
    "about zero to one. Most correlations of diversity and dropout lie inside; those with weight decay in the norms lie below.",
)

# %% [markdown]
# The baseline of ResNet-18 is not even a run like the others: over layers and metrics it is the lowest or the highest of all
# runs of diversity and dropout in {glue:text}`extreme_resnet18:.0%` of the cases, where {glue:text}`extreme_expected:.0%` are
# expected ({glue:text}`extreme_clip_rn50:.0%` for CLIP RN50, {glue:text}`extreme_bert:.0%` for BERT). All other runs change
# the early layers alike, whatever the setting, and so have nearly the same shift. Here the correlation of diversity and
# dropout in the log norm measures the oddity of one run. Why that run differs is not known.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-odd-baseline", "caption": "ResNet-18 from scratch: what training changed in every layer, run by run. Symmetric logarithmic axis, linear below 0.0001."}}
drawn = changes.query("model == 'resnet18' and category != 'wd'").groupby("category")["level"].nunique()
style.show(
    figures.released.baseline_among_runs(changes, "resnet18", "log_norm"),
    "odd-baseline",
    note=f"{drawn.sum()} unseeded runs on CIFAR-10; weight decay is left out.",
    frame=runs,
    alt="Lines of change over 21 layers. The lines of diversity and dropout lie on top of each other in most layers, the thick "
    "line of the baseline departs from all of them in the first layers and in several later ones.",
)

# %% [markdown]
# Two comparisons share no run. First, diversity in one data set against dropout in *another*, whose baseline is another
# run. Second, within a category, the change at the stronger half of the levels minus that at the weaker half: no baseline
# enters. The median rank correlation of diversity and dropout is {glue:text}`same_task:.2f` within a data set, and
# {glue:text}`other_task:.2f` across data sets. A similarity that differs from data set to data set would be lost across them as
# well, but not between the halves, and there most of it is lost too. The exception is CLIP ViT-B/32: in the log norm diversity and
# dropout agree both ways, in alpha between the halves.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-nothing-shared", "caption": "Rank correlations over layers, the last left out, with and without a shared baseline. Models with one data set have no value across data sets."}}
doses = shift_checks.dose_contrasts(changes)
doses = doses[~spectral_shifts.last_layer(doses)]
dose_tests = shift_checks.rank_correlations(doses, [("div", "dp"), ("div", "wd")])
style.show(
    figures.released.without_sharing(shift_checks.across_tasks(changes), dose_tests),
    "nothing-shared",
    note=layers,
    frame=runs,
    alt="Two panels of rank correlations, a row per model and metric. With a shared baseline diversity and dropout correlate at "
    "about 0.5 to 0.8; across data sets and between halves of the levels nearly all values lie near zero.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.released.rank_tests(dose_tests),
    frame_of=runs,
    note="Strong minus weak levels, all layers but the last; Holm's correction over the table.",
)

# %% [markdown]
# ## The quadrant argument
#
# The paper also argues by quadrants: techniques whose mean changes have the same signs are said to act alike. Diversity and
# dropout have the same sign in both norms in {glue:text}`quadrant_same` of {glue:text}`quadrant_all` cases, a case being one
# network on one data set. A quadrant is coarse: two techniques without any effect share one in a quarter of all cases, or in
# half of them if the two metrics go together, and the shared baseline raises this to between {glue:text}`quadrant_low:.0f` and
# {glue:text}`quadrant_high:.0f` %. The release shows no more than that. Quadrants cannot tell similarity from two shifts near zero;
# in the pretrained networks only weight decay is far from the origin.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-quadrants", "caption": "Mean shift of the log spectral norm against that of the log norm, over all layers but the last; a point per data set. Symmetric logarithmic axes, linear below 0.0001."}}
style.show(
    figures.released.quadrants(quadrant_means, "log_norm", "log_spectral_norm", 1e-4),
    "quadrants",
    note="One unseeded run per setting, one shared baseline per data set; points: means over the levels of a category.",
    frame=runs,
    alt="Four panels, one per network. Weight decay lies far out in the lower left quadrant. In the pretrained networks diversity "
    "and dropout lie close to the origin, on both sides of the axes; in ResNet-18 both lie far out in the upper left quadrant.",
)

# %% [markdown]
# ## One layer, one data set, one level
#
# Training starts from the same weights in all runs of BERT, from other random weights in every layer of ResNet-18, and in
# {glue:text}`fresh_clip_rn50` layer of either CLIP model: the new classifier, which also learns most. In CLIP ViT-B/32 it alone makes the high
# correlations of the norms: without it {glue:text}`vit_log_norm_whole:.3f` falls to {glue:text}`vit_log_norm_inner:.2f` and
# {glue:text}`vit_log_spectral_norm_whole:.2f` to {glue:text}`vit_log_spectral_norm_inner:.2f`. BERT's correlations of the entropy
# and of alpha hang on a single layer too, that of alpha in CLIP ViT-B/32 on a single data set or a single dropout rate.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-leave-one-out", "caption": "Pearson correlation of diversity and dropout over all layers (dot), and its range when one unit at a time is left out. The unit that matters most is named where it moves the value by more than 0.25; layers are counted from the first."}}
style.show(
    figures.released.sensitivity(
        {over: shift_checks.leave_one_out(changes, over) for over in ("layer", "task", "level")}
    ),
    "leave-one-out",
    note="One unseeded run per setting. Models with one data set have no range in the middle.",
    frame=runs,
    alt="Three panels, a row per model and metric: ranges of the correlation when one layer, data set or level is left out. "
    "Several ranges reach from near one to below zero.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-last-layer", "caption": "The last layer by itself: shift per category. CLIP and ResNet-18: the classifier; BERT: the pooler, its classifier is too small to be analysed."}}
per_task = spectral_shifts.shifts(changes[spectral_shifts.last_layer(changes)])
per_task = per_task.groupby(["model", "metric", "task", "category"])["value"].mean().unstack("category")
style.show(
    figures.released.category_bars(spectral_shifts.category_means(per_task)),
    "last-layer",
    note="One unseeded run per setting. Lines: 95 % t intervals over four data sets; one data set has none.",
    frame=runs,
    alt="A grid of bars, four metrics by four models, for the last layer only. Intervals over data sets are wide and mostly "
    "include zero.",
)

# %% [markdown]
# ## Alike, or both near zero?
#
# A difference that is not significant does not show similarity. An equivalence test does: two one-sided t-tests
# {cite:p}`schuirmann1987` of whether the mean difference over layers lies within a margin. Our margin, fixed before the tests:
# a fifth of what training itself changes in the baseline, mean of the absolute change over layers. Layers are paired, which
# the release does not do.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-equivalence", "caption": "Mean differences over layers in units of the margin, with 90 % intervals; the grey band is the margin. Green dots: equivalent after Holm's correction over all tests."}}
equivalence = shift_checks.equivalence(inner, shift_checks.margins(changes))
style.show(
    figures.released.equivalence_intervals(equivalence),
    "equivalence",
    note=layers + " Symmetric logarithmic axis.",
    frame=runs,
    alt="Four panels of mean differences: diversity and dropout, diversity and baseline, dropout and baseline, weight decay and "
    "baseline. Weight decay lies far outside the margin in both norms; a few of the others lie inside it.",
)

# %% tags=["remove-input"]
style.table(tables.released.equivalence(equivalence), frame_of=runs, note="Metrics that are equivalent, of four.")

# %% [markdown]
# Equivalence of diversity and dropout is shown in few cases. In one of them, the log norm of CLIP RN50, both are also
# equivalent to the *baseline*: they are alike because neither changed much. In the others the comparison with the baseline stays
# open; its noise enters there, while it drops out of the difference between two categories. In the log norm of CLIP ViT-B/32
# and of BERT the interval lies beyond the margin: diversity and dropout differ.
#
# ## Closer to dropout than to weight decay?
#
# Distance: the mean absolute difference of two shifts over layers. Weight decay moves the norms far away, so that
# diversity is closer to dropout there, as it is closer to no regularizer at all. The question that has content is another one: is
# diversity closer to dropout than to the *baseline*? The shared baseline drops out of the difference between two categories, but
# not out of the distance to zero. Noise alone makes the ratio of the two
# $\sqrt{(1/n_a + 1/n_b)/(1 + 1/n_a)}$, that is {glue:text}`noise_ratio:.2f`.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-distances", "caption": "Left: distance of diversity to dropout relative to its distance to the baseline; pink tick: the value that noise alone gives; 1: dropout is no closer than the baseline. Right: how much farther weight decay is than dropout, in units of the distance to the baseline."}}
style.show(
    figures.released.distance_ratios(shift_checks.distances(inner, shift_checks.level_counts(changes))),
    "distances",
    note=layers + " Lines: 95 % bootstrap intervals over layers. Green: on the side of the claim; dark: on the other.",
    frame=runs,
    alt="Two panels, a row per model and metric. Left, nearly all ratios lie at or above the value of noise. Right, most "
    "differences are positive, those of the norms by far.",
)

# %% [markdown]
# The ratio is nowhere clearly below that of noise. It is clearly above it in several cases, among them the log norm of BERT
# and of CLIP ViT-B/32: there, diversity and dropout do different things.
#
# ## Accuracy and diversity scores
#
# The release has accuracies for CLIP RN50 on three data sets. With the augmentation sets of Stanford Cars and CIFAR-10 in the
# order of the release, accuracy collapses; on DomainNet it does not. In those two the Vendi score of embeddings falls
# along nearly the whole order, which fits sets that were augmented one on top of the other. Augmentation that destroys the
# task is not a regularizer, whatever the spectra say.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-released-accuracy", "caption": "CLIP RN50: test accuracy of every setting, and the Vendi score of the embeddings of every training set. Grey line: the baseline."}}
scores = frames.select(runs, quantity="score")
style.show(
    figures.released.scores_by_setting(scores),
    "released-accuracy",
    note="One unseeded run per setting.",
    frame=runs,
    alt="Six panels. On Stanford Cars and CIFAR-10 accuracy falls along the augmentation sets to a few percent, with the Vendi "
    "score of embeddings; on DomainNet accuracy stays level.",
)

# %% tags=["remove-input"]
style.table(
    tables.released.scores(released_scores.vendi_correlations(scores)),
    frame_of=runs,
    note="Spearman correlation over the baseline and the ten augmentation sets; Holm's correction over the table.",
)

# %% [markdown]
# The score of embeddings and accuracy fall together where accuracy collapses. Order alone would make that: both fall with the
# amount of augmentation. The score of pixels ranks CIFAR-10 the wrong way round, and on DomainNet neither score ranks the
# sets. More diverse sets, by the score of embeddings, are not made by these augmentations: the baseline scores highest.
#
# The accuracies of BERT were released for a baseline and {glue:text}`texts` other training sets. None can be told from the
# baseline: the smallest $p$ of all, before any correction, is {glue:text}`texts_smallest_p:.2f`. No ranking of these sets by
# a diversity score can be tested with them.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-text-accuracy", "caption": "BERT on Twitter complaints: test accuracy on every training set. Edits: kind and strength; synthetic texts: share of real texts kept, or of the verified pool added. Line and band: the baseline."}}
style.show(
    figures.released.text_accuracies(released_scores.text_accuracies()),
    "text-accuracy",
    note="As reported; one unseeded run each, n = 345 test texts. Bars and band: Wilson's 95 % intervals.",
    frame=runs,
    alt="Accuracies of 26 training sets in four groups, all between 83 and 92 percent, with intervals that overlap the band of "
    "the baseline.",
)

# %% [markdown]
# ## Verdict
#
# The numbers of the release are right; what they can bear is less than what was built on them. They show that weight decay shrinks
# norms. That diversity and dropout look alike can be explained by one shared, unseeded baseline, by one layer, and by both being near
# zero. Taken by the letter, diversity is closer to dropout than to weight decay in most metrics of {glue:text}`a2a_closer` of
# {glue:text}`a2a_models` models (A2a), because weight decay moves the norms far away. Layers of single runs are no replicates, so
# what rests on them is described here and not judged. Whether diversity acts as a
# regularizer in weight space needs several seeds and a baseline per category.

# %% tags=["remove-input"]
mine = [claim for claim in claims.CLAIMS if claim.experiment == "released_measurements"]
style.table(
    tables.common.findings(mine),
    across="claim",
    frame_of=runs,
    note="Effect: mean over metrics (A3a: data sets) with the smallest and largest. n: layers (A3a: training sets). Verdicts "
    "always rest on the records at the scale of the paper.",
)

# %% [markdown]
# ```{glue} judged_10_released_measurements
# :doc: 20_claims.py
# ```
