# %% [markdown]
# # Why do regularizers mark the weights?
#
# :::{admonition} In short
# :class: answer
# **Question.** Do regularizers change the weights because they regularize, or only because they put off the moment at which a network fits its training images, so that gradients act for longer?
#
# **Answer.** By our rule that is {glue:text}`verdict_first`, because only one of the three controls that decide gave an answer. That one speaks for regularization: where every network is stopped at the same training loss, augmentation and dropout keep {glue:text}`stopped_augmentation:.0f` % and {glue:text}`stopped_dropout:.0f` % of their effect on what acts on an image. Wrong labels make the kernels larger just as augmentation does (similarity {glue:text}`wrong_raw:.2f`), and change what acts on an image in another direction ({glue:text}`wrong_folded:.2f`). With twice the epochs the effect on the kernels' norm grows, and that on the folded norm does not. So the norm of the kernels seems to tell how long gradients have acted, and the folded norm tells more than that.
#
# **How sure.** n = {glue:text}`n_seeds` seeds, with {glue:text}`baselines` baselines each, one network and one set of images. The numbers and thresholds came before any of these runs. They separate the two explanations less well than we had planned: stopping at equal loss takes away only a part of the delay.
# :::

# %% tags=["parameters", "remove-input"]
scale = "laptop"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
from weightspace import claims, experiments
from weightspace.analysis import frames, regularizer_controls, regularizer_tests
from weightspace.analysis import regularizer_facts as facts
from weightspace.analysis.regularizer_effects import MATRIX, MEASURES, SLICES, Measure
from weightspace.display import figures, quotes, style, tables

experiments.ensure("diversity_from_scratch", scale, seeds, device, recompute)
spectra = experiments.ensure("diversity_from_scratch_spectra", scale, seeds, "cpu", recompute)
runs = experiments.ensure("diversity_controls", scale, seeds, device, recompute)
controls = experiments.ensure("diversity_controls_spectra", scale, seeds, "cpu", recompute)
every = [measure for members in MEASURES.values() for measure in members]
passed = regularizer_tests.passed(regularizer_tests.controls(spectra, every))
answers = regularizer_controls.answers(spectra, controls, passed)
sizes = facts.sizes(spectra, MEASURES["folded"])
gains = facts.gains_under_controls(spectra, controls)

# %% tags=["remove-cell"]
quote = quotes.at(scale)
judged = tables.common.judged([claim for claim in claims.CLAIMS if claim.id == "A5o"])
plans = {plan.control: plan for plan in experiments.planned("diversity_controls", scale, seeds).values()}
n_seeds, baselines = controls["seed"].nunique(), frames.select(runs, setting="baseline")["replicate"].nunique()
n = f"n = {n_seeds} seeds, with {baselines} baselines each."
folded_norm = {"set": "folded", "measure": Measure("log_norm", "folded", MATRIX)}
raw_norm = {"set": "raw", "measure": Measure("log_norm", "apart", SLICES)}
stopped, fixed, longer = ({"control": name, **folded_norm} for name in ("equal_loss", "fixed_norm", "twice_the_epochs"))
quotes.glue(
    n_seeds=n_seeds,
    baselines=baselines,
    wrong=100 * plans["label_noise"].label_noise,
    stop_loss=plans["equal_loss"].stop_loss,
    verdict_first=quote(judged, "verdict", method=claims.regularizers.FIRST_TOGETHER),
    stopped_augmentation=100 * quote(answers, "number", category="augmentation", **stopped),
    stopped_dropout=100 * quote(answers, "number", category="dropout", **stopped),
    fixed_augmentation=100 * quote(answers, "number", category="augmentation", **fixed),
    fixed_dropout=100 * quote(answers, "number", category="dropout", **fixed),
    fixed_decay=100 * quote(answers, "number", category="weight_decay", **fixed),
    longer_augmentation=100 * quote(answers, "number", category="augmentation", **longer),
    longer_dropout=100 * quote(answers, "number", category="dropout", **longer),
    longer_decay=100 * quote(answers, "number", category="weight_decay", **longer),
    longer_raw=quote(answers, "number", control="twice_the_epochs", category="augmentation", **raw_norm),
    wrong_raw=quote(answers, "number", control="label_noise", **raw_norm),
    wrong_folded=quote(answers, "number", control="label_noise", **folded_norm),
    noise_folded=quote(answers, "number", control="noise50", **folded_norm),
)

