# %% [markdown]
# # Synthetic data
#
# :::{admonition} In short
# :class: answer
# **Question.** Do images from a generative model bring a diversity that the real ones lack, and accuracy on images unlike them?
#
# **Answer.** They were not found to bring either. The more of the images are synthetic, the lower is the {term}`Vendi score` of the pixels (it falls from {glue:text}`vendi_pixels_baseline:.1f` to {glue:text}`vendi_pixels_synthetic_1:.1f`), and no change of accuracy under corruption was found. There is a hint that synthetic images improve calibration: with half of the images synthetic, the calibration error is lower by {glue:text}`ece_synthetic_05_less:.1f` points.
#
# **How sure.** The fall of the pixels' diversity is significant. All else rests on n = {glue:text}`seeds` seeds at a reduced scale, where differences of a few points cannot be seen, and on a small generator that has seen the training images and nothing else. The rules were committed before any of these runs. The question of how accuracy depends on the *amount* of synthetic data has rules of its own ({doc}`../book/rules`), and its runs have not been computed yet.
# :::
#
# In its first version, paper A {cite:p}`ba2024` claims that synthetic data can bring more diversity and better accuracy out of distribution (A4), that
# is, on images unlike the training images. Its metric is meant to compare augmented with synthetic data (A3). Neither synthetic images nor numbers
# out of distribution were released, so that there is no reported value to compare ours with.

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
from weightspace import experiments
from weightspace.analysis import diversity_outcomes, fair_tests, frames, synthetic_outcomes
from weightspace.display import figures, quotes, style, tables

