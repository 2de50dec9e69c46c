# %% [markdown]
# # Regularizers in weight space
#
# :::{admonition} In short
# :class: answer
# **Question.** What do dropout, weight decay and data augmentation do to the weights of a network that would otherwise overfit?
#
# **Answer.** All three shrink what acts on an image, which is the kernels together with the batch norm behind them: augmentation lowers their squared norm by {glue:text}`folded_augmentation:.0f` % on average, dropout by {glue:text}`folded_dropout:.0f` % and weight decay by {glue:text}`folded_decay:.0f` %. The kernels by themselves tell another story. Weight decay lowers their squared norm by {glue:text}`kernel_decay:.0f` %, while augmentation and dropout raise it by {glue:text}`kernel_augmentation:.0f` % and {glue:text}`kernel_dropout:.0f` %.
#
# **How sure.** The numbers rest on n = {glue:text}`n_seeds` seeds with {glue:text}`baselines` baselines each, one network at a reduced scale, and one set of {glue:text}`images:,d` images. Every measure can tell every setting that acts from the baseline. This page only describes. What the effects mean is judged on the next page, by a rule that was committed before anybody had read a spectrum of these networks.
# :::

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
from weightspace import experiments
from weightspace.analysis import designs, diversity_shifts, frames, regularizer_tests, spectral_shifts
from weightspace.analysis import regularizer_facts as facts
from weightspace.analysis.regularizer_effects import MATRIX, MEASURES, SLICES, Measure
from weightspace.display import figures, interactive, quotes, style, tables
from weightspace.display.labels import setting_label
from weightspace.experiments.diversity.released_measurements import METRICS

