# %% [markdown]
# # Is diversity like dropout?
#
# :::{admonition} In short
# :class: answer
# **Question.** Do more diverse data change the weights of a network in the way that dropout and weight decay do, and more in dropout's way?
#
# **Answer.** In dropout's way, yes. The claim that augmentation changes the weights of a network that overfits in the direction of dropout is {glue:text}`verdict_dropout`: the similarity is {glue:text}`dropout_raw:.2f` for {term}`raw <raw metrics>`, {glue:text}`dropout_folded:.2f` for {term}`folded <folded metrics>` and {glue:text}`dropout_free:.2f` for {term}`scale-free metrics`, and the rule asks for {glue:text}`like:.1f`. The claim that it changes them in the direction of weight decay is {glue:text}`verdict_decay`. The claim that it is closer to dropout than to no regularizer at all is {glue:text}`verdict_baseline`: at equal test accuracy it is closer, at equal training loss it is not.
#
# **How sure.** There are n = {glue:text}`n_seeds` seeds with {glue:text}`baselines` baselines each. A similarity of {glue:text}`least_found:.2f` to {glue:text}`most_needed:.2f`, depending on the metrics, would have been found with a power of 80 %. The intervals are about other initial weights and orders, for one network and one set of {glue:text}`images:,d` images. The rule was committed before anybody had read a spectrum of these networks, when some of their accuracies had been seen. The comparison at equal test accuracy rests on {glue:text}`levels_accuracy` weak levels of augmentation.
# :::

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
import numpy as np

from weightspace import experiments
from weightspace.analysis import designs, diversity_shifts, fair_tests, frames, regularizer_tests, shift_checks
from weightspace.analysis import regularizer_facts as facts
from weightspace.analysis.regularizer_effects import MATRIX, MEASURES, Measure
from weightspace.display import figures, interactive, quotes, style, tables
from weightspace.display.labels import setting_label
from weightspace.names import METRIC_LABELS

