# %% [markdown]
# # Diversity, accuracy, calibration, shift
#
# Paper A {cite:p}`ba2024` ends with a score: a metric of diversity that is to explain what augmented data are good for.
# {doc}`10_released_measurements` could hold it against single runs only. Here the same networks are trained several
# times: what does each regularizer do to accuracy, to calibration and under corruption, and does a diversity score predict it?
#
# **In short:** after three epochs no regularizer was seen to improve accuracy, and many lowered it; with {glue:text}`seeds`
# seeds gains of a few points could not have been seen. Scores of embeddings rank augmented training sets by accuracy, but what
# they rank are costs: the images without augmentation score highest.
#
# **Terms.** *Calibration* asks whether a network that is 80 % sure is right in 80 % of such cases; its error, the *ECE*, is the
# mean distance between confidence and accuracy over 15 bins of confidence. The *Vendi score* is the effective number of different
# images in a set. *Embeddings* are the features of an image in front of the last layer of a trained network. Noise 10, 30 and 50
# add normal noise of standard deviation 0.01, 0.03 and 0.05 to the pixels, whose range is 1. Auto1 is AutoAugment with noise 50;
# Auto2 adds flips, Auto3 a flip and an elastic deformation.
#
# **What the paper says.** Diverse data help as regularizers do; a metric, likely the Vendi score weighted by the
# resemblance to the original set, explains the benefit and compares augmented with synthetic data.
#
# **What its released code does.** Accuracy and ECE with 15 bins on clean test images, one run per setting; Vendi scores
# of pixels and embeddings of the training sets. No corrupted images; the out-of-distribution numbers were not released.
#
# **What we chose.** ResNet-18 from scratch on CIFAR-10, every level of every regularizer, the augmentation levels each by
# itself and, as a second design, on top of each other. Fifteen kinds of corruption of the test images in five severities
# {cite:p}`hendrycks2019`, written anew. All settings of a seed share initial weights and the order of the data, so that
# they can be compared seed by seed. The rules of A3 and A3b were written when the accuracies of one seed had been seen,
# and no diversity score.

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %%
from weightspace import claims, experiments
from weightspace.analysis import diversity_outcomes, frames
from weightspace.display import figures, quotes, style, tables

runs = experiments.ensure("diversity_cifar10", scale, seeds, device, recompute)
sets = experiments.ensure("diversity_sets", scale, seeds, device, recompute)
traces = experiments.ensure("diversity_hessian", scale, seeds, device, recompute)
outcomes = diversity_outcomes.outcomes(runs)
differences = diversity_outcomes.differences(outcomes)
both = diversity_outcomes.training_sets(outcomes, sets)

# %% tags=["remove-cell"]
scores = ("vendi", "weighted_vendi", "resemblance")
correlations = diversity_outcomes.rank_correlations(both)
everything = diversity_outcomes.rank_correlations(both, scores)
baseline = outcomes[outcomes["setting"] == "baseline"].groupby("arm").mean(numeric_only=True).loc["main"]
noise = diversity_outcomes.seed_noise(outcomes)
seeds_used = int(differences["n"].min())
n = f"n = {seeds_used} seeds per setting."

# %% tags=["remove-cell"]
quote = quotes.at(scale)
tested, significant = frames.count_tests(differences)
clean = frames.select(differences, outcome="clean_accuracy")
robust = frames.select(differences, outcome="effective_robustness", category="augmentation", arm="main")
quotes.glue(
    seeds=seeds_used,
    comparisons=tested,
    significant=significant,
    half_width=((clean["high"] - clean["low"]) / 2).median(),
    best=clean["mean"].max(),
    not_excluded=clean["high"].max(),
    baseline_clean_accuracy=outcomes.query("setting == 'baseline' and arm == 'main'")["clean_accuracy"].mean(),
    baseline_ece=baseline["ece"],
    noise_clean_accuracy=noise["clean_accuracy"],
    noise_ece=noise["ece"],
    noise_effective_robustness=noise["effective_robustness"],
    clean_accuracy_dropout_05=quote(clean, "mean", setting="dropout_0.5"),
    low_clean_accuracy_dropout_05=quote(clean, "low", setting="dropout_0.5"),
    high_clean_accuracy_dropout_05=quote(clean, "high", setting="dropout_0.5"),
    clean_accuracy_cumulative_rand_augment=quote(clean, "mean", arm="cumulative", setting="rand_augment"),
    clean_accuracy_cumulative_auto3=quote(clean, "mean", arm="cumulative", setting="auto3"),
    effective_robustness_auto1=quote(robust, "mean", setting="auto1"),
    robust=(robust["mean"] > 0).sum(),
    levels=len(robust),
)