generator = experiments.ensure("diversity_synthetic_generator", scale, seeds, device, recompute)
sets = experiments.ensure("diversity_synthetic_sets", scale, seeds, device, recompute)
runs = experiments.ensure("diversity_synthetic", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_synthetic_spectra", scale, seeds, "cpu", recompute)

# %% tags=["remove-cell"]
outcomes = diversity_outcomes.outcomes(runs)
differences = diversity_outcomes.differences(outcomes)
both = synthetic_outcomes.training_sets(outcomes, sets)
correlations = diversity_outcomes.rank_correlations(both)
similarities, distances = tables.synthetic.shift_tests(spectra)
seeds_used = int(differences["n"].min())
plan = next(iter(experiments.planned("diversity_synthetic", scale, seeds).values()))
judged = tables.common.judged(tables.claims.on_page("17_synthetic_data"))
n = f"n = {seeds_used} seeds per setting."

# %% tags=["remove-cell"]
quote = quotes.at(scale)
compared, significant = frames.count_tests(differences)
tested, correlated = frames.count_tests(correlations)
quotes.glue(
    seeds=seeds_used,
    images=plan.train_size,
    epochs=plan.epochs,
    **tables.claims.words(judged, "A4", "A4b", "A1s", "A2s", "A2cs"),
    comparisons=compared,
    significant=significant,
    tested=tested,
    correlated=correlated,
    like=fair_tests.MIN_SIMILARITY,
    noise_ece=diversity_outcomes.seed_noise(outcomes)["ece"],
    clean_accuracy_synthetic_05=quote(differences, "mean", outcome="clean_accuracy", setting="synthetic_0.5"),
    clean_accuracy_synthetic_1=quote(differences, "mean", outcome="clean_accuracy", setting="synthetic_1"),
    low_clean_accuracy_synthetic_1=quote(differences, "low", outcome="clean_accuracy", setting="synthetic_1"),
    high_clean_accuracy_synthetic_1=quote(differences, "high", outcome="clean_accuracy", setting="synthetic_1"),
    ece_synthetic_05_less=-quote(differences, "mean", outcome="ece", setting="synthetic_0.5"),
    ece_synthetic_05_less_low=-quote(differences, "high", outcome="ece", setting="synthetic_0.5"),
    ece_synthetic_05_less_high=-quote(differences, "low", outcome="ece", setting="synthetic_0.5"),
    ece_trivial_augment_wide_less=-quote(differences, "mean", outcome="ece", setting="trivial_augment_wide"),
    corruption_accuracy_aug_mix=quote(differences, "mean", outcome="corruption_accuracy", setting="aug_mix"),
    low_corruption_accuracy_aug_mix=quote(differences, "low", outcome="corruption_accuracy", setting="aug_mix"),
    high_corruption_accuracy_aug_mix=quote(differences, "high", outcome="corruption_accuracy", setting="aug_mix"),
)

losses = frames.means(frames.select(generator, metric="loss", epoch=generator["epoch"].max()), ["inputs"])
measured = frames.means(sets, ["metric", "of", "setting"])
of_embeddings = measured[measured["of"] == "embeddings"].pivot(index="setting", columns="metric", values="value")
resemblance = (of_embeddings["weighted_vendi"] / of_embeddings["vendi"]).reset_index(name="value")
quotes.glue(
    parameters=frames.mean_of(generator, metric="parameters"),
    loss_train=quote(losses, "value", inputs="train_clean"),
    loss_test=quote(losses, "value", inputs="test"),
    judge_synthetic_1=quote(measured, "value", metric="accuracy_percent", of="", setting="synthetic_1"),
    judge_trivial_augment_wide=quote(
        measured, "value", metric="accuracy_percent", of="", setting="trivial_augment_wide"
    ),
    judge_held_out=quote(measured, "value", metric="accuracy_percent", of="", setting="held_out"),
    copies_synthetic_1=quote(measured, "value", metric="copies_percent", of="", setting="synthetic_1"),
    nearest_synthetic_1=quote(measured, "value", metric="nearest", of="", setting="synthetic_1"),
    nearest_held_out=quote(measured, "value", metric="nearest", of="", setting="held_out"),
    frechet_embeddings_synthetic_1=quote(measured, "value", metric="frechet", of="embeddings", setting="synthetic_1"),
    frechet_embeddings_trivial_augment_wide=quote(
        measured, "value", metric="frechet", of="embeddings", setting="trivial_augment_wide"
    ),
    frechet_embeddings_held_out=quote(measured, "value", metric="frechet", of="embeddings", setting="held_out"),
    vendi_pixels_baseline=quote(measured, "value", metric="vendi", of="pixels", setting="baseline"),
    vendi_pixels_synthetic_1=quote(measured, "value", metric="vendi", of="pixels", setting="synthetic_1"),
    resemblance_synthetic_1=quote(resemblance, "value", setting="synthetic_1"),
    resemblance_held_out=quote(resemblance, "value", setting="held_out"),
)

shifts = fair_tests.shifts_of(spectra, ("log_norm",))["log_norm"]
shifts = shifts.settings.assign(value=shifts.values.mean(axis=(1, 2)))
log_norm = frames.select(similarities, metric="log_norm", a="div")
quotes.glue(
    shift_dropout=quote(shifts, "value", category="dp"),
    shift_weight_decay=quote(shifts, "value", category="wd"),
    shift_synthetic_025=quote(shifts, "value", level="synthetic_0.25"),
    shift_synthetic_1=quote(shifts, "value", level="synthetic_1"),
    shift_trivial_augment_wide=quote(shifts, "value", level="trivial_augment_wide"),
    similarity_synthetic_wd_log_norm=quote(log_norm, "similarity", match="synthetic images", b="wd"),
    similarity_augmented_dp_log_norm=quote(log_norm, "similarity", match="augmented images", b="dp"),
    similarity_augmented_wd_log_norm=quote(log_norm, "similarity", match="augmented images", b="wd"),
)

# %% [markdown]
# ## What synthetic images bring
#
# Networks are trained on real images of Fashion-MNIST {cite:p}`xiao2017`. A fraction of these images, drawn anew in every epoch, is replaced by
# synthetic images of the same class. All networks make equally many steps. In {numref}`fig-synthetic-shares` follow the line of each panel from left
# (real images alone) to right (synthetic images alone), and compare it with the augmented networks beside it and with the grey band.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-shares", "caption": "Accuracy on clean and on corrupted test images and calibration error by the fraction of synthetic images, and beside them under augmentation. Lines: 95 % t intervals over seeds; grey: that of all runs on real images alone."}}
style.show(
    figures.synthetic.by_fraction(outcomes),
    "synthetic-shares",
    note=n,
    frame=runs,
    alt="Three panels against the fraction of synthetic images. Clean accuracy rises a little up to one half and falls again, accuracy "
    "under corruption stays level, the calibration error falls to less than half of that of real images at one half and "
    "rises again. AugMix is highest under corruption; TrivialAugment has as low a calibration error as one half has.",
)

# %% [markdown]
# **Accuracy under corruption does not change visibly** at any fraction of synthetic images; the intervals allow for a few points either way.
# Under AugMix it is {glue:text}`corruption_accuracy_aug_mix:.0f` points higher than on real images alone, with an interval from
# {glue:text}`low_corruption_accuracy_aug_mix:.0f` to {glue:text}`high_corruption_accuracy_aug_mix:.0f`. Clean accuracy differs by
# {glue:text}`clean_accuracy_synthetic_05:.1f` points with half of the images synthetic, and by {glue:text}`clean_accuracy_synthetic_1:.1f`
# with synthetic images alone (interval {glue:text}`low_clean_accuracy_synthetic_1:.1f` to
# {glue:text}`high_clean_accuracy_synthetic_1:.1f`).
#
# **There is a hint that calibration improves.** With half of the images synthetic the {term}`ECE` is lower by
# {glue:text}`ece_synthetic_05_less:.1f` points (interval {glue:text}`ece_synthetic_05_less_low:.1f` to
# {glue:text}`ece_synthetic_05_less_high:.1f`, not corrected). This is about as much as under TrivialAugment
# ({glue:text}`ece_trivial_augment_wide_less:.1f`), and two groups of baselines may differ by {glue:text}`noise_ece:.1f` by chance. But of
# {glue:text}`comparisons` paired tests, {glue:text}`significant` are significant after correction, and calibration was not part of the claim.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.synthetic.tests(outcomes, sets),
    frame_of=runs,
    note="Against training images: Dunnett's test, with the baselines of all seeds as the control of accuracy. Against "
    "augmentation: Tukey's test over all fractions and augmentations. Intervals and p are for all rows of a test together. Both "
    "tests assume equal spread; the score of the real images' pixels has none, being the same for every seed.",
)

