# %% [markdown]
# # Diversity, accuracy, calibration, shift
#
# :::{admonition} In short
# :class: answer
# **Question.** What are more diverse data good for, and does a diversity score know it in advance?
#
# **Answer.** Where networks overfit, diverse data improve accuracy by up to {glue:text}`flip_crop:.1f` points (flip and crop), more than the best dropout ({glue:text}`dropout_02:.1f`) and the best weight decay ({glue:text}`decay:.1f`), and they improve calibration and accuracy under corruption. Whether a diversity score knows this in advance depends on what it is taken of. The {term}`Vendi score` ranks the training sets by accuracy if it is taken of pixels (rank correlation {glue:text}`rank_pixels:.2f`), or of {term}`embeddings` within each class ({glue:text}`rank_per_class:.2f`). Of the embeddings of whole sets it ranks them the wrong way round ({glue:text}`rank_embeddings:.2f`). So does paper A's own metric on embeddings from ImageNet ({glue:text}`rank_imagenet_weighted:.2f`), which is the nearest we have to what the paper does. And the good scores only tell strong augmentation from weak: among the {glue:text}`strong_sets` sets that gain most, none of them reaches the threshold of our rule.
#
# **How sure.** There are n = {glue:text}`n_seeds` seeds with {glue:text}`baselines` baselines each, for one network and one set of {glue:text}`images:,d` images. The median half width of an interval of accuracy is {glue:text}`half_width:.1f` points. The rules for the scores were committed before any of the scores that they judge had been computed. The intervals are about other seeds on these {glue:text}`sets` training sets; other augmentations could be ranked otherwise. What is said about the sets that gain most was seen afterwards.
# :::

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
import pandas as pd

from weightspace import experiments
from weightspace.analysis import designs, diversity_outcomes, frames, score_ranks
from weightspace.analysis import regularizer_facts as facts
from weightspace.display import figures, quotes, style, tables
from weightspace.display.labels import setting_label