# %% tags=["remove-cell"]
decay, rand_augment = {"setting": "weight_decay_0.005"}, {"setting": "rand_augment"}
quotes.glue(
    size_decay=quote(sizes, "size", **decay),
    gain_decay=quote(sizes, "gain", **decay),
    delay_decay=quote(sizes, "delay", **decay),
    size_rand_augment=quote(sizes, "size", **rand_augment),
    delay_main=quote(gains, "delay", control="none", **rand_augment),
    delay_stopped=quote(gains, "delay", control="equal_loss", **rand_augment),
    gain_main=quote(gains, "gain", control="none", **rand_augment),
    gain_stopped=quote(gains, "gain", control="equal_loss", **rand_augment),
    gain_half=quote(gains, "gain", control="half_lr", **rand_augment),
    delay_half=quote(gains, "delay", control="half_lr", **rand_augment),
    fit_stopped=quote(gains, "train", control="equal_loss", **rand_augment),
    gain_wrong_less=-quote(gains, "gain", control="label_noise"),
    delay_wrong=quote(gains, "delay", control="label_noise"),
    gain_decay_fixed_less=-quote(gains, "gain", control="fixed_norm", **decay),
)

# %% [markdown]
# ## Two explanations
#
# {doc}`12_like_dropout` found that augmentation changes the weights in the direction of dropout. That may mean two things.
#
# 1. **They regularize.** What marks the weights is what makes the network answer better on new images.
# 2. **They put off interpolation.** Once a network is right on all of its training images, its gradients vanish and its weights come to rest. Dropout and
#    augmentation both make the images harder to fit. They keep gradients alive for longer, and any longer training would leave the same marks.
#
# If the second explanation is enough, "diversity acts like dropout" is true and says little. {numref}`fig-sizes` shows the size of each setting's effect
# against its gain in accuracy (left) and against the {term}`delay <interpolation>`, the number of epochs by which it puts off interpolation (right).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-sizes", "caption": "Size of the effect of every setting that learns, mean over layers and the four folded measures, against its gain in test accuracy (left) and the delay of interpolation (right). Lines: 95 % t intervals of gain and delay over seeds. The vertical axis is linear up to 1 and logarithmic beyond."}}
style.show(
    figures.controls.sizes(
        sizes, ("rand_augment", "flip_crop", "auto2", "noise50", "dropout_0.1", "dropout_0.3", "weight_decay_0.005")
    ),
    "sizes",
    note=f"n = {spectra['seed'].nunique()} seeds. Sizes from products of different seeds, in standard deviations between baselines.",
    frame=spectra,
    alt="Two scatter plots. Effects of augmentation and dropout grow with both gain and delay, from near 0 to nearly 10 standard deviations. Strong weight "
    "decay lies far above them, with hardly any gain or delay.",
)

# %% [markdown]
# Among augmentation and dropout, what gains more or delays more also changes the weights more, and the figure alone cannot tell gain from delay.
# Weight decay fits neither. The strongest one gains {glue:text}`gain_decay:.1f` points and delays by {glue:text}`delay_decay:.1f` epochs only, and it changes the weights most:
# by {glue:text}`size_decay:.0f` standard deviations, where RandAugment changes them by {glue:text}`size_rand_augment:.1f`. It pulls at the weights directly, whatever that does
# to the answers.
#
# ## One thing changed at a time
#
# So we ran a few settings again under *controls*, each of which changes one thing, and for which the two explanations predict different numbers
# ({numref}`fig-controls`; {doc}`../book/rules` has the predictions).
#
# - **Wrong labels.** Of the training labels {glue:text}`wrong:.0f` % are wrong: harder to fit, and worse at the test. Does that mark the weights as augmentation does?
# - **Noise of level 50.** It hardly gains anything. Is its effect as small as its gain, or as large as its delay?
# - **Stopped at equal training loss.** Every network trains until its loss is {glue:text}`stop_loss:.1f`. How much of an effect is left?
# - **Twice the epochs.** The baseline rests while the others go on. Do effects grow?
# - **Half of the learning rate.** Do effects follow the gain or the delay?
# - **Kernels at their initial norm.** How much of an effect is the growth of the kernels?

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-controls", "caption": "What the controls say: one number each, for every measure and category. Dotted: the threshold of the rule; the words above a panel say which explanation a number on that side speaks for. Filled: decided. Not drawn: where both explanations predict the same size."}}
style.show(
    figures.controls.answers(answers),
    "controls",
    note=f"{n} Lines: 95 % bootstrap intervals over seeds. Arrows: numbers beyond the panel.",
    frame=controls,
    alt="Six panels with eleven rows. Stopped at equal training loss, nearly all numbers lie right of the threshold, towards regularization. Wrong labels: "
    "the raw log norm lies near 1, the folded ones below 0, the others have wide intervals. Twice the epochs: entropies and raw norms lie right of the threshold, folded norms at 1. Noise and half of the learning rate: open. "
    "Kernels at their initial norm: augmentation and dropout near or above 1, the raw log norm at 0.",
)