# %% [markdown]
# ## Are the images any good?
#
# In {numref}`fig-synthetic-samples` compare each synthetic image with the training image below it, which is the one nearest to it.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-samples", "caption": "Synthetic images of every class, not chosen, and under each the training image nearest to it in pixels."}}
style.show(
    figures.synthetic.samples(generator),
    "synthetic-samples",
    note="The first four of each class; one generator (seed 0).",
    frame=generator,
    alt="A grid of small grey pictures of clothes, ten classes side by side, made and nearest real ones in turns. The made "
    "ones have the shapes of their classes and a grain; none is the same as the one below it.",
)

# %% [markdown]
# The images are of the right kind, and they are new ({numref}`fig-synthetic-fidelity`). A {term}`reference classifier`, trained on other real images,
# recognises {glue:text}`judge_synthetic_1:.0f` % of them. It recognises {glue:text}`judge_held_out:.0f` % of other test images and
# {glue:text}`judge_trivial_augment_wide:.0f` % of images under TrivialAugment. Of the synthetic images {glue:text}`copies_synthetic_1:.1f` % are copies,
# and the nearest training image is about as far away as that of a test image ({glue:text}`nearest_synthetic_1:.1f` and
# {glue:text}`nearest_held_out:.1f`). They are not quite like real ones, though. The {term}`Fréchet distance` of their features to those of test
# images is {glue:text}`frechet_embeddings_synthetic_1:.1f`, about that of images under TrivialAugment
# ({glue:text}`frechet_embeddings_trivial_augment_wide:.1f`), where other real images have {glue:text}`frechet_embeddings_held_out:.1f`.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-fidelity", "caption": "How real the images of each set are. Left: classes that a reference classifier recognises; middle: Fréchet distance between its features of the set and of test images; right: distance to the nearest training image, median. Lines: 95 % t intervals over seeds, cut at 0.1 in the middle."}}
style.show(
    figures.synthetic.fidelity(sets),
    "synthetic-fidelity",
    note=n,
    frame=sets,
    alt="Three panels, a row per set. The classifier is right on more than four fifths of every set but TrivialAugment and random "
    "bytes. Fréchet distances rise with the fraction of synthetic images. Wholly synthetic sets are as far from training images as "
    "test images are.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the numbers", "code_prompt_hide": "Hide the numbers"}
