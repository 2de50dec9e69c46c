# %% [markdown]
# # What the released measurements say
#
# :::{admonition} In short
# :class: answer
# **Question.** Paper A {cite:p}`ba2024` compares the weight spectra of networks trained on more diverse data with those of networks
# trained under dropout and under weight decay. Do the tables that its authors released show that diversity works like a regularizer,
# and like dropout rather than weight decay?
#
# **Answer.** They do not show it. The reported numbers do follow from the tables: {glue:text}`agree` of {glue:text}`reported` come out in every
# digit that was printed. But one baseline run is subtracted from all others, and in that design pure noise already makes diversity and
# dropout correlate at {glue:text}`noise_pearson:.2f`. In the CLIP models the median rank correlation of diversity and dropout is
# {glue:text}`same_task:.2f` within a data set, and {glue:text}`other_task:.2f` where no baseline is shared. What the tables do show is that
# weight decay shrinks the norms of the weights.
#
# **How sure.** Every network was trained once and without a fixed seed, so that only layers are left as replicates, and layers are not
# independent. Findings on spectra are therefore described and not judged. The rules were committed before the results of the controls
# below, when the reported figures had been seen; the decision not to judge came afterwards ({doc}`21_claims`).
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
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

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-nothing-shared", "caption": "Rank correlations over layers, the last left out, with and without a shared baseline. Models with one data set have no value across data sets."}}
doses = shift_checks.dose_contrasts(changes)
doses = doses[~spectral_shifts.last_layer(doses)]
dose_tests = shift_checks.rank_correlations(doses)
style.show(
    figures.released.without_sharing(shift_checks.across_tasks(changes), dose_tests),
    "nothing-shared",
    note=layers,
    frame=runs,
    alt="Two panels of rank correlations, a row per model and metric. With a shared baseline diversity and dropout correlate at "
    "about 0.5 to 0.8; across data sets and between halves of the levels nearly all values lie near zero.",
)

# %% [markdown]
# Compare the dots in {numref}`fig-nothing-shared` with the other marks of their row. Where a baseline is shared (dots), diversity and dropout
# look alike in both CLIP models. Where nothing is shared (diamonds and crosses), nearly all correlations lie near zero. ResNet-18 and BERT
# were trained on one data set only, so that they have no dot.
#
# ## What was measured
#
# For every layer the release has four metrics before and after training: the exponent {term}`alpha` of a fitted power law, the
# {term}`entropy` of the eigenvalues, and the logarithms of the squared Frobenius norm and of the largest eigenvalue, called {term}`log norm`
# and {term}`log spectral norm`. A {term}`shift` is the metric after training minus before, minus the same difference of one baseline run.
# Shifts are averaged over the levels of a category (ten augmentation sets, four dropout rates, six weight decays) and then over data
# sets. Categories are compared by analyses of variance, t-tests and Pearson correlations, with layers as replicates.
#
# We computed the same statistics from the same tables. Two correlations differ in the last digit, which seems to have been rounded twice.
# Of the values that we compared, {glue:text}`per_data` are those that the release prints for each data set by itself. Nothing is trained in
# this chapter.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show how many values agree", "code_prompt_hide": "Hide the table"}
style.table(tables.released.agreement(compared), frame_of=runs)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every value", "code_prompt_hide": "Hide every value"}
style.table(tables.released.every_value(compared), frame_of=runs)

# %% [markdown]
# ## Weight decay shrinks norms
#
# In {numref}`fig-released-levels` follow the levels of weight decay from weak to strong: its shift falls in order of its strength in every network,
# while the other two categories stay near zero. Averaged over levels, its shift of the log norm is {glue:text}`wd_over_div_clip_rn50:.0f` times the larger of the two others for CLIP
# RN50, {glue:text}`wd_over_div_clip_vit_b32:.0f` times for CLIP ViT-B/32, {glue:text}`wd_over_div_resnet18:.0f` times for ResNet-18 and
# {glue:text}`wd_over_div_bert:.0f` times for BERT. Of {glue:text}`t_tests` t-tests
# between categories, {glue:text}`t_significant` are significant after {term}`Holm's correction`: those of weight decay against the others in the
# norms, and that of diversity against dropout in the log norm of BERT. In alpha and entropy no difference was found.

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
# ```{dropdown} Three things that limit what can be read off this figure
# In the two CLIP models dropout could act only through the head, because the dropout of their blocks is configured but never called in the
# released code. In CLIP ViT-B/32 diversity does have an effect of its own: the log norm *rises* with the stronger sets, away from weight
# decay, while dropout stays at zero. In BERT a part of the shift of weight decay is that of embedding rows which the task never uses; under
# Adam such rows shrink by about the learning rate in every step, however weak the penalty.
# ```

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the mean shifts in all four metrics", "code_prompt_hide": "Hide the figure", "figure": {"name": "fig-released-means", "caption": "Mean shift per category over all layers but the last, with its value. Every panel has an axis of its own."}}
style.show(
    figures.released.category_bars(means),
    "released-means",
    note=layers + " Lines: 95 % t intervals over layers, which are not independent.",
    frame=runs,
    alt="A grid of bars, four metrics by four models, each with the mean shift of diversity, dropout and weight decay. In "
    "both norms the bar of weight decay is long and the other two are hardly visible.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the analyses of variance", "code_prompt_hide": "Hide the table"}
