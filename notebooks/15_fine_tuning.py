# %% [markdown]
# # Fine-tuning
#
# :::{admonition} In short
# :class: answer
# **Question.** Does a network that already knows how to see change under augmentation in the way that it changes under dropout?
#
# **Answer.** In one metric of four it does. Augmentation and dropout move the log norm of the layers in the same direction (similarity {glue:text}`similarity_dp_log_norm:.2f`, where 1 is the same direction and -1 the opposite one), and weight decay moves it in the opposite direction ({glue:text}`similarity_wd_log_norm:.2f`). But the movement is tiny: {glue:text}`body_div:.2f` % of the squared norm under augmentation and {glue:text}`body_dp:.2f` % under dropout. In the other metrics no direction was found.
#
# **How sure.** We are not very sure. There are n = {glue:text}`seeds` seeds at a reduced scale, and {glue:text}`steps` steps are only the beginning of a fine-tuning, in which no regularizer was seen to help. The rules were committed before the results. For networks that are fine-tuned until they fit their images, the same question has rules of its own ({doc}`../book/rules`), and its runs have not been computed yet.
# :::
#
# Most of paper A {cite:p}`ba2024` is about pretrained networks: CLIP and BERT, fine-tuned under every regularizer. The paper says that
# there, too, diversity acts on the spectra as the explicit regularizers do (A1), and more like dropout than like weight decay (A2).
# We ask it of EfficientNet-Lite0 {cite:p}`tan2019` with weights of ImageNet, fine-tuned on {glue:text}`images:,d` images of CIFAR-10
# under the {glue:text}`settings` settings of the paper.

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
from weightspace import experiments
from weightspace.analysis import diversity_outcomes, diversity_shifts, fair_tests, frames, spectral_shifts
from weightspace.display import figures, quotes, style, tables

