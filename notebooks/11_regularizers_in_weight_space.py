# %% [markdown]
# # Regularizers in weight space
#
# What do dropout, weight decay and data augmentation do to the weights of a network that is trained from scratch? Paper A
# {cite:p}`ba2024` reads the answer off the spectra of the weight matrices. Here the experiment is done again at a reduced scale,
# with every level of every regularizer and {glue:text}`n_seeds` seeds.
#
# **In short:** weight decay and dropout change the spectra in step with their strength, partly in opposite directions. Data
# augmentation changes them little: it lowers the squared norms by {glue:text}`fall_div:.1f` % on average, where dropout lowers them
# by {glue:text}`fall_dp:.0f` % and weight decay by {glue:text}`fall_wd:.0f` %.
#
# **Terms.** The paper uses four numbers per layer, all of them functions of the eigenvalues $\lambda_i$ of $W^\top W$
# ({doc}`09_random_matrices`): the *log norm* is $\log_{10}\sum\lambda_i$, the logarithm of the squared Frobenius norm; the *log
# spectral norm* is $\log_{10}\lambda_{\max}$; the *entropy* is that of the fractions $\lambda_i/\sum\lambda_i$, divided by its largest
# value; *alpha* is the exponent of a power law fitted to the largest eigenvalues. *Diversity* is what the paper calls the category of
# all augmentation levels.
#
# **What the paper says.** More diverse data change the spectra in the way that dropout and weight decay do.
#
# **What its released code does.** One run per setting, without a seed. For every layer, four metrics after training minus
# before, minus the same of one baseline run: the *shift*. {doc}`10_released_measurements` shows what that design can bear.
#
# **What we chose.** The network and the levels of the paper: a ResNet-18 with a 3x3 stem; four dropout rates, six weight
# decays, ten augmentation levels, each by itself, drawn anew for every image and epoch. All settings of a seed share initial
# weights and data order. The released script for this network uses Adam with a learning rate of 0.00001 by default, at which
# training hardly moves the spectra; we tuned optimizer and learning rate once, on the baseline with training images held out. **The scale is reduced**, because no GPU was at hand: {glue:text}`images` training
# images instead of 50,000, {glue:text}`epochs` epochs instead of 10, a first stage of {glue:text}`width` channels instead of 64,
# {glue:text}`n_seeds` seeds. Networks that would need longer training, above all under strong dropout and strong augmentation,
# are cut off early.

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %%
from weightspace import experiments
from weightspace.analysis import diversity_shifts, spectral_shifts
from weightspace.display import figures, interactive, quotes, style, tables
from weightspace.experiments.diversity.spectra import METRICS