rho = frames.select(everything, outcome="clean_accuracy")
scores_of_levels = frames.select(both, design="single").groupby("level").mean(numeric_only=True)
higher = (scores_of_levels > scores_of_levels.loc[""]).sum()
quotes.glue(
    higher_vendi_pixels=higher["vendi_pixels"],
    higher_vendi_embeddings=higher["vendi_embeddings"],
    rho_vendi_pixels_clean_accuracy_single=quote(rho, "rho", score="vendi", of="pixels", design="single"),
    rho_vendi_embeddings_clean_accuracy_single=quote(rho, "rho", score="vendi", of="embeddings", design="single"),
    rho_vendi_embeddings_clean_accuracy_cumulative=quote(
        rho, "rho", score="vendi", of="embeddings", design="cumulative"
    ),
    rho_weighted_vendi_embeddings_clean_accuracy_single=quote(
        rho, "rho", score="weighted_vendi", of="embeddings", design="single"
    ),
    rho_weighted_vendi_embeddings_clean_accuracy_cumulative=quote(
        rho, "rho", score="weighted_vendi", of="embeddings", design="cumulative"
    ),
    rho_resemblance_pixels_clean_accuracy_single=quote(rho, "rho", score="resemblance", of="pixels", design="single"),
    rho_resemblance_pixels_clean_accuracy_cumulative=quote(
        rho, "rho", score="resemblance", of="pixels", design="cumulative"
    ),
    rho_resemblance_embeddings_clean_accuracy_single=quote(
        rho, "rho", score="resemblance", of="embeddings", design="single"
    ),
    rho_resemblance_embeddings_clean_accuracy_cumulative=quote(
        rho, "rho", score="resemblance", of="embeddings", design="cumulative"
    ),
)

less, mean_traces = diversity_outcomes.trace_differences(traces), diversity_outcomes.trace_summary(traces)
baseline_traces = frames.select(mean_traces, setting="baseline")
trained = traces[traces["epoch"] > 0]
quotes.glue(
    trace_start=quote(baseline_traces, "mean", epoch=0),
    trace_baseline=quote(baseline_traces, "mean", epoch=traces["epoch"].max()),
    trace_error=100 * (trained["standard_error"] / trained["value"].abs()).median(),
    less_dropout_03=quote(less, "mean", setting="dropout_0.3"),
    low_less_dropout_03=quote(less, "low", setting="dropout_0.3"),
    high_less_dropout_03=quote(less, "high", setting="dropout_0.3"),
    less_weight_decay_0001=quote(less, "mean", setting="weight_decay_0.001"),
    low_less_weight_decay_0001=quote(less, "low", setting="weight_decay_0.001"),
    high_less_weight_decay_0001=quote(less, "high", setting="weight_decay_0.001"),
    less_auto_augment=quote(less, "mean", setting="auto_augment"),
    low_less_auto_augment=quote(less, "low", setting="auto_augment"),
    high_less_auto_augment=quote(less, "high", setting="auto_augment"),
)

# %% [markdown]
# :::{admonition} A reduced scale
# :class: warning
# Everything here is of the scale *laptop*: 10,000 training images, a quarter of the paper's width, three epochs instead of
# ten, {glue:text}`seeds` seeds; corrupted images are 250 per kind and severity. Three epochs are too few for strong
# regularizers: a network under dropout 0.7 has hardly begun to learn. What a setting costs here is to a large part how much
# it slows training down. The median half width of the 95 % intervals below is {glue:text}`half_width:.0f` points of clean
# accuracy; smaller effects cannot be seen with {glue:text}`seeds` seeds.
# :::
#
# ## What each regularizer does

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-outcomes", "caption": "Every setting minus the baseline of the same seed after the last epoch, with 95 % t intervals; those much wider than a panel are cut. Grey: what two groups of baselines differ by if nothing but the seeds does."}}
style.show(
    figures.outcomes.effects(differences, baseline, noise),
    "outcomes",
    note=n
    + " Accuracies and ECE in percent. Effective robustness: corruption accuracy beyond what the accuracy on the "
    "same images without corruption lets expect.",
    frame=runs,
    alt="Five panels, a row per setting, of differences to the baseline. In both accuracies strong dropout and the last "
    "cumulative levels lie far below zero, nothing lies clearly above; the other panels show little beyond the grey bands.",
)

