# %% [markdown]
# # Is diversity like dropout?
#
# Paper A concludes that data diversity changes the weight space in the way that the explicit regularizers do, and more like
# dropout than like weight decay. {doc}`10_released_measurements` showed what can go wrong in such a comparison. This chapter
# makes it fair, with the records of {doc}`11_regularizers_in_weight_space`, where the four metrics are defined.
#
# **In short:** diversity moves the spectra little. In the log norm its small shift has the direction that dropout and weight decay
# share. Elsewhere it was not found to be like either, and in most comparisons the spectra under diversity are closer to those without
# any regularizer than to those under dropout. With {glue:text}`seeds_used` seeds, alpha is left undecided in every comparison.
#
# **Four conditions.** No two categories share a baseline. Shifts are measured in units of what seeds alone change.
# Regularizers are compared at equal strength. And similarity is shown by a similarity or an equivalence test, not by the
# absence of a significant difference.
#
# **The rules**, fixed when one seed had been run. The shift of a layer is divided by the standard deviation of that layer between
# baselines of different seeds; the last layer is left out. Products of shifts are taken between *different seeds* only, so
# that no product holds the same noise twice; from them come a cosine, the *similarity*, and squared *distances*, both free
# of bias (a cross-validated distance {cite:p}`walther2016`). Intervals and $p$ values: a bootstrap of the residuals of runs
# within their category; Holm's correction.
#
# - **A1**, diversity acts like the regularizers: for each of the paper's four metrics and each regularizer a win if the
#   similarity is positive with $p < 0.05$ and at least {glue:text}`like`, a loss if it is negative with $p < 0.05$.
# - **A2**, more like dropout: a win if the squared distance to weight decay exceeds that to dropout with $p < 0.05$, a loss if
#   it is the other way round; for the category means as they are, and at equal strength.
# - **A2c**, our question: the same with the baseline in the place of weight decay. What is close to everything that does
#   little is close to dropout as well.
#
# A claim is supported from 80 % wins on with at most 5 % losses. Comparisons that are neither won nor lost decide nothing either way.
# Below 50 % wins a claim is not supported if at least two thirds of the comparisons are decided and 80 % of these are lost; otherwise
# it is undecided ({doc}`20_claims`).

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %%
import numpy as np

from weightspace import claims, experiments
from weightspace.analysis import diversity_shifts, fair_tests, frames, shift_checks
from weightspace.display import figures, interactive, quotes, style, tables
from weightspace.experiments.diversity.released_measurements import METRICS
from weightspace.names import METRIC_LABELS