runs = experiments.ensure("diversity_from_scratch", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_from_scratch_spectra", scale, seeds, "cpu", recompute)
scores = experiments.ensure("diversity_scratch_sets", scale, seeds, device, recompute)
imagenet = experiments.ensure("diversity_imagenet_sets", scale, seeds, device, recompute)
scored = runs[runs["inputs"] != ""].assign(arm="main")
outcomes = diversity_outcomes.outcomes(scored)
differences = diversity_outcomes.differences(outcomes)
gains = facts.gains(spectra)
every_set = score_ranks.training_sets(runs, pd.concat([scores, imagenet]))
training_sets = score_ranks.that_learn(every_set, runs)
ranks = score_ranks.ranks(training_sets)
imagenet_ranks = score_ranks.ranks(training_sets, score_ranks.IMAGENET_SCORES)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records of underfit networks are loaded", "code_prompt_hide": "Hide the code"}
underfit = experiments.ensure("diversity_cifar10", scale, seeds, device, recompute)
sets = experiments.ensure("diversity_sets", scale, seeds, device, recompute)
traces = experiments.ensure("diversity_hessian", scale, seeds, device, recompute)
underfit_outcomes = diversity_outcomes.outcomes(underfit)
underfit_differences = diversity_outcomes.differences(underfit_outcomes)
underfit_baseline = underfit_outcomes.query("setting == 'baseline' and arm == 'main'").mean(numeric_only=True)
both = diversity_outcomes.training_sets(underfit_outcomes, sets)
correlations = diversity_outcomes.rank_correlations(both)
everything = diversity_outcomes.rank_correlations(both, ("vendi", "weighted_vendi", "resemblance"), draws=1)
judged = tables.common.judged(tables.claims.on_page("14_diversity_outcomes"))

# %% tags=["remove-cell"]
quote = quotes.at(scale)
baseline = outcomes[outcomes["setting"] == "baseline"].mean(numeric_only=True)
noise = facts.baseline_noise(scored)
n_seeds = int(differences["n"].min())
plan = next(iter(experiments.planned("diversity_from_scratch", scale, seeds).values()))
baselines = designs.design("diversity_from_scratch", scale)["diversity_from_scratch_baselines"]
n = f"n = {n_seeds} seeds, with {baselines} baselines each."
tested, significant = frames.count_tests(differences)
clean, ece, corrupted, robust = (
    frames.select(differences, outcome=name)
    for name in ("clean_accuracy", "ece", "corruption_accuracy", "effective_robustness")
)
learned, not_learned = gains[gains["learns"]], gains[~gains["learns"]]
helps = clean[(clean["p_holm"] < 0.05) & (clean["mean"] > 0)]
of_levels, of_decay = (frames.select(clean, category=name) for name in ("augmentation", "weight_decay"))
without = of_levels[~of_levels["setting"].isin(helps["setting"])]
helpful = {
    name: ", ".join(map(setting_label, frames.select(helps, category=name)["setting"])) for name in facts.CATEGORIES
}
quotes.glue(
    images=plan.train_size,
    half_width=((clean["high"] - clean["low"]) / 2).median(),
    levels=len(of_levels),
    levels_gain=len(of_levels) - len(without),
    levels_without=", ".join(map(setting_label, without["setting"])) or "none",
    dropout_helps=helpful["dropout"] or "none",
    not_learned=", ".join(map(setting_label, not_learned["setting"])) or "none",
    decays=len(of_decay),
    decay_helps=helpful["weight_decay"] or "none",
    baselines=baselines,
    flip_crop=quote(clean, "mean", setting="flip_crop"),
    auto2=quote(clean, "mean", setting="auto2"),
    dropout_01=quote(clean, "mean", setting="dropout_0.1"),
    dropout_02=quote(clean, "mean", setting="dropout_0.2"),
    decay=quote(clean, "mean", setting="weight_decay_0.005"),
    combined=quote(clean, "mean", setting="dropout_0.1+weight_decay_0.0005"),
    ece_auto2=-quote(ece, "mean", setting="auto2"),
    ece_dropout_03=-quote(ece, "mean", setting="dropout_0.3"),
    corrupted_best=corrupted["mean"].max(),
    robust_auto1=quote(robust, "mean", setting="auto1"),
    robust_flip_crop_less=-quote(robust, "mean", setting="flip_crop"),
    gain_delay=learned[["gain", "delay"]].corr("spearman").loc["gain", "delay"],
    delay_auto2=quote(gains, "delay", setting="auto2"),
    delay_flip_crop=quote(gains, "delay", setting="flip_crop"),
    n_seeds=n_seeds,
    tested=tested,
    significant=significant,
    baseline_accuracy=baseline["clean_accuracy"],
    baseline_ece=baseline["ece"],
)

# %% tags=["remove-cell"]
of_accuracy = frames.select(ranks, measured="test accuracy")
embeddings = frames.select(of_accuracy, of="embeddings")
verdicts = frames.select(judged, claim="A3o")["verdict"]
by_set = training_sets.groupby("setting").mean()
put_off = gains.set_index("setting")["delay"].reindex(by_set.index).fillna(0)
quotes.glue(
    sets=ranks["sets"].max(),
    scores=len(of_accuracy),
    scores_for=int((verdicts == "supported").sum()),
    scores_against=int((verdicts == "not supported").sum()),
    rank_pixels=quote(of_accuracy, "correlation", score="vendi", of="pixels"),
    rank_embeddings=quote(embeddings, "correlation", score="vendi"),
    rank_weighted=quote(embeddings, "correlation", score="weighted_vendi"),
    rank_per_class=quote(embeddings, "correlation", score="vendi_per_class"),
    rank_weighted_per_class=quote(embeddings, "correlation", score="weighted_vendi_per_class"),
    rank_delay=by_set["test accuracy"].corr(put_off, method="spearman"),
)

# %% tags=["remove-cell"]
of_imagenet = frames.select(imagenet_ranks, measured="test accuracy")
imagenet_verdicts = frames.select(judged, claim="A3e")["verdict"]
quotes.glue(
    imagenet_scores=len(of_imagenet),
    imagenet_for=int((imagenet_verdicts == "supported").sum()) or "none",
    rank_imagenet=quote(of_imagenet, "correlation", score="vendi"),
    rank_imagenet_weighted=quote(of_imagenet, "correlation", score="weighted_vendi"),
    rank_imagenet_per_class=quote(of_imagenet, "correlation", score="vendi_per_class"),
)

# %% tags=["remove-cell"]
strong_gain = 3
strong = score_ranks.that_gain(training_sets, strong_gain)
among_strong = score_ranks.mean_correlations(strong, "test accuracy")
images_as_they_are = by_set.loc["baseline"]
quotes.glue(
    strong_gain=strong_gain,
    strong_sets=strong.index.unique("setting").size,
    strong_low=among_strong.min(),
    strong_high=among_strong.max(),
    effective_classes=images_as_they_are["vendi", "embeddings"],
    effective_within=images_as_they_are["vendi_per_class", "embeddings"],
    widest_within=by_set["vendi_per_class", "embeddings"].max(),
)

# %% tags=["remove-cell"]
underfit_plan = next(iter(experiments.planned("diversity_cifar10", scale, seeds).values()))
underfit_clean = frames.select(underfit_differences, outcome="clean_accuracy")
rho = frames.select(everything, outcome="clean_accuracy", design="single")
quotes.glue(
    underfit_images=underfit_plan.train_size,
    underfit_epochs=underfit_plan.epochs,
    underfit_seeds=int(underfit_differences["n"].min()),
    not_excluded=underfit_clean["high"].max(),
    clean_accuracy_dropout_05_less=-quote(underfit_clean, "mean", setting="dropout_0.5"),
    rho_vendi_pixels_clean_accuracy_single=quote(rho, "rho", score="vendi", of="pixels"),
    rho_vendi_embeddings_clean_accuracy_single=quote(rho, "rho", score="vendi", of="embeddings"),
    rho_weighted_vendi_embeddings_clean_accuracy_single=quote(rho, "rho", score="weighted_vendi", of="embeddings"),
    rho_resemblance_embeddings_clean_accuracy_single=quote(rho, "rho", score="resemblance", of="embeddings"),
    **tables.claims.words(judged, "A3", "A3b"),
)

# %% [markdown]
# ## What every setting brings
#
# Paper A {cite:p}`ba2024` asks what diverse data are good for and proposes a score that explains it. {numref}`fig-outcomes` has a row for every setting and
# a panel for every outcome: accuracy on clean test images, calibration ({term}`ECE`, the distance between confidence and accuracy), both of them under
# corruption {cite:p}`hendrycks2019`, and {term}`effective robustness`. A mark outside the grey band is more than one more baseline would differ by.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-outcomes", "caption": "Every setting minus the baselines of the same seed after the last epoch, with 95 % t intervals. Grey: where a setting without any effect would lie 95 times out of a hundred."}}
style.show(
    figures.outcomes.effects(differences, baseline, noise, "one more baseline, 95 %"),
    "outcomes",
    note=f"{n} Accuracies and ECE in percent. Effective robustness: corruption accuracy beyond what the accuracy on the "
    "same images without corruption lets expect.",
    frame=runs,
    alt="Five panels, a row per setting. Accuracy rises under dropout up to 0.3 and under all augmentation but noise, and falls by about 30 points under "
    "dropout 0.5 and 0.7. The calibration error falls under everything that is strong. Effective robustness rises under the "
    "policies and falls under flip and crop.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.outcomes.effects(differences),
    decimals=1,
    frame_of=runs,
    note="Paired t-tests over seeds; Holm's correction over the table.",
)

# %% [markdown]
# **Accuracy.** Without a regularizer, {glue:text}`baseline_accuracy:.0f` % of the test images are answered right. Of {glue:text}`levels` augmentation
# levels, {glue:text}`levels_gain` improve accuracy significantly; these do not: {glue:text}`levels_without`. Dropout helps at several rates
# ({glue:text}`dropout_helps`), and where it is stronger the network hardly learns ({glue:text}`not_learned`). Of {glue:text}`decays` strengths of weight
# decay, this helps significantly: {glue:text}`decay_helps`. Dropout 0.1 together with weight decay 5e-4 does as well as dropout 0.1 alone
# ({glue:text}`combined:.1f` and {glue:text}`dropout_01:.1f` points).
#
# **Calibration.** The network without a regularizer is sure of itself and often wrong: its ECE is {glue:text}`baseline_ece:.0f` %. Every strong
# regularizer lowers it. Auto2 lowers it most, by {glue:text}`ece_auto2:.0f` points; among the rates of dropout that learn, 0.3 does, by
# {glue:text}`ece_dropout_03:.0f`. Neither of the two gains most accuracy. Of {glue:text}`tested` paired tests, {glue:text}`significant` are significant
# after correction.
#
# ## What gains accuracy puts off interpolation
#
# Whatever makes training images harder to fit puts off {term}`interpolation`, the moment at which the network is right on all of them.
# {numref}`fig-gains` compares this delay (horizontal) with the gain of accuracy (vertical).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-gains", "caption": "Gain of test accuracy against the time by which a setting puts off interpolation, for the settings that learn. Lines: 95 % t intervals over seeds."}}
style.show(
    figures.regularizers.gains_and_delays(
        gains, ("rand_augment", "flip_crop", "auto3", "noise50", "dropout_0.1", "dropout_0.3", "weight_decay_0.005")
    ),
    "gains",
    note=f"{n} The time is the training error, of the batches as they were trained on, summed over epochs.",
    frame=spectra,
    alt="A scatter plot. Weight decay and noise lie near the origin; dropout rises to 7 points at 12 epochs and falls to 5 at 17; augmentation "
    "lies higher, up to 12 points at 9 to 17 epochs, with Auto2 at 7 points and 18 epochs.",
)

# %% [markdown]
# Gain and delay go together (rank correlation {glue:text}`gain_delay:.2f` over the settings that learn), but one is not the other. Auto2 delays most, by
# {glue:text}`delay_auto2:.0f` epochs, and gains {glue:text}`auto2:.1f` points; flip and crop delays by {glue:text}`delay_flip_crop:.0f` epochs and gains
# {glue:text}`flip_crop:.1f`. Controls ask which of the two marks the weights ({doc}`13_why`).
#
# ## Under corruption
#
# Does a gain on clean images carry over to corrupted ones? In {numref}`fig-corruptions` read a column from top to bottom to see which kinds of corruption a
# setting helps with.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-corruptions", "caption": "Accuracy minus that of the baselines of the same seed, in points, per kind of corruption, mean over three severities. Blue: better, orange: worse. Bold: the 95 % interval over seeds leaves out 0."}}
style.show(
    figures.outcomes.corruption_map(diversity_outcomes.corruption_differences(scored)),
    "corruptions",
    note=n,
    frame=runs,
    alt="A map of fifteen kinds of corruption by settings. Most cells of the augmentation policies are blue, those of dropout 0.5 and 0.7 "
    "orange; flip and crop gains little against noise.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-accuracy-line", "caption": "Accuracy on corrupted images against accuracy on the same images without corruption, a point per run (baselines: the mean of a seed). Line: least squares over the runs without augmentation."}}