runs = experiments.ensure("diversity_cifar10", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_spectra", scale, seeds, "cpu", recompute)
tuning = experiments.ensure("diversity_tuning", scale, None, device, recompute)
changes = diversity_shifts.changes(spectra)
shifts = spectral_shifts.shifts(changes)
profiles = diversity_shifts.profiles_by_seed(shifts)

# %% tags=["remove-cell"]
plan = next(iter(experiments.planned("diversity_cifar10", scale, seeds).values()))
norms = diversity_shifts.norm_changes(spectra)
pearson = diversity_shifts.seed_comparisons(shifts).groupby(["metric", "a", "b"])["pearson"]
quotes.glue(
    images=f"{plan.train_size:,}",
    epochs=plan.epochs,
    width=plan.width,
    lr=plan.lr,
    batch_size=plan.batch_size,
    n_seeds=len(profiles),
    pearson_range=(pearson.max() - pearson.min()).max(),
    fall_div=-quotes.quote(norms, "percent", part="whole", category="div"),
    fall_dp=-quotes.quote(norms, "percent", part="whole", category="dp"),
    fall_wd=-quotes.quote(norms, "percent", part="whole", category="wd"),
)
layers = "Convolutions as the paper takes them: the eigenvalues of the k x k slices pooled."

# %% [markdown]
# ## What the settings learn
#
# Adam, learning rate {glue:text}`lr`, batches of {glue:text}`batch_size`, no schedule: the best of seven candidates on a fifth of
# the training images, held out. The loss on the training images *as they
# are*, in evaluation mode, is the common scale on which regularizers can be compared: it says how far a setting keeps the
# network from fitting its data.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-campaign-outcomes", "caption": "Loss on the unaltered training images and test accuracy after training, every setting. Line and band: the baseline."}}
outcomes = diversity_shifts.outcomes(spectra)
style.show(
    figures.diversity.outcomes(outcomes),
    "campaign-outcomes",
    note=f"Means with 95 % t intervals over {len(profiles)} seeds.",
    frame=spectra,
    alt="Two panels, a marker per setting. Loss rises and accuracy falls with the dropout rate, steeply above 0.3, with the "
    "strongest weight decay, and with the augmentation levels that change more of the image.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the numbers", "code_prompt_hide": "Hide the numbers"}
style.table(tables.diversity.recipe(outcomes), frame_of=spectra, note="Mean ± half the 95 % t interval over seeds.")

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the tuning", "code_prompt_hide": "Hide the tuning"}
style.table(
    tables.diversity.tuning(tuning),
    frame_of=tuning,
    note="Baseline only, four fifths of the training images, means over seeds. Chosen: the first row.",
)

# %% [markdown]
# After three epochs no regularizer was seen to improve accuracy, and many lowered it; gains of a few points cannot be excluded with
# {glue:text}`n_seeds` seeds ({doc}`13_diversity_outcomes`). Dropout of 0.5 and 0.7 after every block keeps this narrow network from
# learning; part of that is batch normalisation, whose running statistics do not fit once the masks are
# gone {cite:p}`li2019`. {numref}`fig-campaign-outcomes` is the reason why the next chapter compares settings of *equal* strength.
#
# ## Spectra
#
# {numref}`fig-campaign-densities` shows the eigenvalues of one late layer, all seeds together. Training leaves the bulk of the
# initial weights where it is and adds large eigenvalues beyond its edge; strong dropout adds fewer. Weight decay moves the bulk
# itself down by orders of magnitude. In this layer the augmentation levels cannot be told from the baseline by eye.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-campaign-densities", "caption": "Density of the logarithm of the eigenvalues of one late layer after training, for some levels of each regularizer (thicker: stronger), the baseline and the initial weights."}}
layer = "layer4.1.conv2"
one_layer = diversity_shifts.pooled_eigenvalues(runs, layer)
style.show(
    figures.diversity.densities(*one_layer),
    "campaign-densities",
    note=f"{layer}; eigenvalues of all slices and {len(profiles)} seeds pooled.",
    frame=runs,
    alt="Three panels of histograms on logarithmic axes. Weight decay moves the whole density to smaller eigenvalues; strong "
    "dropout has fewer large eigenvalues than the baseline; augmentation levels lie on the baseline.",
    live=interactive.densities(runs, layer),
)

# %% [markdown]
# ## Layer by layer

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-campaign-layers", "caption": "Mean shift of every layer against the baseline of the same seed, over the levels of a category."}}
style.show(
    figures.diversity.layer_shifts(diversity_shifts.layer_means(shifts)),
    "campaign-layers",
    note=f"Bands: 95 % t intervals over {len(profiles)} seeds. {layers}",
    frame=spectra,
    alt="Four panels of shifts by layer. In entropy and both norms weight decay lies below zero in nearly all layers, more in "
    "late ones; dropout lies between it and zero in the norms, above zero in the entropy; diversity stays close to zero. "
    "Alpha is noisy for all three.",
)

# %% [markdown]
# ## Dose and response
#
# A regularizer that acts on the spectra should act more at higher doses. Beyond the paper's four metrics: stable and effective
# rank, the scale of the Marchenko-Pastur bulk, the soft rank, and the number of spikes beyond the edge
# ({doc}`09_random_matrices`).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-campaign-doses", "caption": "Mean shift over all layers at every level, weakest first, for nine metrics."}}
every = spectral_shifts.shifts(diversity_shifts.changes(spectra, metrics=METRICS))
doses = diversity_shifts.over_seeds(every, ["category", "level", "order", "metric"])
style.show(
    figures.diversity.dose_response(doses, METRICS),
    "campaign-doses",
    note=f"Means with 95 % t intervals over {len(profiles)} seeds. {layers}",
    frame=spectra,
    alt="Nine panels with a marker per setting. Weight decay changes every metric in step with its strength, dropout most of "
    "them from 0.3 on; the augmentation levels stay near zero.",
)

# %% [markdown]
# The two explicit regularizers are not one pattern. Both shrink the squared norms, by {glue:text}`fall_dp:.0f` % (dropout) and
# {glue:text}`fall_wd:.0f` % (weight decay) in the geometric mean over layers and levels. But weight decay concentrates what
# remains in few directions: stable and effective rank (how many directions carry the norm) fall, and spikes stand out of a shrunken
# bulk. Dropout spreads it: the ranks rise, and spikes vanish. Diversity shrinks the squared norms by {glue:text}`fall_div:.1f` %;
# in the other metrics its mean shifts lie close to zero.

# %% [markdown]
# ## The paper's figures beside ours
#
# The mean over layers per category, and the paper's two statistics: an analysis of variance between categories, and Pearson
# correlations between them, with layers as replicates. The size of a shift depends on how far training moves the
# weights at all: in the release, training changes them little, so only signs and ratios can be compared.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-campaign-theirs", "caption": "Mean shift per category over all layers: the release of paper A (left, one run per setting, 10 epochs, full size) and ours (right). Every panel has an axis of its own."}}
style.show(
    figures.diversity.beside_theirs(
        diversity_shifts.over_seeds(shifts, ["category", "metric"]), tables.diversity.theirs("category_mean")
    ),
    "campaign-theirs",
    note=f"Ours: lines are 95 % t intervals over {len(profiles)} seeds.",
    frame=spectra,
    alt="Bars of four metrics, the paper's on the left and ours on the right. In both, the log norm falls most under weight decay, "
    "then dropout, then diversity. Dropout raises the log spectral norm in the release and lowers it here.",
)

# %% tags=["remove-input"]
style.table(
    tables.diversity.paper_statistics(profiles),
    frame_of=spectra,
    note="Ours: computed for every seed by itself; mean, smallest and largest over seeds. p: of the analysis of variance, not "
    "corrected, the largest over seeds. Layers are the replicates, as in the paper, although they are not independent.",
)

# %% [markdown]
# The correlations of one seed differ from those of another by up to {glue:text}`pearson_range:.2f`. A single run per setting, as
# in the release, is one draw from such a spread.
#
# Two choices are ours to vary: whether augmentation levels stand alone or on top of each other, as the release seems to have
# them, and how a convolution is made a matrix. The table shows how much hangs on them and on the last layer.

# %% tags=["remove-input"]
style.table(
    tables.diversity.choices(spectra),
    frame_of=spectra,
    note="Pearson correlation over layers of the shift of diversity with that of dropout and of weight decay, mean over seeds.",
)

# %% [markdown]
# ## What this shows
#
# Weight decay shows in the norms, the ranks and the bulk, in step with its strength; dropout shows as well, partly in the opposite
# direction; diversity shows in the log norm, and there little. The order of the three in the log norm is that of the release, and so are several correlations. Whether
# diversity *resembles* dropout cannot be read off them, because all categories share initial weights and a baseline and
# differ in strength. {doc}`12_like_dropout` takes this away.