style.table(
    tables.released.variance(spectral_shifts.anova(profile), spectral_shifts.anova(inner)),
    frame_of=runs,
    note="Layers as replicates, as in the release; Holm's correction over each column.",
)

# %% [markdown]
# ## One baseline for everything
#
# Why does a shared baseline make two categories look alike? Suppose that no setting has any effect, and that the change of a layer is
# noise of variance $s^2$ in every run. The mean shift of a category with $n$ levels then has the variance $s^2 (1 + 1/n)$, and two
# categories have the covariance $s^2$, which is the variance of the one baseline run that is in both. Their correlation is
#
# $$r = \frac{1}{\sqrt{(1 + 1/n_a)(1 + 1/n_b)}},$$
#
# which is {glue:text}`noise_pearson:.2f` for ten augmentation sets and four dropout rates. It is the same for any metric and any number
# of data sets. {numref}`fig-shared-baseline` compares the released correlations with those of pure noise, with the different scales of the
# layers taken into account: a mark inside its grey band may be noise. Of the {glue:text}`pearson_all` correlations of diversity with dropout,
# {glue:text}`pearson_above` lies above what noise gives 95 times out of a hundred, and without the last layer {glue:text}`pearson_above_inner`
# do.

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
# ```{dropdown} The odd baseline of ResNet-18
# This baseline is not even a run like the others. Over layers and metrics, it has the lowest or the highest value among all runs of diversity and
# dropout in {glue:text}`extreme_resnet18:.0%` of the cases, where {glue:text}`extreme_expected:.0%` are expected
# ({glue:text}`extreme_clip_rn50:.0%` for CLIP RN50, {glue:text}`extreme_bert:.0%` for BERT). All other runs change the early layers in the
# same way, so that they have nearly the same shift against this baseline. The correlation then measures the oddity of one run. We do not know why
# it differs.
# ```

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show this baseline among the other runs", "code_prompt_hide": "Hide the figure", "figure": {"name": "fig-odd-baseline", "caption": "ResNet-18 from scratch: what training changed in every layer, run by run. Symmetric logarithmic axis, linear below 0.0001."}}
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
# Two comparisons share no run, and {numref}`fig-nothing-shared` shows both. The first compares diversity in one data set with dropout in
# *another*, whose baseline is another run. The second takes, within each category, the change at the stronger half of the levels minus
# that at the weaker half, so that the baseline drops out. A similarity that differs between data sets would be lost in the first
# comparison but not in the second. Most of the similarity is lost in the second as well. CLIP ViT-B/32 is the exception: in the log norm,
# diversity and dropout agree in both comparisons, and in alpha they agree between the halves.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests", "code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.released.rank_tests(dose_tests),
    frame_of=runs,
    note="Strong minus weak levels, all layers but the last; Holm's correction over the table.",
)

# %% [markdown]
# ```{dropdown} Two further arguments: quadrants, and single layers
# **Quadrants.** The paper also argues that techniques whose mean changes have the same signs act alike. Diversity and dropout have the
# same signs in both norms in {glue:text}`quadrant_same` of {glue:text}`quadrant_all` cases (each case is one network on one data set). Two
# techniques without any effect would agree in a quarter of all cases, or in half of them if the two metrics go together, and the shared
# baseline raises this to between {glue:text}`quadrant_low:.0f` and {glue:text}`quadrant_high:.0f` %. The release does not go beyond that.
#
# **Single layers.** In {glue:text}`fresh_clip_rn50` layer of either CLIP model training starts from new random weights. It is the classifier,
# which also learns most. In CLIP ViT-B/32 this layer alone makes the correlations of the norms high. Without it, the correlation falls from
# {glue:text}`vit_log_norm_whole:.3f` to {glue:text}`vit_log_norm_inner:.2f` in the log norm, and from
# {glue:text}`vit_log_spectral_norm_whole:.2f` to {glue:text}`vit_log_spectral_norm_inner:.2f` in the log spectral norm. BERT's correlations of
# entropy and alpha depend on a single layer too, and that of alpha in CLIP ViT-B/32 depends on a single data set or a single dropout rate.
# ```

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the quadrants", "code_prompt_hide": "Hide the figure", "figure": {"name": "fig-quadrants", "caption": "Mean shift of the log spectral norm against that of the log norm, over all layers but the last; a point per data set. Symmetric logarithmic axes, linear below 0.0001."}}
style.show(
    figures.released.quadrants(quadrant_means, "log_norm", "log_spectral_norm", 1e-4),
    "quadrants",
    note="One unseeded run per setting, one shared baseline per data set; points: means over the levels of a category.",
    frame=runs,
    alt="Four panels, one per network. Weight decay lies far out in the lower left quadrant. In the pretrained networks diversity "
    "and dropout lie close to the origin, on both sides of the axes; in ResNet-18 both lie far out in the upper left quadrant.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show what single layers, data sets and levels decide", "code_prompt_hide": "Hide the figure", "figure": {"name": "fig-leave-one-out", "caption": "Pearson correlation of diversity and dropout over all layers (dot), and its range when one unit at a time is left out. The unit that matters most is named where it moves the value by more than 0.25; layers are counted from the first."}}
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