style.show(
    figures.outcomes.accuracy_line(outcomes),
    "accuracy-line",
    note=f"{n} Corruption accuracy: mean over 15 kinds and three severities.",
    frame=runs,
    alt="Points along one rising line. Most of those with augmentation lie slightly above it, flip and crop below.",
)

# %% [markdown]
# Accuracy under corruption rises by up to {glue:text}`corrupted_best:.0f` points. It rises together with accuracy on clean images, along one line
# ({numref}`fig-accuracy-line`). The distance from that line is the {term}`effective robustness` {cite:p}`taori2020`: what a setting brings beyond better
# accuracy. The automatic policies bring a little, and Auto1 brings most ({glue:text}`robust_auto1:.1f` points). Flip and crop, the best setting on clean
# images, lies {glue:text}`robust_flip_crop_less:.1f` points below what its accuracy would lead one to expect, perhaps because it shows the network no
# other colours or textures.

# %% [markdown]
# ## Does a diversity score know?
#
# The {term}`Vendi score` {cite:p}`friedman2023` is the effective number of different images in a set. Paper A's metric, the weighted score, multiplies it by
# a {term}`resemblance` to the original set, which it takes row by row. We score each of the {glue:text}`sets` training sets on which networks learn, in
# {glue:text}`n_seeds` seeds. Features are the pixels, or *embeddings*: what a network trained without a regularizer, which takes no part in the comparison,
# makes of an image before its last layer. A score is taken over all images, or within each class and then averaged. In {numref}`fig-scores-outcomes` each
# point is a training set: look whether the points rise from left to right.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-scores-outcomes", "caption": "What becomes of the networks against three scores of their training sets, a point per set, means over seeds."}}
shown = [("vendi", "pixels"), ("vendi", "embeddings"), ("vendi_per_class", "embeddings")]
style.show(
    figures.score_ranks.against(training_sets, shown, ("flip_crop", "rand_augment", "auto2", "noise50")),
    "scores-outcomes",
    note=f"n = {ranks['n'].max()} seeds.",
    frame=scores,
    alt="Nine scatter plots. In each the points fall into two groups: the images as they are, noise and AugMix, and apart from them all other "
    "augmentation. The second group has the better outcomes. It lies to the right in pixels and in embeddings per class, and to the "
    "left in embeddings.",
)

