# %% [markdown]
# # Synthetic data
#
# A generative model makes as many training images as one likes. Do they bring a diversity that the real ones lack, and does
# it help on images unlike them?
#
# **What the paper says.** In its first version paper A {cite:p}`ba2024` claims that synthetic data can bring more diversity and
# better accuracy out of distribution (A4). Its metric is meant to compare augmented with synthetic data (A3).
#
# **What its released code does.** Synthetic texts only ({doc}`15_words`). Neither synthetic images nor numbers out of
# distribution were released, so there is no reported value to hold ours against.
#
# **What we chose.** A generator that has seen the training images and nothing else: what it brings comes from the way it was
# made, not from more data. It learns by flow matching {cite:p}`lipman2023`, given the class. Networks are then trained on real
# images of which a share, other ones in every epoch, gives way to synthetic images of the same class, against augmentation,
# dropout and weight decay, all with equally many steps. Images out of distribution are corrupted test images
# {cite:p}`hendrycks2019`. The rules (A4, A4b, A3s, A3bs, A1s, A2s, A2cs) were written before any of these runs.

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %%
from weightspace import claims, experiments
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
n = f"n = {seeds_used} seeds per setting."

# %% tags=["remove-cell"]
quote = quotes.at(scale)
compared, significant = frames.count_tests(differences)
tested, correlated = frames.count_tests(correlations)
quotes.glue(
    seeds=seeds_used,
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
# :::{admonition} A reduced scale
# :class: warning
# Everything here is of the scale *laptop*: the first 2,000 training images of Fashion-MNIST {cite:p}`xiao2017`, a generator of
# {glue:text}`parameters:,.0f` weights and 60 epochs, a ResNet-18 of a quarter of the usual width and 15 epochs,
# {glue:text}`seeds` seeds with a generator each; 1,000 test images, 200 per kind and severity of corruption. The same command
# with `--scale paper --device cuda` takes 10,000 images of CIFAR-10, a larger generator and the full width.
# :::
#
# ## Is the generator any good?

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-samples", "caption": "Synthetic images of every class, not chosen, and under each the training image nearest to it in pixels."}}
style.show(
    figures.synthetic.samples(generator),
    "synthetic-samples",
    note="The first four of each class; one generator (seed 0).",
    frame=generator,
    alt="A grid of small grey pictures of clothes, ten classes side by side, made and nearest real ones in turns. The made "
    "ones have the shapes of their classes and a grain; none is the same as the one below it.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-loss", "caption": "Loss of the generator along its training, of its averaged weights, with the same draws of time and noise for every point. Lines: seeds."}}
style.show(
    figures.synthetic.generator_losses(generator),
    "synthetic-loss",
    note=n,
    frame=generator,
    alt="Two lines per seed that fall steeply and then slowly; the loss on held-out images stays just above that on training images.",
)

# %% [markdown]
# On held-out images the loss ends at {glue:text}`loss_test:.3f`, on training images at {glue:text}`loss_train:.3f`: what the generator
# has learned holds for images that it has not seen.
#
# Three checks in numbers: whether a judge, a network trained on other real images, recognises the classes; how far the judge's
# features of the images are from those of test images, by the Frechet distance between two normal distributions
# {cite:p}`heusel2017`; and whether training images were copied, which is said of an image whose nearest training image is less
# than a third as far away as the second nearest {cite:p}`yoon2023`.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-fidelity", "caption": "How real the images of each set are. Left: classes that a judge recognises; middle: Frechet distance between the judge's features of the set and of test images; right: distance to the nearest training image, median. Lines: 95 % t intervals over seeds, cut at 0.1 in the middle."}}
style.show(
    figures.synthetic.fidelity(sets),
    "synthetic-fidelity",
    note=n,
    frame=sets,
    alt="Three panels, a row per set. The judge is right on more than four fifths of every set but TrivialAugment and random bytes. Frechet "
    "distances rise with the share of synthetic images. Wholly synthetic sets are as far from training images as test images are.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the numbers", "code_prompt_hide": "Hide the numbers"}
style.table(
    tables.synthetic.sets(sets),
    frame_of=sets,
    note="Mean ± half the 95 % interval over seeds. Frechet distances are of the judge's features and have no meaning beside those "
    "of other networks. Nearest training image: Euclidean, of values from 0 to 1; of a training image itself it is 0.",
)