# %% tags=["remove-input"]
style.table(
    tables.outcomes.groups(diversity_outcomes.differences(diversity_outcomes.grouped(outcomes))),
    frame_of=runs,
    note="Points of difference to the baseline of the same seed with 95 % t intervals over seeds; groups of settings that "
    "train alike, mean within each seed. Bold: p below 0.05 after Holm's correction over the table.",
)

# %% [markdown]
# **No regularizer was seen to help, and small gains are not excluded.** On clean images the baseline has
# {glue:text}`baseline_clean_accuracy:.1f` %. The largest mean gain of any setting is {glue:text}`best:.1f` points, and the 95 %
# intervals of single settings, not corrected for their number, reach up to {glue:text}`not_excluded:.0f` points. Weak weight decay,
# weak noise and AugMix have means near the baseline's. The means of AutoAugment, RandAugment, noise 50 and dropout 0.1 are a few
# points lower, no more than two groups of baselines may differ by chance ({glue:text}`noise_clean_accuracy:.1f` points). The
# losses of the others are larger: {glue:text}`clean_accuracy_dropout_05:.1f` points under dropout 0.5 (interval
# {glue:text}`low_clean_accuracy_dropout_05:.0f` to {glue:text}`high_clean_accuracy_dropout_05:.0f`), and at 0.7 the network is at
# chance. Dropout sits behind each of eight residual additions, so that its noise multiplies, and three epochs are too few to learn
# in spite of it. With augmentation levels on top of each other the difference is
# {glue:text}`clean_accuracy_cumulative_rand_augment:.1f` points at the second level and
# {glue:text}`clean_accuracy_cumulative_auto3:.1f` at the last.
#
# **Differences in calibration could not be made out.** The ECE of the baseline is {glue:text}`baseline_ece:.1f` %. Most settings
# have a slightly lower one, by less than the {glue:text}`noise_ece:.1f` points that two groups of baselines may differ by. A low
# ECE is no merit by itself: under dropout 0.5 the network is well calibrated because it is rarely sure and rarely right.
#
# Of {glue:text}`comparisons` paired tests, {glue:text}`significant` are significant after correction. With so few seeds not even
# the collapse under dropout 0.7 is; the intervals say more than the tests.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every setting", "code_prompt_hide": "Hide every setting"}
style.table(
    tables.outcomes.settings(outcomes),
    frame_of=runs,
    note="Mean ± half the 95 % interval over seeds. Training loss: as the network trained, with augmentation and dropout.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.outcomes.effects(differences),
    decimals=1,
    frame_of=runs,
    note="Paired t-tests over seeds; Holm's correction over the table.",
)

# %% [markdown]
# ## Under corruption

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-accuracy-line", "caption": "Accuracy on corrupted images against accuracy on the same images without corruption, a point per run. Line: least squares over the runs without augmentation."}}
style.show(
    figures.outcomes.accuracy_line(outcomes),
    "accuracy-line",
    note="Corruption accuracy: mean over 15 kinds and 5 severities. Baselines of all seeds, independent ones included.",
    frame=runs,
    alt="Points of all runs along one rising line; many runs with augmentation lie slightly above it.",
)

# %% [markdown]
# Accuracy under corruption follows accuracy without it, along one line, for all regularizers. The distance from that line is
# the *effective robustness* {cite:p}`taori2020`. Of {glue:text}`levels` augmentation levels {glue:text}`robust` have a higher mean
# than the baseline, Auto1 the highest with {glue:text}`effective_robustness_auto1:.1f` points. Two groups of baselines may differ by
# {glue:text}`noise_effective_robustness:.1f` points by chance, so this is a hint and no more.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-corruptions", "caption": "Accuracy minus that of the baseline of the same seed, in points, per kind of corruption, mean over five severities. Blue: better, orange: worse. Bold: the 95 % interval over seeds leaves out 0; of a hundred such cells without an effect, five are bold."}}
style.show(
    figures.outcomes.corruption_map(diversity_outcomes.corruption_differences(runs)),
    "corruptions",
    note=n,
    frame=runs,
    alt="A map of fifteen kinds of corruption by twenty settings, with the difference in points in each cell: mostly "
    "losses, deep ones for dropout 0.5 and 0.7; small gains of noise against noise and of AutoAugment against low contrast.",
)