# %% [markdown]
# The points do rise for pixels and for embeddings within a class, and they fall for embeddings of the whole set. {numref}`fig-score-ranks` puts numbers to
# this, for all {glue:text}`scores` scores, and for {glue:text}`imagenet_scores` more of which below.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-score-ranks", "caption": "Rank correlation of each score with each outcome over the training sets, mean over seeds with 95 % t intervals. Pale bars: from the smallest to the largest mean when one set after the other is left out. Dotted: the threshold of the rule. Filled: decided."}}
style.show(
    figures.score_ranks.ranks(pd.concat([ranks, imagenet_ranks])),
    "score-ranks",
    note=f"n = {ranks['n'].max()} seeds, {ranks['sets'].max()} training sets. Records of the last four rows: diversity_imagenet_sets.",
    frame=scores,
    alt="Three panels with a row per score. Six scores lie to the right of the threshold 0.5 in every panel, at 0.6 to 0.9. The two scores of "
    "embeddings of the whole set lie near minus 0.8. Of ImageNet embeddings the weighted scores lie near minus 0.5, the plain ones between "
    "minus 0.5 and 0.3.",
)

# %% [markdown]
# **By the rule, {glue:text}`scores_for` of {glue:text}`scores` scores rank the sets and {glue:text}`scores_against` do not** (A3o). Pixels do, whether
# weighted or not. Embeddings do within a class ({glue:text}`rank_per_class:.2f`; weighted {glue:text}`rank_weighted_per_class:.2f`). Over the whole set
# they rank the sets the wrong way round ({glue:text}`rank_embeddings:.2f`; weighted {glue:text}`rank_weighted:.2f`). We thought that
# this is because a network that has fitted its images turns each class into a tight cluster. In its embeddings the images as they are consist of
# {glue:text}`effective_classes:.1f` different images in effect, about as many as there are classes, and each class of {glue:text}`effective_within:.1f`.
# Augmentation blurs the clusters: a class gets wider, up to {glue:text}`widest_within:.1f`, and the clusters grow together. So the same change of
# the images makes one score larger and the other smaller.
#
# **We were wrong about the reason, or saw only a part of it.** If it were that, embeddings of a network that was trained on other images should rank whole
# sets the right way round. We committed this expectation as a rule, and asked again with EfficientNet-Lite0 {cite:p}`tan2019`, trained on ImageNet (A3e), because
# paper A takes its embeddings from another such network, CLIP {cite:p}`radford2021`. Of its {glue:text}`imagenet_scores` scores {glue:text}`imagenet_for` rank
# the sets. The plain score has a correlation of {glue:text}`rank_imagenet:.2f` over the whole set and of
# {glue:text}`rank_imagenet_per_class:.2f` within a class. The weighted score, which is paper A's metric, has {glue:text}`rank_imagenet_weighted:.2f` over the whole
# set: where training sets are better, it says that they are worse. Our network is smaller than CLIP and sees smaller images, so that CLIP may do better.
#
# **What the scores tell apart is strong augmentation from weak.** The points of {numref}`fig-scores-outcomes` lie in two groups. Noise and AugMix hardly
# change a score and hardly gain accuracy; the other augmentations do both. Among the {glue:text}`strong_sets` sets that gain more than
# {glue:text}`strong_gain` points, the {glue:text}`scores` rank correlations with test accuracy lie between {glue:text}`strong_low:.2f` and
# {glue:text}`strong_high:.2f`. Nobody had planned to look there, and {glue:text}`strong_sets` sets are few. But who wants to choose among good augmentations
# gets no advice from these scores. Nor do they know more than the difficulty does: the time by which a set puts off interpolation ranks
# all {glue:text}`sets` sets as well ({glue:text}`rank_delay:.2f`). That time is only known after training, and a score before it.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the verdicts and every correlation", "code_prompt_hide": "Hide the verdicts and every correlation"}
style.stacked(
    style.table(
        tables.common.verdict_rows(judged[judged["claim"].isin({"A3o", "A3e"})]),
        across="claim",
        note="Effect: mean over outcomes with the smallest and largest. n: seeds.",
    ),
    style.table(
        tables.outcomes.score_ranks(pd.concat([ranks, imagenet_ranks])),
        frame_of=scores,
        note="Holm's correction over the judged rows, those of ImageNet embeddings by themselves. Between seeds: the mean rank correlation of the outcome between two seeds.",
    ),
)