style.table(
    tables.synthetic.sets(sets),
    frame_of=sets,
    note="Mean ± half the 95 % interval over seeds. Fréchet distances are of the reference classifier's features and have no meaning "
    "beside those of other networks. Nearest training image: Euclidean, of values from 0 to 1; of a training image itself it is 0.",
)

# %% [markdown]
# ## Does a diversity score know?
#
# {numref}`fig-synthetic-scores` shows three scores of each training set, of pixels above and of embeddings below. Look for sets that stand out, and
# whether they are the ones that helped.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-scores", "caption": "Diversity of each training set: Vendi score, resemblance to the real images, and their product. Lines: 95 % t intervals over seeds; vertical line: real images."}}
style.show(
    figures.outcomes.scores_of_sets(both),
    "synthetic-scores",
    note=n,
    frame=sets,
    alt="Six panels, a row per training set. In pixels TrivialAugment has twice the Vendi score of all others, AugMix the lowest. In "
    "embeddings all are the same. Resemblance falls steadily with the fraction of synthetic images.",
)

# %% [markdown]
# In pixels, AugMix, the set that serves best under corruption, has the lowest {term}`Vendi score`, and TrivialAugment, which stretches
# contrasts, has twice the score of all others. In embeddings the sets cannot be told apart. The weighted scores differ mostly by the
# {term}`resemblance`, which compares row by row, as with texts ({doc}`16_words`). A synthetic image takes the row of a real one of the same class, and
# the set has a resemblance of {glue:text}`resemblance_synthetic_1:.2f`. Test images, as real as any but in rows of other classes, have
# {glue:text}`resemblance_held_out:.2f`. Of {glue:text}`tested` rank correlations with outcomes, {glue:text}`correlated` are significant after
# correction; with so few sets only a nearly perfect order would be.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the correlations", "code_prompt_hide": "Hide the correlations", "figure": {"name": "fig-synthetic-correlations", "caption": "Rank correlation over training sets of each score with each outcome, means over seeds. Lines: 95 % bootstrap intervals over sets and seeds; ticks: single seeds."}}
style.show(
    figures.outcomes.correlations(correlations, diversity_outcomes.seed_correlations(both)),
    "synthetic-correlations",
    note=f"{n} {both['level'].nunique()} training sets.",
    frame=runs,
    alt="Three panels with four rank correlations each. All intervals reach over zero and cover most of the range.",
)

# %% [markdown]
# ## In the weights
#
# {numref}`fig-synthetic-similarity` compares directions, for synthetic images in the upper row and for augmented ones in the lower row. Compare the two
# rows in the log norm.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-similarity", "caption": "Similarity of the shifts of two categories of settings: 1, the same direction in the space of layers; 0, nothing in common; -1, opposite. Filled: different from 0 after correction. Dotted: the threshold of the rule."}}
style.show(
    figures.diversity.similarities(similarities, fair_tests.MIN_SIMILARITY),
    "synthetic-similarity",
    note=f"Lines: 95 % bootstrap intervals; {n} Judged: synthetic images.",
    frame=spectra,
    alt="Two rows of three panels. In the log norm synthetic images lie at half a similarity with weight decay and near zero with "
    "dropout; augmented images lie near one with dropout and near minus one with weight decay.",
)