# %% [markdown]
# **Stopped at equal training loss** is the only one of the first three controls that is decided. Nearly all numbers lie to the right of the threshold: at equal
# loss more than half of each effect is still there, and RandAugment still gains {glue:text}`gain_stopped:.0f` points (without the control {glue:text}`gain_main:.0f`). What marks the weights does not wait
# until the baseline has fitted everything.
#
# **Wrong labels** cost {glue:text}`gain_wrong_less:.0f` points. Their effect on the log norm of the raw kernels points in the same direction as that of augmentation
# (similarity {glue:text}`wrong_raw:.2f`). On the folded log norm it does not ({glue:text}`wrong_folded:.2f`), nor on the folded log spectral norm. In the other measures the
# intervals are too wide to say. This is what one would expect if kernels in front of a batch norm grow as long as gradients act, for any reason, and if
# the function of the network changes for a reason of its own.
#
# **Noise of level 50** seems to have larger effects than either explanation predicts: in the folded log norm its place is {glue:text}`noise_folded:.1f`, where 1 would be
# the delay. But the intervals are wide and none is decided. Gain and delay of noise are so close to zero that a ratio to them says little.
#
# **Twice the epochs** divides the measures in the same way. The effect of augmentation on the raw log norm grows to {glue:text}`longer_raw:.1f` times its size, and its effects on
# entropy grow too. Its effect on the folded log norm stays where it was ({glue:text}`longer_augmentation:.0f` %; dropout {glue:text}`longer_dropout:.0f` %, weight decay
# {glue:text}`longer_decay:.0f` %), although interpolation is put off further.
#
# **Half of the learning rate** decides nothing, because it changes gain and delay together: RandAugment gains {glue:text}`gain_half:.0f` points there and delays by
# {glue:text}`delay_half:.0f` epochs.
#
# **Kernels at their initial norm** is told and not judged. Augmentation and dropout keep {glue:text}`fixed_augmentation:.0f` % and {glue:text}`fixed_dropout:.0f` % of their effect on the
# folded norm, and they gain as much. Weight decay keeps {glue:text}`fixed_decay:.0f` % and gains nothing any more. So weight decay acts here through the norm of
# the kernels, which sets how large a step is for a network with batch norm; augmentation and dropout do not need it.
#
# ## The verdicts

# %% tags=["remove-input"]
style.table(
    tables.common.verdict_rows(judged),
    across="claim",
    frame_of=controls,
    note="Effect: the number of the control, mean over judged comparisons with the smallest and largest. Wins, ties, losses: decided for "
    "postponement, undecided, decided for regularization. Last row: the first three controls.",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every number of every control", "code_prompt_hide": "Hide the numbers"}
style.table(
    tables.regularizers.controls(answers),
    frame_of=controls,
    note="Holm's correction over the judged rows of a control. Detectable: what would have been decided above the threshold with a power of 80 %.",
)

# %% [markdown]
# ## What each control changes

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show gains and delays under every control", "code_prompt_hide": "Hide gains and delays"}
style.table(
    tables.regularizers.gains_under_controls(gains),
    decimals=1,
    frame_of=controls,
    note=f"{n} Means with 95 % t intervals over seeds, against the baselines of the same control and seed.",
)

# %% [markdown]
# **A weakness of the design.** At equal loss, RandAugment still puts off interpolation by {glue:text}`delay_stopped:.0f` epochs, where it does so by
# {glue:text}`delay_main:.0f` without the control, because it needs more epochs to reach that loss. The control makes the fit equal and not the time. Wrong labels, which were to
# put off interpolation without any gain, do so by only {glue:text}`delay_wrong:.1f` epochs: this network learns wrong labels by heart almost as quickly as right ones. We had not
# foreseen either. Anybody who holds that time alone marks the weights can still do so.
#
# ## How it was done
#
# Each control repeats runs of the main campaign with one thing changed: the baseline, two levels of augmentation, dropout 0.1 and the strongest weight
# decay, with {glue:text}`n_seeds` seeds. Wrong labels are a setting by themselves, held against the baselines of the main campaign. The predictions, the
# numbers and their thresholds ({doc}`../book/rules`) were committed before any of these runs existed.
#
# ## What would change our mind
#
# A control that makes the time equal, such as a baseline whose training error is held up by other means for as many epochs: if it moves the folded norm as
# augmentation does, the marks are those of time. More seeds would narrow the intervals of wrong labels and of noise, but not mend their design.

# %% [markdown]
# ```{glue} judged_13_why
# :doc: 21_claims.py
# ```