# %% [markdown]
# The images are of the right kind and new. The judge is right on {glue:text}`judge_synthetic_1:.1f` % of them, on
# {glue:text}`judge_held_out:.1f` % of other test images, its own accuracy; under TrivialAugment it recognises
# {glue:text}`judge_trivial_augment_wide:.1f` %. {glue:text}`copies_synthetic_1:.1f` % are copies, and the nearest training image is about as
# far away as that of a test image ({glue:text}`nearest_synthetic_1:.2f` and {glue:text}`nearest_held_out:.2f`). They are not quite
# like real ones, though: their features are as far from those of test images as the features under TrivialAugment are (Frechet distance
# {glue:text}`frechet_embeddings_synthetic_1:.1f` and {glue:text}`frechet_embeddings_trivial_augment_wide:.1f`), while real images have
# {glue:text}`frechet_embeddings_held_out:.1f`.
#
# ## What it brings: A4

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-shares", "caption": "Accuracy on clean and on corrupted test images and calibration error by the share of synthetic images, and beside them under augmentation. Lines: 95 % t intervals over seeds; grey: that of all runs on real images alone."}}
style.show(
    figures.synthetic.by_fraction(outcomes),
    "synthetic-shares",
    note=n,
    frame=runs,
    alt="Three panels against the share of synthetic images. Clean accuracy rises a little up to one half and falls again, accuracy "
    "under corruption stays level, the calibration error falls to less than half of that of real images at one half and "
    "rises again. AugMix is highest under corruption; TrivialAugment has as low a calibration error as one half has.",
)

# %% [markdown]
# **Synthetic images were not found to bring diversity or accuracy out of distribution.** The more there are, the lower the Vendi score of
# the pixels, from {glue:text}`vendi_pixels_baseline:.2f` to {glue:text}`vendi_pixels_synthetic_1:.2f`; in that of the judge's features no
# change was found. On corrupted images no difference to real images alone was found for any fraction of synthetic ones; the intervals
# allow for a few points either way. Under AugMix accuracy there is
# {glue:text}`corruption_accuracy_aug_mix:.1f` points higher, with an interval from
# {glue:text}`low_corruption_accuracy_aug_mix:.0f` to {glue:text}`high_corruption_accuracy_aug_mix:.0f`.
#
# **There is a hint that they improve calibration.** With half of the images synthetic the calibration error is lower by
# {glue:text}`ece_synthetic_05_less:.1f` points (95 % interval {glue:text}`ece_synthetic_05_less_low:.1f` to
# {glue:text}`ece_synthetic_05_less_high:.1f`, not corrected for the number of comparisons), about as much as under TrivialAugment
# ({glue:text}`ece_trivial_augment_wide_less:.1f`); two groups of baselines may differ by {glue:text}`noise_ece:.1f` points by chance. But
# of {glue:text}`comparisons` paired tests {glue:text}`significant` are significant after correction, and calibration was not part of A4.
# It would have to be shown with more seeds. Clean accuracy differs by {glue:text}`clean_accuracy_synthetic_05:.1f` points with half of the
# images synthetic, and by {glue:text}`clean_accuracy_synthetic_1:.1f` points with synthetic images alone (interval
# {glue:text}`low_clean_accuracy_synthetic_1:.1f` to {glue:text}`high_clean_accuracy_synthetic_1:.1f`).

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.synthetic.tests(outcomes, sets),
    frame_of=runs,
    note="Against training images: Dunnett's test, with the baselines of all seeds as the control of accuracy. Against "
    "augmentation: Tukey's test over all shares and augmentations. Intervals and p are for all rows of a test together. Both tests "
    "assume equal spread; the score of the real images' pixels has none, being the same for every seed.",
)

# %% [markdown]
# ## Does a diversity score know? A3

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-scores", "caption": "Diversity of each training set: Vendi score, resemblance to the real images, and their product. Lines: 95 % t intervals over seeds; vertical line: real images."}}
style.show(
    figures.outcomes.scores_of_sets(both),
    "synthetic-scores",
    note=n,
    frame=sets,
    alt="Six panels, a row per training set. In pixels TrivialAugment has twice the Vendi score of all others, AugMix the lowest. In "
    "embeddings all are the same. Resemblance falls steadily with the share of synthetic images.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-correlations", "caption": "Rank correlation over training sets of each score with each outcome, means over seeds. Lines: 95 % bootstrap intervals over sets and seeds; ticks: single seeds."}}
style.show(
    figures.outcomes.correlations(correlations, diversity_outcomes.seed_correlations(both)),
    "synthetic-correlations",
    note=f"{n} {both['level'].nunique()} training sets.",
    frame=runs,
    alt="Three panels with four rank correlations each. All intervals reach over zero and cover most of the range.",
)