# %% [markdown]
# ## Alike, or both near zero?
#
# A difference that is not significant does not show similarity. An {term}`equivalence test` can: two one-sided t-tests {cite:p}`schuirmann1987`
# ask whether the mean difference over layers lies within a margin. Our margin, fixed before the tests, is a fifth of what training
# itself changes in the baseline. In {numref}`fig-equivalence` look for intervals that lie wholly inside the grey band.

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

# %% [markdown]
# Diversity and dropout are equivalent in few cases. In one of them, the log norm of CLIP RN50, both are also equivalent to the *baseline*:
# they are alike because neither changed much. In the other cases the comparison with the baseline stays open. In the log norm of CLIP
# ViT-B/32 and of BERT the interval lies beyond the margin, so that diversity and dropout differ.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show how many metrics are equivalent", "code_prompt_hide": "Hide the table"}
style.table(tables.released.equivalence(equivalence), frame_of=runs, note="Metrics that are equivalent, of four.")

# %% [markdown]
# ## Closer to dropout than to no regularizer?
#
# The paper says that diversity is closer to dropout than to weight decay. If distance is the mean absolute difference of two shifts
# over layers, this is true in most metrics of {glue:text}`a2a_closer` of {glue:text}`a2a_models` models (A2a). It says little, because
# weight decay moves the norms so far that everything else is closer to dropout, the baseline included. The question that matters
# is whether diversity is closer to dropout than to the *baseline*. The baseline's noise drops out of the difference of two categories
# but not out of the distance to zero. So noise alone makes the ratio of the two distances
# $\sqrt{(1/n_a + 1/n_b)/(1 + 1/n_a)}$, which is {glue:text}`noise_ratio:.2f` here.

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
# On the left of {numref}`fig-distances` the ratio is nowhere clearly below the pink tick that noise alone gives. It is clearly above it in
# several cases, among them the log norm of BERT and of CLIP ViT-B/32.
#
# ## Accuracy and diversity scores
#
# The release has accuracies of CLIP RN50 on three data sets, and the {term}`Vendi score` of each training set, an effective number of
# different images. {numref}`fig-released-accuracy` shows both in the order in which the release lists the augmentation sets.

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

# %% [markdown]
# On Stanford Cars and CIFAR-10 accuracy collapses along the list. The score of embeddings falls with it, as it would if each set had been made by
# augmenting the one before. On DomainNet accuracy stays level, and no score ranks the sets. By the score of embeddings no augmentation made the
# data more diverse: the baseline has the highest score.
#
# For BERT, accuracies were released for a baseline and {glue:text}`texts` other training sets. None of these can be told from the baseline: the
# smallest $p$, before any correction, is {glue:text}`texts_smallest_p:.2f`.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the rank correlations", "code_prompt_hide": "Hide the table"}
style.table(
    tables.released.scores(released_scores.vendi_correlations(scores)),
    frame_of=runs,
    note="Spearman correlation over the baseline and the ten augmentation sets; Holm's correction over the table.",
)

# %% [markdown]
# ## What would change our mind
#
# We would call diversity and dropout alike in weight space if their shifts correlated across runs that share no baseline, in several
# seeds, and lay closer to each other than to the baseline by more than noise makes them. The release cannot show it, because it has one
# run per setting. {doc}`12_like_dropout` asks the question again with several seeds.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the claims in numbers", "code_prompt_hide": "Hide the table"}
style.table(
    tables.common.findings(tables.claims.on_page("10_released_measurements")),
    across="claim",
    frame_of=runs,
    note="Effect: mean over metrics (A3a: data sets) with the smallest and largest. n: layers (A3a: training sets). Verdicts "
    "always rest on the records at the scale of the paper.",
)

# %% [markdown]
# ```{glue} judged_10_released_measurements
# :doc: 21_claims.py
# ```