experiments.ensure("diversity_from_scratch", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_from_scratch_spectra", scale, seeds, "cpu", recompute)
experiments.ensure("diversity_cifar10", scale, seeds, device, recompute)
underfit = experiments.ensure("diversity_spectra", scale, seeds, "cpu", recompute)
every = [measure for members in MEASURES.values() for measure in members]
controls = regularizer_tests.controls(spectra, every)
passed = regularizer_tests.passed(controls)
cases = regularizer_tests.cases(spectra)
similarities = regularizer_tests.similarities(cases, passed)
to_decay, to_baseline = (regularizer_tests.closeness(cases, passed, than) for than in ("weight_decay", None))

# %% tags=["remove-cell"]
quote = quotes.at(scale)
judged = tables.common.judged(tables.claims.on_page("12_like_dropout"))
n_seeds = spectra["seed"].nunique()
plan = next(iter(experiments.planned("diversity_from_scratch", scale, seeds).values()))
baselines = designs.design("diversity_from_scratch", scale)["diversity_from_scratch_baselines"]
n = f"n = {n_seeds} seeds, with {baselines} baselines each."
quotes.glue(
    n_seeds=n_seeds,
    baselines=baselines,
    measures=len(every),
    like=regularizer_tests.LIKE,
    images=plan.train_size,
    levels_loss=quote(frames.select(similarities, match="equal training loss", to="dropout").head(1), "levels"),
    levels_accuracy=quote(frames.select(similarities, match="equal test accuracy", to="dropout").head(1), "levels"),
    verdict_dropout=tables.common.verdict_words(judged, "A1o", "like dropout, ", "metrics"),
    verdict_decay=tables.common.verdict_words(judged, "A1o", "like weight decay, ", "metrics"),
    verdict_closer=tables.common.verdict_words(judged, "A2o", unit="metrics"),
    verdict_baseline=tables.common.verdict_words(judged, "A2co", unit="metrics"),
)

# %% tags=["remove-cell"]
gains = facts.gains(spectra)
decay_gain = frames.select(gains, category="weight_decay")["gain"].max()
weak = frames.select(gains, category="augmentation").query("0 < gain <= @decay_gain")
log_norm = {"set": "folded", "match": "as they are", "measure": Measure("log_norm", "folded", MATRIX)}
found = frames.select(judged, claim="A1o")["detectable"]
closer, farther = (frames.select(to_decay, outcome=outcome) for outcome in ("for", "against"))
quotes.glue(
    least_found=found.min(),
    most_needed=found.max(),
    decay_gain=decay_gain,
    closeness_judged=int(to_decay["judged"].sum()),
    closer=len(closer),
    closer_by_three=int((3 * closer["distance_dropout"] < closer["distance_other"]).sum()),
    farther=" and ".join(map(figures.regularizers.measure_label, farther["measure"])) or "none",
    farther_match=" and ".join(farther["match"].unique()) or "in none",
    matched_levels=" and ".join(map(setting_label, weak["setting"])),
    augmentation_folded=quote(to_baseline, "distance_other", **log_norm),
    dropout_distance_folded=quote(to_baseline, "distance_dropout", **log_norm),
)

# %% tags=["remove-cell"]
quotes.glue(
    dropout_raw=quote(judged, "mean", claim="A1o", method="like dropout, raw"),
    dropout_folded=quote(judged, "mean", claim="A1o", method="like dropout, folded"),
    dropout_free=quote(judged, "mean", claim="A1o", method="like dropout, scale-free"),
    decay_raw=quote(judged, "mean", claim="A1o", method="like weight decay, raw"),
    decay_folded=quote(judged, "mean", claim="A1o", method="like weight decay, folded"),
    decay_free=quote(judged, "mean", claim="A1o", method="like weight decay, scale-free"),
)

# %% [markdown]
# ## The same direction?
#
# Paper A {cite:p}`ba2024` says that more diverse data act on the weights as the explicit regularizers do (A1), and more like dropout than like weight decay
# (A2). To test this, we take the {term}`effect` of a setting as a vector over the layers: by how much it changes a measure of each layer, in standard
# deviations between baselines. The {term}`similarity` of two effects is the cosine between these vectors. It is computed from products of different
# seeds only, so that no common noise is counted as similarity.
#
# {numref}`fig-similarity` has one row for each of {glue:text}`measures` measures, and three marks in each row:
#
# - The *circle* compares the means of the categories as they are.
# - The *square* compares each level of augmentation with dropout and weight decay at the strength that leaves the same training loss.
#   {glue:text}`levels_loss` levels have such partners.
# - The *diamond* compares it with those of the same test accuracy. {glue:text}`levels_accuracy` levels have such partners.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-similarity", "caption": "Similarity of the effects of augmentation with those of dropout (left) and of weight decay (right), for every measure that is judged, in three sets: 1, the same direction in the space of layers; 0, nothing in common. Dotted: the threshold of the rule. Filled: decided."}}
style.show(
    figures.regularizers.similarities(similarities),
    "similarity",
    note=f"{n} Lines: 95 % bootstrap intervals over seeds. Not decided, or not judged: open.",
    frame=spectra,
    alt="Two panels with a row per measure. On the left nearly all marks lie to the right of the threshold 0.5, except alpha and the raw log norm of the means "
    "as they are. On the right the raw norms lie near minus 0.9 and the folded norms near zero; entropy and alpha at equal strength lie near 0.9.",
)

# %% [markdown]
# **With dropout** (left) nearly every mark lies beyond the threshold. The decided exceptions are comparisons of means as they are: that of alpha, and
# that of the log norm of the raw kernels, which strong dropout lowers and weak dropout and augmentation raise ({doc}`11_regularizers_in_weight_space`).
#
# **With weight decay** (right) the answer depends on the measure. On average the similarity is {glue:text}`decay_raw:.2f` for raw,
# {glue:text}`decay_folded:.2f` for folded and {glue:text}`decay_free:.2f` for scale-free metrics. For norms the answer is no: under augmentation the
# norms of the raw kernels move in the opposite direction, and the folded norms share no direction. For alpha and entropy, which do not see the scale of
# a matrix, the answer is yes at equal strength. So weight decay differs from augmentation mainly in what it does to the scale of the weights, and less
# in how it distributes them over directions.
#
# ## Where the settings lie
#
# {numref}`fig-map` draws all settings in one plane. Start at the star, the network without a regularizer, and follow the lines of dropout and of weight
# decay outwards as they get stronger. Then see on which side the levels of augmentation lie.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-map", "caption": "The settings that learn, in the plane through the baseline that holds most of their effects on folded and scale-free measures. Names: levels of dropout and weight decay, and some of augmentation. Lines join the levels of dropout and of weight decay, weakest first."}}
named = ("rand_augment", "flip_crop", "aug_mix", "auto2", "auto_augment")
style.show(
    figures.regularizers.settings_map(
        *facts.settings_map(spectra, [*MEASURES["folded"], *MEASURES["scale-free"]]), named
    ),
    "map",
    note=f"{n} Per layer and measure, in standard deviations between baselines; linear up to 1 and logarithmic beyond.",
    frame=spectra,
    alt="A scatter plot. The levels of dropout go down from the baseline, and so does augmentation, not as far. The levels of weight decay go "
    "off to the right, up to fifty units away.",
)

# %% [markdown]
# The map shows why the two questions of this page have different answers. Augmentation leaves the baseline on the side of dropout, so that their directions
# are alike. But it does not go as far, so that most of its levels are nearer to the baseline than to dropout at the paper's rates. Weight decay goes
# elsewhere, and much farther.
#
# ## Closer to dropout than to what?
#
# The second question is about distance and not about direction. In {numref}`fig-closeness`, a mark to the left of the dotted line says that augmentation is
# closer to dropout than to weight decay (left panel) or than to no regularizer (right panel).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-closeness", "caption": "Distance of augmentation to dropout over its distance to weight decay (left) and to no regularizer (right). Left of the dotted line dropout is closer by a tenth or more. Filled: decided."}}
style.show(
    figures.regularizers.closeness({"and to weight decay": to_decay, "and to no regularizer": to_baseline}),
    "closeness",
    note=f"{n} No marker: one of the distances is estimated as none.",
    frame=spectra,
    alt="Two panels with a row per measure. On the left nearly all ratios lie far below 0.9, except two folded norms of the means as they are. On the right "
    "nearly all circles and squares lie above 1 and the diamonds near 0.7.",
)

# %% [markdown]
# **Closer than to weight decay?** By the rule this claim is {glue:text}`verdict_closer`. Augmentation is significantly closer to dropout in
# {glue:text}`closer` of {glue:text}`closeness_judged` comparisons, and in {glue:text}`closer_by_three` of these by a factor of three or more, because
# weight decay goes so far. It is significantly closer to weight decay in these measures: {glue:text}`farther` (means {glue:text}`farther_match`), because
# there strong dropout goes farther still. At equal test accuracy nothing is decided, since weight decay gains so little accuracy that its strength at a
# given gain cannot be told.
#
# **Closer than to no regularizer?** Here the three ways of comparing disagree. With means as they are, and at equal training loss, augmentation is closer
# to the baseline. In the folded log norm, for instance, the mean effect of augmentation lies {glue:text}`augmentation_folded:.1f` standard deviations from
# the baseline and {glue:text}`dropout_distance_folded:.1f` from dropout. At equal test accuracy augmentation is closer to dropout. There only weak levels
# can be compared ({glue:text}`matched_levels`), because no weight decay gains more than {glue:text}`decay_gain:.1f` points.
#
# ## The verdicts

# %% tags=["remove-input"]
style.table(
    tables.common.verdict_rows(judged[judged["claim"].isin({"A1o", "A2o", "A2co"})]),
    across="claim",
    frame_of=spectra,
    note="Effect: mean over judged comparisons with the smallest and largest. A1o: similarity; A2o: distance to dropout over that "
    "to weight decay; A2co: over that to no regularizer. Wins, ties, losses: decided for, undecided, decided against. "
    "Detectable: what would have been decided in favour with a power of 80 %, median over comparisons.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every comparison", "code_prompt_hide": "Hide every comparison"}
style.stacked(
    style.table(
        tables.regularizers.similarities(similarities), frame_of=spectra, note="Holm's correction over the judged rows."
    ),
    style.table(
        tables.regularizers.closeness(to_decay),
        frame_of=spectra,
        note="Per layer, in standard deviations between baselines.",
    ),
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show what settings that do not learn change", "code_prompt_hide": "Hide what settings that do not learn change"}
all_settings = regularizer_tests.cases(spectra, matches=("as they are",), settings_that_do_not_learn=True)
style.table(
    tables.regularizers.sensitivity(regularizer_tests.similarities(all_settings, passed), similarities, "similarity"),
    frame_of=spectra,
    note="Means of the categories as they are, over the settings that learn and over all.",
)

# %% [markdown]
# ## What an underfit network says
#
# The first campaign asked the same questions of networks that underfit ({doc}`11_regularizers_in_weight_space`), with
# {glue:text}`underfit_seeds` seeds, one baseline per seed and the paper's {glue:text}`underfit_metrics` metrics. In {numref}`fig-underfit-similarity`
# look for filled marks: only the {glue:text}`underfit_told` has any for diversity. All three categories shrank it, in much the same layers. For these
# networks the claim that diversity acts as the regularizers do (A1) is {glue:text}`verdict_A1`, the claim that it is closer to dropout than to weight
# decay (A2) is {glue:text}`verdict_A2`, and the claim that it is closer to dropout than to no regularizer (A2c) is {glue:text}`verdict_A2c`.

# %% tags=["remove-cell"]
levels = (10, 4)
layers = tables.diversity.layers_used(underfit)
alike = np.ones(layers - 1)
nothing_shared = shift_checks.noise_correlations(alike, *levels)
nothing_own = shift_checks.noise_correlations(alike, *levels, shared=False)
expected_nothing = shift_checks.shared_baseline_correlation(*levels)
noise = {f"as in the {METRIC_LABELS[metric]}": found.unit for metric, found in fair_tests.shifts_of(underfit).items()}
underfit_seeds = frames.select(underfit, arm="main")["seed"].nunique()
underfit_cases = fair_tests.cases(underfit)
underfit_found = fair_tests.similarities(underfit_cases)
told = underfit_found[(underfit_found["a"] == "div") & (underfit_found["p_holm"] < fair_tests.ALPHA)]["metric"]
own_low, own_high = np.quantile(nothing_own, [0.025, 0.975])
quotes.glue(
    underfit_seeds=underfit_seeds,
    underfit_metrics=underfit_found["metric"].nunique(),
    underfit_open=underfit_found["metric"].nunique() - told.nunique(),
    underfit_told=", ".join(METRIC_LABELS[metric] for metric in told.unique()) or "nothing",
    levels_div=levels[0],
    levels_dp=levels[1],
    expected_nothing=expected_nothing,
    own_low=own_low,
    own_high=own_high,
    **tables.claims.words(judged, "A1", "A2", "A2c"),
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-underfit-similarity", "caption": "Underfit networks: similarity of the shifts of two categories. Filled: different from 0 after correction. Dotted: the threshold of the rule."}}
style.show(
    figures.diversity.similarities(underfit_found, fair_tests.MIN_SIMILARITY),
    "underfit-similarity",
    note=f"Lines: 95 % bootstrap intervals; {underfit_seeds} seeds.",
    frame=underfit,
    alt="Nine panels of similarities with intervals. Diversity is similar to both regularizers in the log norm and undetermined "
    "in the other metrics; dropout and weight decay are opposite in the entropy and similar in the log norm.",
)

# %% [markdown]
# **Why do the two campaigns differ?** We see three reasons.
#
# 1. The underfit campaign could not see enough. With {glue:text}`underfit_seeds` seeds and one baseline for each, {glue:text}`underfit_open` metrics of
#    {glue:text}`underfit_metrics` left every direction open. Here all measures see every setting that acts.
# 2. What the underfit campaign did see was the norm of kernels in front of a batch norm, which all three categories lowered. In the networks that overfit
#    augmentation raises this norm and weight decay lowers it, so that the similarity with weight decay is gone.
# 3. In the underfit networks equal strength meant equal harm, and here it means equal gain.
#
# One answer is the same in both: in most comparisons augmentation leaves the spectra nearer to those without a regularizer than to those under dropout.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the verdicts on underfit networks", "code_prompt_hide": "Hide the verdicts"}
style.table(
    tables.common.verdict_rows(judged[judged["claim"].isin({"A1", "A2", "A2c"})]),
    across="claim",
    frame_of=underfit,
    note="Effect: mean over metrics with the smallest and largest. A1: similarity; A2: distance to dropout / to weight decay; A2c: "
    "distance to the baseline / to dropout. n: seeds.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests of underfit networks", "code_prompt_hide": "Hide the tests"}
style.stacked(
    style.table(
        tables.diversity.similarities(underfit_found),
        note="Levels: augmentation levels compared. Holm's correction over the eight judged rows of a comparison.",
    ),
    style.table(
        tables.diversity.distances(fair_tests.distances(underfit_cases)),
        note="Squared, per layer, in units of the variance between baselines; below 0: no distance seen.",
    ),
    style.table(
        tables.diversity.equivalence(fair_tests.equivalence(underfit_cases)),
        frame_of=underfit,
        note="Metrics that are equivalent, by a margin of a fifth of what training itself changes in the baseline.",
    ),
)

# %% [markdown]
# ## Why not simply correlate?
#
# Paper A correlates the shifts of two categories over layers, and takes both against one baseline run. Suppose that no setting has any effect. Then the
# noise of that one run is in both shifts. {numref}`fig-nothing` shows the correlations that arise from this noise alone. With {glue:text}`levels_div`
# settings in one category and {glue:text}`levels_dp` in the other, the formula of {doc}`10_released_measurements` gives a correlation of
# {glue:text}`expected_nothing:.2f`. With a separate baseline for each category the correlations scatter around zero. They scatter widely, because a
# network has few layers: 95 % of them lie between {glue:text}`own_low:.2f` and {glue:text}`own_high:.2f`.

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
# So the noise of a shared baseline must not enter twice. This is why every seed has {glue:text}`baselines` baselines here, and why products are taken
# between different seeds only, which share neither weights nor orders ({doc}`../book/rules`).

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show correlations of underfit networks", "code_prompt_hide": "Hide correlations of underfit networks", "figure": {"name": "fig-fair-baselines", "caption": "Pearson correlations over layers between categories, by what they share, in underfit networks. Dots: seeds (or pairs of seeds), bars: their mean, crosses: the value of the release."}}
style.show(
    figures.diversity.correlations(diversity_shifts.correlations(underfit), tables.diversity.theirs("pearson")),
    "fair-baselines",
    note=f"{underfit_seeds} seeds, {layers} layers.",
    frame=underfit,
    alt="Three panels of correlations, rows by metric and kind of baseline. With one shared baseline, correlations are higher "
    "than with separate ones, and diversity correlates with the placebo as well.",
)

# %% [markdown]
# ## What would change our mind
#
# - *That the direction is dropout's:* other networks, other images or fine-tuning in which the similarity with dropout falls below the threshold. The
#   rules for these campaigns are committed ({doc}`../book/rules`). The verdict would then hold for this network alone.
# - *About the comparison at equal test accuracy:* more levels of augmentation that are as weak as weight decay, or a weight decay that helps more. Either
#   would put it on firmer ground.
# - *About what it means:* a control that shows the shared direction to be that of training for longer. "Like dropout" would then be true and empty. Our
#   first controls do not decide it ({doc}`13_why`).

# %% [markdown]
# ```{glue} judged_12_like_dropout
# :doc: 21_claims.py
# ```