# %% [markdown]
# Of {glue:text}`tested` correlations {glue:text}`correlated` are significant after correction; with so few sets only a nearly perfect order
# would be. What can be said is which order the scores give. In pixels the set that serves best under corruption, AugMix, has the lowest
# Vendi score, and TrivialAugment, which stretches contrasts, twice that of all others. In embeddings they cannot be told apart. The
# weighted scores differ mostly by the resemblance, and that, as with the texts ({doc}`15_words`), asks what stands in which row: a
# synthetic image stands for one of the same class and has {glue:text}`resemblance_synthetic_1:.2f`; test images, as real as any but
# in rows of other classes, have {glue:text}`resemblance_held_out:.2f`.
#
# ## In the weights: A1 and A2

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-similarity", "caption": "Similarity of the shifts of two categories of settings: 1, the same direction in the space of layers; 0, nothing in common; -1, opposite. Filled: different from 0 after correction. Dotted: the threshold of the rule."}}
style.show(
    figures.diversity.similarities(similarities, fair_tests.MIN_SIMILARITY),
    "synthetic-similarity",
    note=f"Lines: 95 % bootstrap intervals; {n} Judged: synthetic images.",
    frame=spectra,
    alt="Two rows of three panels. In the log norm synthetic images lie at half a similarity with weight decay and near zero with "
    "dropout; augmented images lie near one with dropout and near minus one with weight decay.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-synthetic-distance", "caption": "Left: distance to dropout, to weight decay and to the baseline. Right: squared distance to weight decay, and to the baseline, minus that to dropout; above 0, dropout is closer. Filled: different from 0 after correction."}}
style.show(
    figures.diversity.distances(distances),
    "synthetic-distance",
    note=f"Lines: 95 % bootstrap intervals; {n} The axes are linear up to 1.",
    frame=spectra,
    alt="Two rows of three panels. Weight decay is tens of units away in all metrics but alpha, dropout and the baseline a few. For "
    "synthetic images the baseline is closer than dropout in the log norm.",
)

# %% [markdown]
# **Two kinds of diversity, two directions.** The more synthetic images, the smaller the norms of the layers: the log norm shifts by
# {glue:text}`shift_synthetic_025:.1f` to {glue:text}`shift_synthetic_1:.1f` units of what seeds change, on average. That is the direction of
# weight decay ({glue:text}`similarity_synthetic_wd_log_norm:.2f`, just below the {glue:text}`like:.1f` that the rule asks for), at a
# tenth of its size or less ({glue:text}`shift_weight_decay:.0f`). TrivialAugment makes the norms larger
# ({glue:text}`shift_trivial_augment_wide:.1f`), and so does dropout ({glue:text}`shift_dropout:.1f`); augmented images are like dropout
# ({glue:text}`similarity_augmented_dp_log_norm:.2f`) and opposite to weight decay
# ({glue:text}`similarity_augmented_wd_log_norm:.2f`), as in {doc}`14_fine_tuning`. Yet the calibration error is lower under both, half
# synthetic images and TrivialAugment, by about as much: what diversity does to the norms does not tell what it is good for.
#
# Weight decay, even this weak, is tens of units away from everything in three metrics (A2s). No metric has dropout closer than the baseline,
# and in the log norm the baseline is closer (A2cs).

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.diversity.similarities(similarities), frame_of=spectra, note="Holm's correction within a comparison."
)
style.table(tables.diversity.distances(distances), frame_of=spectra, note="Holm's correction within a comparison.")

# %% [markdown]
# ## Verdict
#
# **A4 is not supported for the diversity of pixels and otherwise undecided**: of twelve comparisons with real images none is won, and three are
# lost, all in the diversity of pixels. **A4b is undecided**: against augmentation none is won and two are lost, both to AugMix. A3s, A3bs, A1s and A2cs are undecided.
# A2s is mixed: three metrics of four, for the reason that it was supported elsewhere, that weight decay is far from everything.
#
# What limits this: {glue:text}`seeds` seeds, 2,000 small grey images, a small generator, one level of dropout and one of weight decay. And
# the question itself: a generator that has seen nothing but the training images can only bring what it makes of them. The large ones that
# people use have seen far more, and what their images bring is partly that. The claim may hold for them; then it is one about more
# data.

# %% tags=["remove-input"]
asked = ("A4", "A4b", "A3s", "A3bs", "A1s", "A2s", "A2cs")
style.table(
    tables.common.findings([claim for claim in claims.CLAIMS if claim.id in asked]),
    across="claim",
    frame_of=runs,
    note="Effects with their smallest and largest. A4: ratio to real images alone; A4b: points; A3s: rank correlation; A3bs: how "
    "much higher that of the weighted score is; A1s: similarity; A2s: distance to dropout / to weight decay; A2cs: distance to the "
    "baseline / to dropout. n: seeds, in A3s and A3bs training sets.",
)

# %% [markdown]
# ```{glue} judged_16_synthetic_data
# :doc: 20_claims.py
# ```