experiments.ensure("diversity_cifar10", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_spectra", scale, seeds, "cpu", recompute)
cases = fair_tests.cases(spectra)
similarities, distances = fair_tests.similarities(cases), fair_tests.distances(cases)
equivalence = fair_tests.equivalence(cases)
correlations = diversity_shifts.correlations(spectra)
sizes = fair_tests.sizes(spectra)

# %% tags=["remove-cell"]
quote = quotes.at(scale)
n = spectra.query("arm == 'main'")["seed"].nunique()
quotes.glue(
    seeds_used=n,
    epochs=spectra["epoch"].max(),
    like=fair_tests.MIN_SIMILARITY,
    levels_loss=quote(distances, "levels", match="equal training loss", metric="alpha", against="wd"),
    levels_accuracy=quote(distances, "levels", match="equal test accuracy", metric="alpha", against="wd"),
)
layers = tables.diversity.layers_used(spectra)

pearson = frames.means(correlations, ["metric", "baseline", "a", "b"], "pearson")
pearson = pearson[(pearson["a"] == "div") & pearson["b"].isin({"dp", diversity_shifts.PLACEBO})]
beyond = frames.select(fair_tests.beyond_seeds(sizes), category="div")
quotes.glue(div_levels=quote(beyond, "levels", metric="alpha"))
for metric in METRICS:
    quotes.glue(
        **{
            f"one_{metric}": quote(pearson, "pearson", metric=metric, baseline="one"),
            f"own_{metric}": quote(pearson, "pearson", metric=metric, baseline="own"),
            f"other_{metric}": quote(pearson, "pearson", metric=metric, baseline="other seed"),
            f"placebo_{metric}": quote(pearson, "pearson", metric=metric, baseline="none"),
            f"beyond_{metric}": quote(beyond, "beyond", metric=metric),
        }
    )

means_of_levels = frames.select(similarities, match="as they are")
quotes.glue(
    similarity_dp_log_norm=quote(means_of_levels, "similarity", metric="log_norm", a="div", b="dp"),
    similarity_wd_log_norm=quote(means_of_levels, "similarity", metric="log_norm", a="div", b="wd"),
    similarity_regularizers_entropy=quote(means_of_levels, "similarity", metric="entropy", a="dp", b="wd"),
)

# %% [markdown]
# ## What two categories share
#
# The same correlations over layers, with less and less in common. With one baseline per seed, as in the paper, its noise enters
# both categories. With a baseline of its own for each category, the settings of a seed still start from the same weights.
# With the two categories taken from different seeds, nothing is shared. A *placebo* shows what a shared baseline makes of
# nothing: three further baselines, treated like three levels of a regularizer.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-baselines", "caption": "Pearson correlations over layers between categories, by what they share. Dots: seeds (or pairs of seeds), bars: their mean, crosses: the value of the release."}}
style.show(
    figures.diversity.correlations(correlations, tables.diversity.theirs("pearson")),
    "fair-baselines",
    note=f"{n} seeds, {layers} layers.",
    frame=spectra,
    alt="Three panels of correlations, rows by metric and kind of baseline. With one shared baseline, correlations are higher "
    "than with separate ones, and diversity correlates with the placebo as well.",
)

# %% [markdown]
# | diversity and dropout | alpha | entropy | log norm | log spectral norm |
# | --- | --- | --- | --- | --- |
# | one baseline per seed | {glue:text}`one_alpha:.2f` | {glue:text}`one_entropy:.2f` | {glue:text}`one_log_norm:.2f` | {glue:text}`one_log_spectral_norm:.2f` |
# | a baseline each, same initial weights | {glue:text}`own_alpha:.2f` | {glue:text}`own_entropy:.2f` | {glue:text}`own_log_norm:.2f` | {glue:text}`own_log_spectral_norm:.2f` |
# | another seed each | {glue:text}`other_alpha:.2f` | {glue:text}`other_entropy:.2f` | {glue:text}`other_log_norm:.2f` | {glue:text}`other_log_spectral_norm:.2f` |
# | diversity and placebo, one baseline | {glue:text}`placebo_alpha:.2f` | {glue:text}`placebo_entropy:.2f` | {glue:text}`placebo_log_norm:.2f` | {glue:text}`placebo_log_spectral_norm:.2f` |
#
# In alpha the correlation comes from what is shared, and only in part from the baseline: most of it comes from the initial weights,
# whose alpha is subtracted from every setting of a seed. **A baseline for each category is not enough.** In the log spectral norm, the
# placebo, which does nothing, looks more like diversity than dropout does. In the entropy and the log norm a correlation
# remains when nothing is shared. It says that the profiles have a common shape over layers, the last one among them, and nothing
# about their size.
#
# ## How much correlation does nothing give?
#
# Let no setting have any effect. The shifts of two categories still correlate when both are taken against one baseline, because its
# noise is in both ({numref}`fig-nothing`). With {glue:text}`levels_div` settings in one category and {glue:text}`levels_dp` in the
# other, the formula of {doc}`10_released_measurements` gives {glue:text}`expected_nothing:.2f`. With a baseline for each category the
# correlations scatter around zero, and they scatter widely, because a network has few layers: 95 % of them lie between
# {glue:text}`own_low:.2f` and {glue:text}`own_high:.2f`.

# %% tags=["remove-cell"]
levels = (10, 4)
alike = np.ones(layers - 1)
nothing_shared = shift_checks.noise_correlations(alike, *levels)
nothing_own = shift_checks.noise_correlations(alike, *levels, shared=False)
expected_nothing = shift_checks.shared_baseline_correlation(*levels)
own_low, own_high = np.quantile(nothing_own, [0.025, 0.975])
quotes.glue(
    levels_div=levels[0], levels_dp=levels[1], expected_nothing=expected_nothing, own_low=own_low, own_high=own_high
)
noise = {f"as in the {METRIC_LABELS[metric]}": found.unit for metric, found in fair_tests.shifts_of(spectra).items()}

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-nothing", "caption": "Correlation over layers between the mean shifts of two categories of settings, none of which has any effect: pure noise, drawn many times, with one baseline for both categories or one for each."}}
style.show(
    figures.diversity.nothing(nothing_shared, nothing_own, expected_nothing),
    "nothing",
    note=f"{levels[0]} and {levels[1]} settings, {layers - 1} layers with the same noise; {len(nothing_own):,} draws.",
    alt="Two histograms of correlations. With one baseline for both they heap up near the formula, 0.85; with one for each they "
    "spread around zero, from about -0.4 to 0.4.",
    live=interactive.baseline({"the same in all layers": alike} | noise, levels),
)

# %% [markdown]
# ## How far each setting moves the spectra

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-sizes", "caption": "Size of the shift of every setting: root mean square over layers, in units of the standard deviation between baselines, without the contribution of noise. Line: as far as two baselines differ from their mean. Open markers: no shift seen above the noise."}}
style.show(
    figures.diversity.sizes(sizes),
    "fair-sizes",
    note=f"{n} seeds; {layers - 1} layers, the last left out.",
    frame=spectra,
    alt="Four panels with a marker per setting on logarithmic axes. In the norms weight decay and strong dropout move the spectra "
    "many times farther than seeds do; weak settings and noise hardly rise above the line.",
)

# %% [markdown]
# Of {glue:text}`div_levels` augmentation levels, {glue:text}`beyond_log_norm` move the log norm farther than seeds do,
# {glue:text}`beyond_entropy` the entropy, {glue:text}`beyond_log_spectral_norm` the log spectral norm and
# {glue:text}`beyond_alpha` alpha. Diversity is therefore not without effect on the spectra: it shows in the log norm. In alpha, fitted
# to the few hundred eigenvalues of a layer, no setting of any regularizer moves the spectra farther than seeds do.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-map", "caption": "The settings in the plane through the baseline that holds most of their shifts, all four metrics and all layers together, in units of the spread between baselines. Large markers: means over seeds; dots: single seeds. Grey: within the spread; the axes are linear there and logarithmic outside."}}
style.show(
    figures.diversity.map_of_settings(*fair_tests.settings_map(spectra)),
    "fair-map",
    note=f"{n} seeds; {layers - 1} layers, the last left out.",
    frame=spectra,
    alt="A scatter plot with the baseline at the origin. The chains of dropout and weight decay leave it in different "
    "directions; the augmentation levels lie inside the grey square or just outside it.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-trajectories", "caption": "Mean shift over layers and levels along training. Thin lines: seeds."}}