# %% [markdown]
# **Two kinds of diversity move the norms in opposite directions.** The more images are synthetic, the smaller are the norms of the layers: the log
# norm shifts by {glue:text}`shift_synthetic_025:.1f` to {glue:text}`shift_synthetic_1:.1f` units of what seeds change. That is the
# direction of weight decay (similarity {glue:text}`similarity_synthetic_wd_log_norm:.2f`, just below the {glue:text}`like:.1f` that the rule
# asks for), at a tenth of its size or less ({glue:text}`shift_weight_decay:.0f` units).
#
# TrivialAugment makes the norms larger ({glue:text}`shift_trivial_augment_wide:.1f` units), and so does dropout ({glue:text}`shift_dropout:.1f`).
# Augmented images are like dropout ({glue:text}`similarity_augmented_dp_log_norm:.2f`) and opposite to weight decay
# ({glue:text}`similarity_augmented_wd_log_norm:.2f`), as in {doc}`15_fine_tuning`. Yet the calibration error is lower by about as much with half of the
# images synthetic as under TrivialAugment. So what diversity does to the norms does not tell what it is good for.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the distances", "code_prompt_hide": "Hide the distances", "figure": {"name": "fig-synthetic-distance", "caption": "Left: distance to dropout, to weight decay and to the baseline. Right: squared distance to weight decay, and to the baseline, minus that to dropout; above 0, dropout is closer. Filled: different from 0 after correction."}}
style.show(
    figures.diversity.distances(distances),
    "synthetic-distance",
    note=f"Lines: 95 % bootstrap intervals; {n} The axes are linear up to 1.",
    frame=spectra,
    alt="Two rows of three panels. Weight decay is tens of units away in all metrics but alpha, dropout and the baseline a few. For "
    "synthetic images the baseline is closer than dropout in the log norm.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.stacked(
    style.table(
        tables.diversity.similarities(similarities), frame_of=spectra, note="Holm's correction within a comparison."
    ),
    style.table(tables.diversity.distances(distances), frame_of=spectra, note="Holm's correction within a comparison."),
)

# %% [markdown]
# ## The verdicts
#
# The claim that synthetic images bring diversity and accuracy out of distribution (A4) is {glue:text}`verdict_A4`. The claim that they bring more
# accuracy out of distribution than augmentation does (A4b) is {glue:text}`verdict_A4b`. For the weights, the claim that they act as the regularizers
# do (A1s) is {glue:text}`verdict_A1s`, the claim that they are closer to dropout than to weight decay (A2s) is {glue:text}`verdict_A2s`, and the claim
# that they are closer to dropout than to no regularizer (A2cs) is {glue:text}`verdict_A2cs`.

# %% tags=["remove-input"]
style.table(
    tables.common.verdict_rows(judged),
    across="claim",
    frame_of=runs,
    note="Effects with their smallest and largest. A4: ratio to real images alone; A4b: points; A3s: rank correlation; A3bs: how "
    "much higher that of the weighted score is; A1s: similarity; A2s: distance to dropout / to weight decay; A2cs: distance to the "
    "baseline / to dropout. n: seeds, in A3s and A3bs training sets.",
)

# %% [markdown]
# ## How it was done
#
# **The generator** has {glue:text}`parameters:,.0f` weights and learns by flow matching {cite:p}`lipman2023`, given the class, from the first
# {glue:text}`images:,d` training images and nothing else. So whatever it brings comes from the way it was made, and not from more data. Its loss
# ends at {glue:text}`loss_test:.3f` on held-out images and at {glue:text}`loss_train:.3f` on training images, so that what it has learned holds for
# images that it has not seen.
#
# **The measures.** An image counts as a copy if its nearest training image is less than a third as far away as the second nearest
# {cite:p}`yoon2023`. The Fréchet distance is that between two normal distributions of features {cite:p}`heusel2017`. Images out of
# distribution are corrupted test images {cite:p}`hendrycks2019`.
#
# **The networks** are a ResNet-18 of a quarter of the usual width, trained for {glue:text}`epochs` epochs. The same command with
# `--scale paper --device cuda` takes CIFAR-10, a larger generator and the full width.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the training of the generator", "code_prompt_hide": "Hide the training of the generator", "figure": {"name": "fig-synthetic-loss", "caption": "Loss of the generator along its training, of its averaged weights, with the same draws of time and noise for every point. Lines: seeds."}}
style.show(
    figures.synthetic.generator_losses(generator),
    "synthetic-loss",
    note=n,
    frame=generator,
    alt="Two lines per seed that fall steeply and then slowly; the loss on held-out images stays just above that on training images.",
)

# %% [markdown]
# ## What would change our mind
#
# - *About calibration:* more seeds, which could turn the hint into a finding or take it away.
# - *About accuracy:* networks that overfit, which have more to gain from new images than these had. The campaign on amounts of synthetic data may find a
#   benefit that this one could not see.
# - *About other generators:* a generator that has seen more than the training images, as the large ones that people use have, brings what it has seen.
#   The claim may hold for those, but then it is a claim about more data.

# %% [markdown]
# ```{glue} judged_17_synthetic_data
# :doc: 21_claims.py
# ```