runs = experiments.ensure("diversity_from_scratch", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_from_scratch_spectra", scale, seeds, "cpu", recompute)
experiments.ensure("diversity_cifar10", scale, seeds, device, recompute)
underfit = experiments.ensure("diversity_spectra", scale, seeds, "cpu", recompute)

# %% tags=["remove-cell"]
quote = quotes.at(scale)
plan = next(iter(experiments.planned("diversity_from_scratch", scale, seeds).values()))
shown = facts.present(runs, ("baseline", "dropout_0.1", "weight_decay_0.005", "rand_augment"))
baselines = designs.design("diversity_from_scratch", scale)["diversity_from_scratch_baselines"]
n = f"n = {runs['seed'].nunique()} seeds, with {baselines} baselines each."
ends = frames.select(facts.learning_curves(runs, ["baseline"]), epoch=plan.epochs)
gains = facts.gains(spectra)
quotes.glue(
    baselines=baselines,
    images=plan.train_size,
    epochs=plan.epochs,
    width=plan.width,
    lr=plan.lr,
    n_seeds=runs["seed"].nunique(),
    train_baseline=quote(ends, "mean", inputs="train_clean"),
    test_baseline=quote(ends, "mean", inputs="test"),
    gain_augmentation=quote(gains, "gain", setting="rand_augment"),
    gain_dropout=quote(gains, "gain", setting="dropout_0.1"),
    gain_decay=quote(gains, "gain", setting="weight_decay_0.005"),
)

# %% tags=["remove-cell"]
kernel = facts.norm_changes(spectra, Measure("log_norm", "apart", MATRIX))
folded = facts.norm_changes(spectra, Measure("log_norm", "folded", MATRIX))
raised, lowered = (frames.select(of, category="augmentation").query("setting != ''") for of in (kernel, folded))
most = lowered.nsmallest(1, "percent")
quotes.glue(
    kernel_augmentation=quote(kernel, "percent", category="augmentation", setting=""),
    kernel_dropout=quote(kernel, "percent", category="dropout", setting=""),
    kernel_decay=-quote(kernel, "percent", category="weight_decay", setting=""),
    kernel_dropout_01=quote(kernel, "percent", setting="dropout_0.1"),
    kernel_dropout_03_less=-quote(kernel, "percent", setting="dropout_0.3"),
    folded_augmentation=-quote(folded, "percent", category="augmentation", setting=""),
    folded_dropout=-quote(folded, "percent", category="dropout", setting=""),
    folded_decay=-quote(folded, "percent", category="weight_decay", setting=""),
    levels=len(raised),
    kernel_raised=int((raised["percent"] > 0).sum()),
    folded_lowered=int((lowered["percent"] < 0).sum()),
    folded_most=" ".join(map(setting_label, most["setting"])),
    folded_most_less=-most["percent"].min(),
)
spikes = frames.select(spectra, metric="num_spikes", batch_norm="apart", unfolding=MATRIX, epoch=plan.epochs)
spikes = frames.means(spikes[spikes["layer"] < spikes["layer"].max()], ["setting"])
quotes.glue(
    spikes_baseline=quote(spikes, "value", setting="baseline"),
    spikes_dropout=quote(spikes, "value", setting="dropout_0.1"),
    spikes_decay=quote(spikes, "value", setting="weight_decay_0.005"),
    spikes_augmentation=quote(spikes, "value", setting="rand_augment"),
)
controls = regularizer_tests.controls(spectra, [one for members in MEASURES.values() for one in members])
seen = facts.seen(controls, MEASURES)
quotes.glue(measures=seen[["set", "measure"]].drop_duplicates().shape[0], placebo_p=seen["placebo_p"].min())

# %% tags=["remove-cell"]
underfit_plan = next(iter(experiments.planned("diversity_cifar10", scale, seeds).values()))
norms = diversity_shifts.norm_changes(underfit)
quotes.glue(
    underfit_images=underfit_plan.train_size,
    underfit_epochs=underfit_plan.epochs,
    underfit_seeds=frames.select(underfit, arm="main")["seed"].nunique(),
    fall_div=-quotes.quote(norms, "percent", part="whole", category="div"),
    fall_dp=-quotes.quote(norms, "percent", part="whole", category="dp"),
    fall_wd=-quotes.quote(norms, "percent", part="whole", category="wd"),
)

# %% [markdown]
# ## The spectra side by side
#
# Paper A {cite:p}`ba2024` asks how regularizers show in the eigenvalues of the weight matrices. {numref}`fig-densities` has a row for each of four
# layers, from early to late, and a column for each regularizer. Compare each density with the grey outline, which is that of the network without
# a regularizer, and with the line, the {term}`Marchenko-Pastur law` that pure noise would follow.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-densities", "caption": "Density of the eigenvalues of four layers after training, all seeds together, with the Marchenko-Pastur law of their bulk (line) and what lies beyond its edge (ticks). Columns: no regularizer, and one level of each. Grey outline: no regularizer."}}
layers = ["layer1.0.conv2", "layer2.1.conv1", "layer3.1.conv2", "layer4.1.conv2"]
final = frames.select(runs, epoch=plan.epochs, batch_norm="apart", unfolding=MATRIX)
style.show(
    figures.regularizers.eigenvalue_densities(final, figures.regularizers.titles(shown), layers),
    "densities",
    note=f"{n} Kernels as matrices that map a patch to the output channels.",
    frame=runs,
    alt="Four rows of four histograms. Under dropout and RandAugment the density lies on that without a regularizer, with a few more "
    "eigenvalues beyond the edge. Under weight decay it lies far to the left, in the last layer by five powers of ten, and most "
    "of it lies beyond the edge of the small bulk.",
    live=interactive.densities(
        frames.select(runs.assign(arm="main"), batch_norm="apart"), "layer3.1.conv2", unfolding=MATRIX
    ),
)

# %% [markdown]
# Under dropout and RandAugment the bulk of the eigenvalues stays where it is, and a few more of them stand beyond its edge. The number in each
# panel says how many of these {term}`spikes` a matrix has. Averaged over all layers, there are {glue:text}`spikes_baseline:.1f` spikes without a
# regularizer, {glue:text}`spikes_dropout:.1f` under dropout 0.1 and {glue:text}`spikes_augmentation:.1f` under RandAugment. Weight decay moves the
# whole density to the left, in the last layer of the figure by several powers of ten. What is left there does not look like noise
# ({glue:text}`spikes_decay:.1f` spikes on average).
#
# ## Something to regularize
#
# Do these networks overfit at all? Without a regularizer the network is right on {glue:text}`train_baseline:.0f` % of its training images and on
# {glue:text}`test_baseline:.0f` % of the test images. {numref}`fig-curves` shows how it gets there. On the left, the regularized networks fit their
# training images as well, but later. On the right, they do better on test images: RandAugment by {glue:text}`gain_augmentation:.1f` points, dropout
# 0.1 by {glue:text}`gain_dropout:.1f` and the strongest weight decay by {glue:text}`gain_decay:.1f`.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-curves", "caption": "Accuracy along training, on the training images as they are and on test images, without a regularizer and with one level of each."}}
style.show(
    figures.regularizers.learning_curves(facts.learning_curves(runs, shown), shown),
    "curves",
    note=f"{n} Bands: 95 % t intervals over seeds. Along training 2,000 test images, at the end all.",
    frame=runs,
    alt="Two panels. On training images all four curves end near 100 percent, without a regularizer first and with RandAugment last. On test "
    "images RandAugment ends highest, then dropout 0.1, then weight decay just above no regularizer.",
)

# %% [markdown]
# ## The kernel, and what acts on the image
#
# All layers but the last stand in front of a batch norm, which divides by the scale of what it gets. **Making such a kernel ten times smaller does
# not change what the network computes.** So the norm of a kernel by itself says nothing about the function. What acts on a patch of the image is
# the kernel with the factors of its batch norm *folded* in. {numref}`fig-densities-folded` shows the eigenvalues of these folded matrices for two
# of the four layers. There, weight decay no longer stands apart by powers of ten, and dropout and RandAugment do lie to the left of the outline.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-densities-folded", "caption": "As above, of the kernels with the batch norm behind them folded in: the matrices that act on a patch of the image."}}
acting = frames.select(runs, epoch=plan.epochs, batch_norm="folded", unfolding=MATRIX)
style.show(
    figures.regularizers.eigenvalue_densities(acting, figures.regularizers.titles(shown), layers[1:3]),
    "densities-folded",
    note=n,
    frame=runs,
    alt="Two rows of four histograms. Under all three regularizers the density lies to the left of that without one, least under "
    "RandAugment and most under weight decay, by less than a power of ten.",
)

# %% [markdown]
# ## Setting by setting
#
# An {term}`effect <effect>` is the difference between a setting and the mean of the {glue:text}`baselines` baselines of its seed, for one measure and
# one layer, in units of the standard deviation between baselines. {numref}`fig-doses` shows the mean effect over layers, with a row for each
# setting: read each group from its weakest level to its strongest.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-doses", "caption": "Mean effect of every setting over layers, in standard deviations between baselines, for four measures. Grey: within one standard deviation; the axes are linear there and logarithmic outside."}}
chosen = [
    Measure("log_norm", "apart", SLICES),
    Measure("log_norm", "folded", MATRIX),
    Measure("entropy", "folded", MATRIX),
    Measure("alpha", "apart", MATRIX),
]
style.show(
    figures.regularizers.mean_effects(facts.mean_effects(spectra, chosen)),
    "doses",
    note=f"{n} Lines: 95 % t intervals over seeds; the last layer is left out. Slices: the kernel as paper A takes it.",
    frame=spectra,
    alt="Four panels with a row per setting. In the log norm of slices weak dropout and most augmentation levels lie above zero, strong dropout "
    "and weight decay below it. In the folded log norm everything lies below zero, in step with strength. Noise hardly acts.",
)

# %% [markdown]
# - **Weight decay** acts in step with its strength, in every measure.
# - **Dropout** reverses its direction in the norm of the kernels: a rate of 0.1 raises the squared norm by {glue:text}`kernel_dropout_01:.0f` %, and
#   one of 0.3 lowers it by {glue:text}`kernel_dropout_03_less:.0f` %. With the batch norm folded in, the norm falls at every rate.
# - **Augmentation** raises the norm of the kernels under {glue:text}`kernel_raised` of {glue:text}`levels` levels. It lowers the folded norm under
#   {glue:text}`folded_lowered` of them, most under {glue:text}`folded_most` (by {glue:text}`folded_most_less:.0f` %). Noise, which hardly changes
#   accuracy, hardly changes the weights.
#
# ## Layer by layer
#
# Do augmentation and dropout act on the same layers? {numref}`fig-layers` follows the mean effect of each regularizer through the network.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-layers", "caption": "Mean effect of paper A's levels of a category that learn, layer by layer."}}
style.show(
    figures.regularizers.layer_effects(facts.layer_effects(spectra, chosen[:3])),
    "layers",
    note=f"{n} Bands: 95 % t intervals over seeds. Grey: within one standard deviation between baselines.",
    frame=spectra,
    alt="Three panels of effects by layer. In the log norm of slices weight decay falls steadily to far below zero, augmentation stays above "
    "it. In the folded log norm augmentation and dropout go up and down together in the last layers, and weight decay does not.",
)

# %% [markdown]
# Look at the middle panel, the folded log norm. In late layers augmentation and dropout mostly rise and fall together, while weight decay goes its
# own way. The next chapter turns this impression into a number.
#
# ## Every measure sees what acts
#
# A measure that sees nothing cannot say what is alike. Each of the {glue:text}`measures` measures that are judged can tell every setting whose
# accuracy differs from the baseline's from the baseline. As a control, one more baseline was treated as if it were a setting, and no measure
# mistook it for one (the smallest p value is {glue:text}`placebo_p:.2f`). This holds for alpha as well, which saw nothing in the underfit networks.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show what every measure sees", "code_prompt_hide": "Hide what every measure sees"}
style.table(
    tables.regularizers.seen(seen),
    frame_of=spectra,
    note="Settings whose training or test accuracy differs from the baseline's, and how many of them a measure tells from it "
    "(randomization test, Holm's correction within a measure). Last column: one baseline of every seed, taken for a setting.",
)

# %% [markdown]
# ## What an underfit network says
#
# Our first campaign trained the same network on {glue:text}`underfit_images:,d` images for {glue:text}`underfit_epochs` epochs, with
# {glue:text}`underfit_seeds` seeds. These networks underfit: no regularizer was seen to improve accuracy, and half of the dropout levels never
# learned. {numref}`fig-underfit-doses` shows the paper's four metrics there as {term}`shifts <shift>`: the change of a metric since the start of
# training, minus the same change in one baseline.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-underfit-doses", "caption": "Underfit networks: mean shift over all layers at every level, weakest first, for the paper's four metrics."}}
shifts = spectral_shifts.shifts(diversity_shifts.changes(underfit))
doses = diversity_shifts.over_seeds(shifts, ["category", "level", "order", "metric"])
style.show(
    figures.diversity.dose_response(doses, METRICS),
    "underfit-doses",
    note=f"Means with 95 % t intervals over {doses['n'].max()} seeds. The eigenvalues of the k x k slices of a kernel pooled.",
    frame=underfit,
    alt="Four panels with a marker per setting. Weight decay changes entropy and both norms in step with its strength, dropout from "
    "0.3 on; the augmentation levels stay near zero.",
)

# %% [markdown]
# In these networks weight decay and strong dropout mark the spectra, and augmentation hardly does: augmentation lowers the squared norms by
# {glue:text}`fall_div:.0f` % on average, dropout by {glue:text}`fall_dp:.0f` % and weight decay by {glue:text}`fall_wd:.0f` %.
#
# **Why do the two campaigns differ?** They agree on weight decay, and on strong dropout, which shrinks the kernels in both. They differ on weak
# dropout and on augmentation. (The fine-tuned networks of {doc}`15_fine_tuning` side with the networks that overfit: there, too, weak dropout
# enlarges the norms a little.) A likely reason is that after {glue:text}`underfit_epochs` epochs no network had fitted its images yet, so that there
# was nothing to hold back. Another is that effects as small as those of augmentation are hard to see with {glue:text}`underfit_seeds` seeds and one
# baseline for each.
#
# Do the marks in the networks that overfit come from regularization, or only from gradients that act for longer? This question has rules of its own
# ({doc}`../book/rules`), and {doc}`13_why` has what its controls say.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the paper's figure beside that of underfit networks", "code_prompt_hide": "Hide the paper's figure", "figure": {"name": "fig-underfit-theirs", "caption": "Mean shift per category over all layers: the release of paper A (left, one run per setting, 10 epochs, full size) and our underfit networks (right). Every panel has an axis of its own."}}
style.show(
    figures.diversity.beside_theirs(
        diversity_shifts.over_seeds(shifts, ["category", "metric"]), tables.diversity.theirs("category_mean")
    ),
    "underfit-theirs",
    note=f"Ours: lines are 95 % t intervals over {doses['n'].max()} seeds.",
    frame=underfit,
    alt="Bars of four metrics, the paper's on the left and ours on the right. In both, the log norm falls most under weight decay, "
    "then dropout, then diversity. Dropout raises the log spectral norm in the release and lowers it here.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the paper's statistics", "code_prompt_hide": "Hide the paper's statistics"}
style.table(
    tables.diversity.paper_statistics(diversity_shifts.profiles_by_seed(shifts)),
    frame_of=underfit,
    note="Ours: computed for every seed by itself; mean, smallest and largest over seeds. p: of the analysis of variance, not "
    "corrected, the largest over seeds. Layers are the replicates, as in the paper, although they are not independent.",
)

# %% [markdown]
# ## How it was done
#
# **What the released code does.** It trains one run per setting, without a fixed seed, and one baseline for all. It uses Adam with a learning rate
# of 0.00001 by default, at which training hardly moves the spectra. {doc}`10_released_measurements` shows which conclusions that design can bear.
#
# **What we chose.** We train a ResNet-18 with a 3x3 stem and a first stage of {glue:text}`width` channels on the first {glue:text}`images:,d` images
# of CIFAR-10, for {glue:text}`epochs` epochs of Adam at {glue:text}`lr:g` with a cosine schedule. We take the paper's levels of every regularizer,
# each by itself, and add a few of our own. All settings of a seed share the initial weights and the order of the images. Each seed has
# {glue:text}`baselines` baselines with other orders, and all seeds share the images.
#
# ## What would change our mind
#
# - *About the signs:* a wider ResNet-18, another data set or a vision transformer in which augmentation enlarges what acts on an image. The answer in
#   the box would then be about this network alone. Those campaigns have their rules and no records yet.
# - *About the cause:* a control that shows the marks to follow the time for which gradients act, whether accuracy improves or not. The spectra would
#   then tell of training time and not of regularization. Our first controls leave that open for what acts on an image ({doc}`13_why`).