style.show(
    figures.diversity.trajectories(diversity_shifts.trajectories(spectra)),
    "fair-trajectories",
    note=f"{n} seeds; against the baseline of the same seed and epoch.",
    frame=spectra,
    alt="Four panels of lines over three epochs. In entropy and both norms weight decay departs from the first epoch on and keeps "
    "going, dropout follows in the norms, diversity stays at zero.",
)

# %% [markdown]
# ## Equal strength
#
# A dropout rate of 0.1 and one of 0.7 are not the same treatment, and neither are ten augmentation levels. Two measures of
# strength: how much a setting raises the loss on the training images as they are, and how much it lowers the test accuracy.
# Every augmentation level is held against dropout and weight decay of its own strength, interpolated between their
# levels. Levels outside the grey range find no partner, nor do those that cost nothing: {glue:text}`levels_loss` levels are
# compared at equal training loss and {glue:text}`levels_accuracy` at equal test accuracy. The strongest levels of dropout have no
# counterpart among the augmentations.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-strength", "caption": "Strength of every setting, mean over seeds against the baseline of the same seed. Grey: the range that dropout and weight decay both reach. Open: augmentation levels without a partner."}}
style.show(
    figures.diversity.strengths({match: fair_tests.strengths(spectra, match) for match in fair_tests.STRENGTHS}),
    "fair-strength",
    note=f"{n} seeds.",
    frame=spectra,
    alt="Two panels with a marker per setting. Most augmentation levels lie within the grey band.",
)

# %% [markdown]
# ## Similarity: A1

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-similarity", "caption": "Similarity of the shifts of two categories: 1, the same direction in the space of layers; 0, nothing in common; -1, opposite. Filled: different from 0 after correction. Dotted: the threshold of the rule."}}
style.show(
    figures.diversity.similarities(similarities, fair_tests.MIN_SIMILARITY),
    "fair-similarity",
    note=f"Lines: 95 % bootstrap intervals; {n} seeds, {layers - 1} layers. The right column is for orientation and not judged.",
    frame=spectra,
    alt="Nine panels of similarities with intervals. Diversity is similar to both regularizers in the log norm and undetermined "
    "in the other metrics; dropout and weight decay are opposite in the entropy and similar in the log norm.",
)