# %% [markdown]
# What the regularizers cost on clean images they cost under nearly every corruption. The exceptions have a pattern that makes
# sense: with noise in training accuracy under noise is higher, and with the policies (AutoAugment, RandAugment, TrivialAugment and
# AugMix), which change contrast and colour, accuracy under low contrast and fog. In few of these cells does the interval leave out
# 0, and five of a hundred would without any effect.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-severities", "caption": "The same by severity, for groups of settings that train alike: mean over a group within each seed, 95 % t bands over seeds. Above each panel: accuracy of the baseline from severity 0 to 5."}}
style.show(
    figures.outcomes.severities(
        diversity_outcomes.corruption_differences(diversity_outcomes.grouped(runs), ["kind", "severity"])
    ),
    "severities",
    note=n,
    frame=runs,
    alt="Fifteen panels, one per kind of corruption, with four lines of differences to the baseline over severity.",
)

# %% [markdown]
# ## How diverse the training sets are

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-scores", "caption": "Scores of what each augmentation level makes of the same images: Vendi score, resemblance to the images as they are (a cosine), and their product, the weighted score. Lines: 95 % t intervals over seeds; vertical line: images as they are."}}
style.show(
    figures.outcomes.scores_of_sets(both),
    "scores",
    note="Embeddings: features before the last layer of a baseline network of a seed of its own.",
    frame=sets,
    alt="Six panels, a row per augmentation level. Augmentation raises the Vendi score of pixels and lowers that of "
    "embeddings; resemblance falls, most for cumulative levels.",
)

# %% [markdown]
# The Vendi score {cite:p}`friedman2023` is the effective number of different images in a set: 1 if all point the same way, the
# size of the set, here 1,000, if all are orthogonal. By pixels {glue:text}`higher_vendi_pixels` of ten levels have a higher score
# than the images as they are. By embeddings it is {glue:text}`higher_vendi_embeddings` of ten: **to the network, augmented images
# are less diverse**, and the more levels are on top of each other, the less diverse they are. A likely reason is that the network
# which embeds the images has seen no augmented ones in training. {doc}`10_released_measurements` found the same in CLIP.

# %% [markdown]
# ## Does a score explain the outcome?

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-scores-outcomes", "caption": "Outcome against score, a point per training set, means over seeds. Above: Vendi score of embeddings, below: weighted. The dotted line joins the cumulative levels in their order."}}
style.show(
    figures.outcomes.scores_against_outcomes(both, "embeddings"),
    "scores-outcomes",
    note=n,
    frame=runs,
    alt="Six scatter plots. Both accuracies rise with either score of embeddings, up to the images as they are; "
    "calibration falls slightly.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-correlations", "caption": "Spearman correlation over training sets of each score with each outcome, of means over seeds, with 95 % bootstrap intervals over sets and seeds. To the right: the higher the score, the better."}}
style.show(
    figures.outcomes.correlations(everything, diversity_outcomes.seed_correlations(both, scores)),
    "correlations",
    note=n + " The images as they are and ten augmentation levels per design.",
    frame=runs,
    alt="Three panels of rank correlations with intervals. With both accuracies they are positive for resemblance and for "
    "scores of embeddings, negative for scores of pixels; with calibration all intervals include zero.",
)