tuning = experiments.ensure("diversity_transfer_tuning", scale, seeds, device, recompute)
runs = experiments.ensure("diversity_transfer", scale, seeds, device, recompute)
statistics = experiments.ensure("diversity_batch_norm", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_transfer_spectra", scale, seeds, "cpu", recompute)

# %% tags=["remove-cell"]
outcomes = diversity_outcomes.outcomes(runs[runs["arm"] != "paper_rate"])
measured = ("clean_accuracy", "ece", "corruption_accuracy", "corruption_ece")
differences = diversity_outcomes.differences(outcomes, measured)
cases = fair_tests.cases(spectra)
similarities, distances = fair_tests.similarities(cases), fair_tests.distances(cases)
correlations = diversity_shifts.correlations(spectra)
layers, seeds_used = tables.diversity.layers_used(spectra), int(differences["n"].min())
plan = next(iter(experiments.planned("diversity_transfer", scale, seeds).values()))
judged = tables.common.judged(tables.claims.on_page("15_fine_tuning"))
n = f"n = {seeds_used} seeds per setting."

# %% tags=["remove-cell"]
quote = quotes.at(scale)
tested, significant = frames.count_tests(differences)
quotes.glue(
    seeds=seeds_used,
    layers=layers,
    comparisons=tested,
    significant=significant,
    images=plan.train_size,
    settings=runs["setting"].nunique(),
    resolution=plan.resolution,
    epochs=plan.epochs,
    steps=plan.epochs * (plan.train_size // plan.batch_size),
    **tables.claims.words(judged, "A1f", "A2f", "A2cf"),
)

accuracies = frames.means(
    frames.select(runs, metric="accuracy_percent", setting="baseline"), ["arm", "inputs", "epoch"]
)
last = accuracies["epoch"].max()
clean = frames.select(differences, outcome="clean_accuracy")
quotes.glue(
    probe=quote(accuracies, "value", arm="main", inputs="linear_probe"),
    tuned=quote(accuracies, "value", arm="main", inputs="test", epoch=last),
    paper_rate=quote(accuracies, "value", arm="paper_rate", inputs="test", epoch=last),
    not_excluded=clean["high"].max(),
    clean_accuracy_dropout_07=quote(clean, "mean", setting="dropout_0.7"),
    low_clean_accuracy_dropout_07=quote(clean, "low", setting="dropout_0.7"),
    high_clean_accuracy_dropout_07=quote(clean, "high", setting="dropout_0.7"),
    clean_accuracy_noise50=quote(clean, "mean", setting="noise50"),
)

# %% tags=["remove-cell"]
tests = frames.means(frames.select(statistics, metric="accuracy_percent"), ["inputs", "setting"])
quotes.glue(
    test_noise50=quote(tests, "value", inputs="test", setting="noise50"),
    test_changed_noise50=quote(tests, "value", inputs="test_changed", setting="noise50"),
    test_new_statistics_noise50=quote(tests, "value", inputs="test_new_statistics", setting="noise50"),
    test_new_statistics_baseline=quote(tests, "value", inputs="test_new_statistics", setting="baseline"),
)

shifts = spectral_shifts.shifts(diversity_shifts.changes(spectra, metrics=("log_norm",)))
of_body = shifts[~spectral_shifts.last_layer(shifts)]
with_head, without_head = (
    frames.means(diversity_shifts.seed_comparisons(own), ["a", "b"], "pearson") for own in (shifts, of_body)
)
pearson = frames.means(correlations, ["metric", "baseline", "a", "b"], "pearson")
quotes.glue(
    pearson_whole=quote(with_head, "pearson", a="div", b="dp"),
    pearson_body=quote(without_head, "pearson", a="div", b="dp"),
    one_alpha=quote(pearson, "pearson", metric="alpha", baseline="one", a="div", b="dp"),
    placebo_alpha=quote(pearson, "pearson", metric="alpha", baseline="none"),
)

norms = diversity_shifts.norm_changes(spectra)
quotes.glue(
    head_training=quote(norms, "percent", part="head", category="training"),
    head_div=quote(norms, "percent", part="head", category="div"),
    head_dp=quote(norms, "percent", part="head", category="dp"),
    body_training=quote(norms, "percent", part="body", category="training"),
    body_div=quote(norms, "percent", part="body", category="div"),
    body_dp=quote(norms, "percent", part="body", category="dp"),
)

# %% tags=["remove-cell"]
sizes = fair_tests.sizes(spectra)
beyond = frames.select(fair_tests.beyond_seeds(sizes), category="div")
means_of_levels = frames.select(similarities, match="as they are")
quotes.glue(
    div_levels=quote(beyond, "levels", metric="alpha"),
    beyond_log_norm=quote(beyond, "beyond", metric="log_norm"),
    beyond_log_spectral_norm=quote(beyond, "beyond", metric="log_spectral_norm"),
    beyond_entropy=quote(beyond, "beyond", metric="entropy"),
    beyond_alpha=quote(beyond, "beyond", metric="alpha"),
    similarity_dp_log_norm=quote(means_of_levels, "similarity", metric="log_norm", a="div", b="dp"),
    similarity_wd_log_norm=quote(means_of_levels, "similarity", metric="log_norm", a="div", b="wd"),
    similarity_regularizers_log_norm=quote(means_of_levels, "similarity", metric="log_norm", a="dp", b="wd"),
)

# %% [markdown]
# ## One direction in one metric
#
# A {term}`shift` is what a setting changes in a spectral metric of a layer beyond what the baseline of the same seed changes. The
# {term}`similarity` of two shifts is the cosine between them over the layers, in units of what seeds change. It is computed from products of
# different seeds only, and it leaves out the new last layer, the *head*. {numref}`fig-transfer-similarity` has one row for each metric. Look for
# filled marks: only there can the direction be told from chance.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-similarity", "caption": "Similarity of the shifts of two categories: 1, the same direction in the space of layers; 0, nothing in common; -1, opposite. Filled: different from 0 after correction. Dotted: the threshold of the rule."}}
style.show(
    figures.diversity.similarities(similarities, fair_tests.MIN_SIMILARITY),
    "transfer-similarity",
    note=f"Lines: 95 % bootstrap intervals; {n} The right column is for orientation and not judged.",
    frame=spectra,
    alt="Two rows of three panels of similarities with intervals. In the log norm diversity is similar to dropout and opposite "
    "to weight decay; the other intervals reach over most of the range.",
)

# %% [markdown]
# **In the log norm the shifts of augmentation and dropout are alike, as the paper says.** The layers of the body end up with slightly
# larger norms: their squared norm is {glue:text}`body_div:.3f` % (augmentation) and {glue:text}`body_dp:.3f` % (dropout) above that of the
# baseline. Both may have the same reason: the loss stays higher, so that the weights keep moving. Weight decay moves the norms in the direction
# opposite to both (its similarity with dropout is {glue:text}`similarity_regularizers_log_norm:.2f`). The networks from scratch that overfit
# agree: their kernels grow under augmentation and weak dropout, and shrink under weight decay. Only in the underfit networks did all three
# shrink them ({doc}`12_like_dropout`). In the other metrics the intervals are wide, and none excludes 0 after correction.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.diversity.similarities(similarities),
    frame_of=spectra,
    note="Levels: augmentation levels compared. Holm's correction over the eight judged rows of a comparison.",
)

# %% [markdown]
# ## Closer to dropout than to what?
#
# {numref}`fig-transfer-distance` shows distances in the same units. On the left, weight decay is so far away that anything is closer to dropout:
# with Adam, weight decay shrinks whatever the loss does not hold in place. The question that matters is whether augmentation is closer to dropout
# than to *no regularizer* (on the right, marks above 0). This was shown for the log norm of the category means alone.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-distance", "caption": "Left: distance of diversity to dropout, to weight decay and to the baseline. Right: squared distance to weight decay, and to the baseline, minus that to dropout; above 0, dropout is closer. Filled: different from 0 after correction."}}
style.show(
    figures.diversity.distances(distances),
    "transfer-distance",
    note=f"Lines: 95 % bootstrap intervals; {n} The axes are linear up to 1.",
    frame=spectra,
    alt="Two rows of three panels. Weight decay is farther than dropout in every metric, by up to ten thousands; the baseline is "
    "farther than dropout in the log norm of the category means alone.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
style.table(
    tables.diversity.distances(distances),
    frame_of=spectra,
    note="Squared, per layer, in units of the variance between baselines; below 0: no distance seen. Holm's correction over the "
    "metrics of a comparison.",
)

# %% [markdown]
# By the rules, the claim that diversity acts as the regularizers do (A1f) is {glue:text}`verdict_A1f`. The claim that it is closer to dropout
# than to weight decay (A2f) is {glue:text}`verdict_A2f`. The claim that it is closer to dropout than to no regularizer (A2cf) is
# {glue:text}`verdict_A2cf`.

# %% tags=["remove-input"]
style.table(
    tables.common.verdict_rows(judged),
    across="claim",
    frame_of=spectra,
    note="Effect: mean over metrics with the smallest and largest. A1f: similarity; A2f: distance to dropout / to weight decay; "
    "A2cf: distance to the baseline / to dropout. n: seeds.",
)

# %% [markdown]
# ## Why the paper's correlations are higher
#
# The paper correlates the shifts of two categories over all layers, with one baseline for both. {numref}`fig-transfer-baselines` does the same in
# its upper rows, and then takes away what the two categories share. The crosses are the values of the release.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-baselines", "caption": "Pearson correlations over layers between categories, by what they share. Dots: seeds (or pairs of seeds), bars: their mean, crosses: the value that the release reports for CLIP RN50, the convolutional network of the paper."}}
style.show(
    figures.diversity.correlations(correlations, tables.diversity.theirs("pearson", "clip_rn50")),
    "transfer-baselines",
    note=f"{n} {layers} layers.",
    frame=spectra,
    alt="Three panels of correlations, rows by metric and kind of baseline. For diversity and dropout they are 1 in the log norm "
    "whatever is shared, and in alpha only with one baseline; all others scatter around zero.",
)

# %% [markdown]
# In the log norm our correlation over {glue:text}`layers` layers, {glue:text}`pearson_whole:.2f`, is as high as the paper's because of
# one layer, the head. Training adds {glue:text}`head_training:.0f` % to its squared norm. Under augmentation and under dropout the norm ends
# lower than in the baseline ({glue:text}`head_div:.1f` % and {glue:text}`head_dp:.1f` %), perhaps because both leave the network less
# certain. Without the head a correlation of {glue:text}`pearson_body:.2f` remains. In alpha the correlation with one shared baseline is
# {glue:text}`one_alpha:.2f`. Sharing alone can produce this: further baselines, treated as if they were a regularizer, correlate with
# augmentation at {glue:text}`placebo_alpha:.2f`.
#
# How large are these shifts at all? {numref}`fig-transfer-sizes` compares the shift of every setting with the line, which is as far as two
# baselines differ from their mean.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-sizes", "caption": "Size of the shift of every setting: root mean square over layers, in units of the standard deviation between baselines, without the contribution of noise. Line: as far as two baselines differ from their mean. Open markers: no shift seen above the noise."}}
style.show(
    figures.diversity.sizes(sizes),
    "transfer-sizes",
    note=f"{n} The last layer is left out.",
    frame=spectra,
    alt="Four panels with a marker per setting on logarithmic axes. Weight decay rises with its strength, in the log norm to "
    "nearly a thousand; dropout and augmentation lie around one or below.",
)

# %% [markdown]
# The body of the network hardly moves at all: training changes the squared norms of its layers by {glue:text}`body_training:.2f` % on average.
# Of {glue:text}`div_levels` augmentation levels, {glue:text}`beyond_log_norm` move the log norm farther than seeds do;
# {glue:text}`beyond_log_spectral_norm` do so for the log spectral norm, {glue:text}`beyond_entropy` for the entropy and
# {glue:text}`beyond_alpha` for alpha.
#
# ## What the settings do to accuracy
#
# Before any fine-tuning, a linear classifier on the features of the network is right on {glue:text}`probe:.1f` % of the test images. Fine-tuned
# with a tuned learning rate, the baseline reaches {glue:text}`tuned:.1f` %. With the paper's learning rate it stays at
# {glue:text}`paper_rate:.1f` % in so few steps, so everything on this page is at the tuned rate. {numref}`fig-transfer-outcomes` shows every setting
# against the baseline.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tuning", "code_prompt_hide": "Hide the tuning"}
style.table(
    tables.diversity.tuning(tuning),
    frame_of=tuning,
    note="A fifth of the training images held out; no regularizer; the rate with the lowest held-out loss was taken. "
    "The rate of the paper is 1e-05.",
)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-transfer-outcomes", "caption": "Every setting minus the baseline of the same seed after fine-tuning, with 95 % t intervals; those much wider than a panel are cut. Grey: what two groups of baselines differ by if nothing but the seeds does."}}
baseline = outcomes[outcomes["setting"] == "baseline"].groupby("arm").mean(numeric_only=True).loc["main"]
style.show(
    figures.outcomes.effects(differences, baseline, diversity_outcomes.seed_noise(outcomes, measured)),
    "transfer-outcomes",
    note=n + " Accuracies and ECE in percent.",
    frame=runs,
    alt="Four panels, a row per setting, of differences to the baseline. In both accuracies noise 50, Auto1 to Auto3 and "
    "dropout 0.7 lie far below zero; everything else lies in or near the grey bands.",
)

# %% [markdown]
# **No setting was seen to help, and small gains are not excluded.** No setting has a higher mean accuracy than the baseline, but the
# intervals of single settings reach up to {glue:text}`not_excluded:.0f` points above it. Of {glue:text}`comparisons` paired tests,
# {glue:text}`significant` are significant after correction. Two kinds of settings lower accuracy clearly: dropout 0.7
# ({glue:text}`clean_accuracy_dropout_07:.0f` points, interval {glue:text}`low_clean_accuracy_dropout_07:.0f` to
# {glue:text}`high_clean_accuracy_dropout_07:.0f`), and noise ({glue:text}`clean_accuracy_noise50:.0f` points under noise 50).
#
# **Most of the loss under noise comes from batch norm, and not from the weights.** In evaluation, batch norm uses the running means and
# variances of what the network saw in training, and that was images with noise. Such a network is right on
# {glue:text}`test_changed_noise50:.0f` % of images with noise 50 and on {glue:text}`test_noise50:.0f` % of clean images. If means and variances
# are taken anew from clean images, and no weight is changed, it is right on {glue:text}`test_new_statistics_noise50:.0f` % of the clean images.
# The baseline, treated in the same way, is right on {glue:text}`test_new_statistics_baseline:.0f` %.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the batch-norm experiment", "code_prompt_hide": "Hide the batch-norm experiment"}
style.table(
    tables.outcomes.batch_norm(statistics),
    frame_of=statistics,
    note="Test accuracy in percent, mean ± half the 95 % interval over seeds, of networks fine-tuned on changed images. New "
    "statistics: means and variances of batch norm taken again from training images as they are, the weights left alone.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every setting", "code_prompt_hide": "Hide every setting"}
style.table(
    tables.outcomes.settings(outcomes),
    frame_of=runs,
    note="Mean ± half the 95 % interval over seeds. Training loss: as the network trained, with augmentation and dropout.",
)

# %% [markdown]
# ## How it was done
#
# **What the released code does.** It fine-tunes the visual tower of CLIP, RN50 or ViT-B/32, with a new linear head. It uses Adam with a learning
# rate of 1e-5 and coupled weight decay, batches of 32, and five epochs, with one run per setting. Dropout is configured for the blocks of CLIP but
# never called there, so that only the dropout of the head acts.
#
# **What we chose.** We took a network whose weights can be had offline, images enlarged to {glue:text}`resolution` pixels a side, the same optimizer
# and batches, {glue:text}`epochs` epochs, and dropout that acts in every block. All settings of a seed share the pretrained weights, the new
# head and the order of the data. The same command with `--scale paper --device cuda` runs the experiment at full size. With
# `--set model=clip_vit_b32` it runs the paper's own network, for someone who has its weights.
#
# ## What would change our mind
#
# - *About the shared direction:* a fine-tuning that goes on until the training images are fitted, and in which augmentation improves accuracy. If the
#   direction remains there, it is more than a sign of unfinished training; if it vanishes, it was that sign.
# - *About the other metrics:* more seeds. With {glue:text}`seeds` of them, only the log norm shows a direction that can be told from chance.

# %% [markdown]
# ```{glue} judged_15_fine_tuning
# :doc: 21_claims.py
# ```