# %% [markdown]
# ## What an underfit network says
#
# After {glue:text}`underfit_epochs` epochs on {glue:text}`underfit_images:,d` images no regularizer was seen to improve accuracy, and many lowered
# it ({numref}`fig-underfit-outcomes`). With {glue:text}`underfit_seeds` seeds, gains of up to {glue:text}`not_excluded:.0f` points are not
# excluded for single settings. Where a network has not yet fitted its images, whatever makes them harder to fit costs accuracy: dropout 0.5, for
# instance, lowers it by {glue:text}`clean_accuracy_dropout_05_less:.0f` points. Differences in calibration could not be told from chance.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-underfit-outcomes", "caption": "Underfit networks: every setting minus the baseline of the same seed, with 95 % t intervals; those much wider than a panel are cut. Grey: what two groups of baselines differ by if nothing but the seeds does."}}
style.show(
    figures.outcomes.effects(underfit_differences, underfit_baseline, diversity_outcomes.seed_noise(underfit_outcomes)),
    "underfit-outcomes",
    note=f"n = {underfit_differences['n'].min()} seeds per setting.",
    frame=underfit,
    alt="Five panels, a row per setting, of differences to the baseline. In both accuracies strong dropout and the last "
    "cumulative levels lie far below zero, nothing lies clearly above; the other panels show little beyond the grey bands.",
)