# %% [markdown]
# The scores of embeddings rank the training sets by accuracy, single levels at
# {glue:text}`rho_vendi_embeddings_clean_accuracy_single:.2f` (plain) and
# {glue:text}`rho_weighted_vendi_embeddings_clean_accuracy_single:.2f` (weighted), cumulative ones at
# {glue:text}`rho_vendi_embeddings_clean_accuracy_cumulative:.2f` and
# {glue:text}`rho_weighted_vendi_embeddings_clean_accuracy_cumulative:.2f`. That looks like what the paper claims, and is not. The
# set with the highest score is the one *without* augmentation: the score tells how much a set has lost, not what diversity has
# brought. The resemblance alone, half of the weighted score and no measure of diversity, ranks the sets as
# well: {glue:text}`rho_resemblance_embeddings_clean_accuracy_single:.2f` and
# {glue:text}`rho_resemblance_embeddings_clean_accuracy_cumulative:.2f`, with no embedding needed: of pixels
# {glue:text}`rho_resemblance_pixels_clean_accuracy_single:.2f` and {glue:text}`rho_resemblance_pixels_clean_accuracy_cumulative:.2f`.
#
# The scores of pixels do rise with augmentation, and rank the sets the wrong way round:
# {glue:text}`rho_vendi_pixels_clean_accuracy_single:.2f` for single levels. No correlation with calibration is significant after
# correction. And no benefit was seen that a score could explain: what is ranked are costs.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the correlations", "code_prompt_hide": "Hide the correlations"}
style.table(
    tables.outcomes.correlations(correlations),
    frame_of=runs,
    note="p: of no correlation over sets; Holm's correction over the table.",
)

# %% [markdown]
# ## Curvature
#
# A regularizer may lead to flatter minima: the trace of the Hessian of the training loss measures how sharply the loss bends,
# all directions together. Paper A draws it along fine-tuning, with a tool that switches the network to evaluation mode and
# so turns dropout off. Here the network is looked at as it trains.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-traces", "caption": "Trace of the Hessian of the training loss after each epoch, in the mode in which the network trains. Left: mean over seeds with 95 % t intervals. Right: every seed against its training loss, with two standard errors of the estimate."}}
style.show(
    figures.outcomes.traces(traces),
    "traces",
    note="Hutchinson's estimate over 32 batches of 32 images with two probes each.",
    frame=traces,
    alt="Two panels. Left, four lines of the trace over the epochs, all between about 120 and 200, dropout lowest, with wide "
    "intervals. Right, the trace against the training loss, without a clear relation.",
)

# %% [markdown]
# Before training the trace is negative, {glue:text}`trace_start:.0f` in the mean of the baselines; after one epoch it is positive
# and keeps its size. Estimates are good to {glue:text}`trace_error:.0f` %; seeds differ by more. After the last epoch the
# baseline has {glue:text}`trace_baseline:.0f`. Dropout 0.3 has {glue:text}`less_dropout_03:.0f` less
# ({glue:text}`low_less_dropout_03:.0f` to {glue:text}`high_less_dropout_03:.0f`, seed by seed), AutoAugment
# {glue:text}`less_auto_augment:.0f` ({glue:text}`low_less_auto_augment:.0f` to {glue:text}`high_less_auto_augment:.0f`), weight
# decay 1e-3 {glue:text}`less_weight_decay_0001:.0f` ({glue:text}`low_less_weight_decay_0001:.0f` to
# {glue:text}`high_less_weight_decay_0001:.0f`). Only under dropout does the interval leave out 0 (it is not corrected for three
# comparisons), and dropout is no better on test images. Two cautions: after three epochs no network is at a minimum; and before
# batch norm a smaller weight bends the loss more without changing what the network computes, so that a trace compares settings
# only if norms are alike.

# %% [markdown]
# ## Verdict
#
# By the rule, the scores of embeddings mostly go with accuracy and not with calibration, and those of pixels go with neither
# (A3, mixed and undecided). Whether the weighted score explains more than the plain one is undecided (A3b). Eleven sets are few:
# most intervals of the difference are more than half a unit wide. The rule asks for a positive correlation and gets one from a score
# that falls with augmentation. Whether a score predicts a *benefit* can be tested only where augmentation brings one, and that
# needs longer training. Synthetic data are not tested here; {doc}`16_synthetic_data` tests them.

# %% tags=["remove-input"]
mine = [claim for claim in claims.CLAIMS if claim.besides == ("diversity_sets",)]
style.table(
    tables.common.findings(mine),
    across="claim",
    frame_of=runs,
    note="Effect: mean over designs and outcomes with the smallest and largest. n: training sets. Verdicts rest on the "
    "records at the scale that they name.",
)

# %% [markdown]
# ```{glue} judged_13_diversity_outcomes
# :doc: 20_claims.py
# ```