# %% [markdown]
# Only the log norm decides anything. There the shift of diversity points the way of dropout
# ({glue:text}`similarity_dp_log_norm:.2f`) *and* of weight decay ({glue:text}`similarity_wd_log_norm:.2f`): all three shrink the
# weights, and in much the same layers. In the other metrics the shift of diversity is too small for a direction to be made out.
# Where a dot is missing, the shift cannot be told from zero; estimates can lie beyond 1. The two explicit regularizers differ from each
# other more than that: in the entropy their shifts are opposite ({glue:text}`similarity_regularizers_entropy:.2f`).

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.diversity.similarities(similarities),
    frame_of=spectra,
    note="Levels: augmentation levels compared. Holm's correction over the eight judged rows of a comparison.",
)

# %% [markdown]
# ## Distance: A2

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-distance", "caption": "Left: distance of diversity to dropout, to weight decay and to the baseline. Right: squared distance to weight decay, and to the baseline, minus that to dropout; above 0, dropout is closer. Filled: different from 0 after correction."}}
style.show(
    figures.diversity.distances(distances),
    "fair-distance",
    note=f"Lines: 95 % bootstrap intervals; {n} seeds, {layers - 1} layers. The axes are linear up to 1.",
    frame=spectra,
    alt="Three rows of three panels. Weight decay is tens of units away in entropy and norms, dropout a few; the baseline is "
    "closest. Dropout is significantly closer than weight decay and farther than the baseline in all metrics but alpha.",
)

# %% [markdown]
# Diversity is far from weight decay in entropy and norms, at equal strength even more than with the category means: to cost as much
# training loss as an augmentation, weight decay has to shrink the weights by a large factor. Diversity is closer to dropout, and
# closer still to **the baseline**: training with augmented data leaves the spectra near those of training without, while dropout of
# the same training loss moves them farther. That is significant in entropy and both norms for the category means and at equal training
# loss, at equal test accuracy in the entropy alone.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.diversity.distances(distances),
    frame_of=spectra,
    note="Squared, per layer, in units of the variance between baselines; below 0: no distance seen. Holm's correction over the "
    "metrics of a comparison.",
)

# %% [markdown]
# ## Equivalence
#
# The margin is a fifth of what training itself changes in the baseline, as in {doc}`10_released_measurements`; the replicates
# are runs, not layers.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-fair-equivalence", "caption": "Mean difference over layers in units of the margin (grey), with 90 % intervals. Green and filled: equivalent after Holm's correction."}}
style.show(
    figures.diversity.equivalence(equivalence),
    "fair-equivalence",
    note=f"{n} seeds, {layers - 1} layers. Axes linear between -1 and 1.",
    frame=spectra,
    alt="Panels of intervals, a column per pair of categories, a row per comparison.",
)

# %% tags=["remove-input"]
style.table(tables.diversity.equivalence(equivalence), frame_of=spectra, note="Metrics that are equivalent.")

# %% [markdown]
# At equal strength, diversity and dropout are equivalent in entropy and both norms, by a margin of a fifth of what training does. So
# are diversity and the baseline, and dropout and the baseline. This is the similarity of two treatments which both do little,
# measured by what training does. Weight decay of the same strength was not shown to be equivalent to any of them. For alpha, nothing
# could be shown either way with so few seeds.

# %% [markdown]
# ## Verdict
#
# **Whether diversity changes the spectra as the regularizers do is undecided (A1).** It shares one thing with them, a fall of the
# log norm in much the same layers, much smaller than theirs. In the other three metrics nothing was decided. The two regularizers do
# not form one pattern that it could follow. **That it is closer to dropout than to weight decay (A2) is mixed**: it holds in three
# metrics of four and is undecided in alpha. It says little, because **closer to dropout than to no regularizer (A2c) is not
# supported**, and undecided at equal test accuracy: in no comparison was dropout shown to be closer, and in most of those in entropy and norms the baseline is. In this
# experiment augmentation raises the training loss as much as some levels of dropout do, and changes the spectra much less than the
# strong levels of dropout and weight decay.
#
# What limits this: a narrow network, {glue:text}`epochs` epochs, {glue:text}`seeds_used` seeds, and training in which no
# regularizer was seen to improve accuracy. Longer training gives weight decay and dropout, and perhaps diversity, more time to act;
# {doc}`../book/rules` says how the question is asked again where networks overfit. The same command with `--scale paper --device cuda` runs the
# experiment at full size.

# %% tags=["remove-input"]
style.table(
    tables.common.findings([claim for claim in claims.CLAIMS if claim.id in ("A1", "A2", "A2c")]),
    across="claim",
    frame_of=spectra,
    note="Effect: mean over metrics with the smallest and largest. A1: similarity; A2: distance to dropout / to weight decay; A2c: "
    "distance to the baseline / to dropout. n: seeds.",
)

# %% [markdown]
# ```{glue} judged_12_like_dropout
# :doc: 20_claims.py
# ```