# %% [markdown]
# The scores of these training sets ({numref}`fig-underfit-scores`) look at first like what the paper claims. In embeddings they rank the augmented sets by
# accuracy: the rank correlation is {glue:text}`rho_vendi_embeddings_clean_accuracy_single:.2f` for the plain score and
# {glue:text}`rho_weighted_vendi_embeddings_clean_accuracy_single:.2f` for the weighted one. But the set with the highest score is the one *without*
# augmentation, so that the score tells how much a set has lost. The resemblance alone, which measures no diversity, ranks the sets as well
# ({glue:text}`rho_resemblance_embeddings_clean_accuracy_single:.2f`). Scores of pixels rise with augmentation, and they rank the sets the wrong way
# round ({glue:text}`rho_vendi_pixels_clean_accuracy_single:.2f`). By the rule of that campaign, the claim that a score explains the outcome (A3) is
# {glue:text}`verdict_A3`, and the claim that the weighted score explains more (A3b) is {glue:text}`verdict_A3b`. Where no training set brings a benefit,
# a score can rank costs and no more.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the scores of underfit networks", "code_prompt_hide": "Hide the scores", "figure": {"name": "fig-underfit-scores", "caption": "Underfit networks: outcome against score, a point per training set, means over seeds. Above: Vendi score of embeddings, below: weighted. The dotted line joins the cumulative levels in their order."}}
style.show(
    figures.outcomes.scores_against_outcomes(both, "embeddings"),
    "underfit-scores",
    note=f"n = {underfit_differences['n'].min()} seeds per setting.",
    frame=underfit,
    alt="Six scatter plots. Both accuracies rise with either score of embeddings, up to the images as they are; "
    "calibration falls slightly.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show verdicts and correlations of underfit networks", "code_prompt_hide": "Hide verdicts and correlations"}
style.stacked(
    style.table(
        tables.common.verdict_rows(judged[judged["claim"].isin({"A3", "A3b"})]),
        across="claim",
        note="Effect: mean over designs and outcomes with the smallest and largest. n: training sets.",
    ),
    style.table(
        tables.outcomes.correlations(correlations),
        frame_of=underfit,
        note="p: of no correlation over sets; Holm's correction over the table.",
    ),
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the curvature of underfit networks", "code_prompt_hide": "Hide the curvature", "figure": {"name": "fig-traces", "caption": "Trace of the Hessian of the training loss after each epoch, in the mode in which the network trains. Left: mean over seeds with 95 % t intervals. Right: every seed against its training loss, with two standard errors of the estimate."}}
style.show(
    figures.outcomes.traces(traces),
    "traces",
    note="Hutchinson's estimate over 32 batches of 32 images with two probes each. After three epochs no network is at a minimum.",
    frame=traces,
    alt="Two panels. Left, four lines of the trace over the epochs, all between about 120 and 200, dropout lowest, with wide "
    "intervals. Right, the trace against the training loss, without a clear relation.",
)

# %% [markdown]
# ## What would change our mind
#
# That augmentation helps is no surprise, and another network or more images would change only by how much. About the scores we would think differently
# if they ranked many augmentations of like strength: then a score could be used to choose among them. And if embeddings from CLIP ranked whole sets
# the right way round, the fault would lie with the networks whose embeddings we took, and not with paper A's metric.

# %% [markdown]
# ```{glue} judged_14_diversity_outcomes
# :doc: 21_claims.py
# ```
