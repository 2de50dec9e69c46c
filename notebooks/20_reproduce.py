# %% [markdown]
# # Reproduce this book
#
# :::{admonition} In short
# :class: answer
# **Question.** How do you rebuild this book, and how do you compute its numbers again?
#
# **Answer.** `make book` builds it from the committed records, on a laptop, without data and without a GPU. `make reproduce` computes every run
# that is not on record. {glue:text}`whole` of {glue:text}`experiments` experiments are whole on record; together the records took
# {glue:text}`hours:.0f` hours of computing.
#
# **How sure.** The same seed gives the same run on the same machine with the same versions. Elsewhere the order of float32 sums differs, and
# after tens of thousands of updates single runs part company; what agrees is the mean over seeds.
# :::

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show how the records are loaded", "code_prompt_hide": "Hide the code"}
from weightspace.display import quotes, style, tables

quotes.glue(**tables.common.on_record())

# %% [markdown]
# ## From a checkout to a number
#
# Everything needs Python 3.11 or newer and `make`.
#
# ```console
# $ make book        # set up .venv, execute the notebooks from the committed records, build the site
# $ make test        # the same set-up, then every test
# $ make data        # download and verify the data sets (or set WEIGHTSPACE_DATA to a folder that has them)
# $ make reproduce   # compute every run that is not on record, at the scale of the papers
# ```
#
# `make reproduce` can be interrupted: finished groups of runs are on record, and the same command goes on from there. A single experiment has
# a command of its own:
#
# ```console
# $ python -m weightspace run dual_regression                  # what is missing, at the scale of the paper
# $ python -m weightspace run dual_regression --recompute      # everything anew
# $ python -m weightspace run dual_regression --scale quick    # seconds, on data that ships with scikit-learn
# $ python -m weightspace status                               # what is on record, what is missing
# $ python -m weightspace run dual_regression --jobs 4         # with four worker processes
# $ python -m weightspace records merge dual_regression        # one file of the parts that the runs were written to
# $ python -m weightspace reported dual_regression             # ours against the reported values
# $ python -m weightspace run dual_classification --device cuda # on a GPU, where there is one
# ```
#
# {doc}`../book/cluster` says how several cores, GPUs or machines share a campaign. A chapter computes its experiment again when papermill gives
# it `recompute`, at any scale:
#
# ```console
# $ jupytext --to ipynb --set-kernel python3 notebooks/02_regression.py
# $ papermill notebooks/02_regression.ipynb out.ipynb -p scale quick -p recompute True
# ```
#
# Every chapter can be downloaded as its source or as a notebook, by the button at the top of its page. Below a figure, *How this figure was
# made* has the lines that made it, the plotted values as CSV, and its record. The folder `.binder` describes an environment without PyTorch; all
# chapters run in it but {doc}`01_dual_weight_update` and {doc}`19_use_it`, which train on the page.
#
# ## What is on record
#
# The table lists each experiment at the scale that the book shows: that of the papers, or the reduced scale `laptop` where the papers' needs a
# GPU. Computing time is the sum over runs of their part in the time of their group; a group uses every core of the machine.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show every experiment", "code_prompt_hide": "Hide the experiments"}
style.table(tables.common.status())

# %% [markdown]
# ## How the notebooks of this build ran
#
# A notebook runs again only if its code, parameters, package, records or versions have changed. Its prose is no part of a run.
#
# ```{notebook-runs}
# ```
#
# ## What a record holds
#
# There is one Parquet file per experiment and scale under `results/`, with one row per run and turn; `weightspace.records.load` reads it. A run
# has a key, `run_key`, which is a digest of its full configuration. Beside the measured value every row holds the settings that were changed by
# hand, device, precision, threads, versions, the revision of the source (empty for runs from before it was kept), digest and edition of the
# data, the number of rows of the run, seconds and time. Each file holds a digest of all of its bytes, and is refused if a bit of it is not as it
# was written.
#
# ```{dropdown} How several processes write one record
# A campaign writes each group of runs to a file of its own, a part, in one step and without a lock. Reading takes file and parts together, and
# merging them gives the same file whatever the order of computing. A group is computed under a lease, so that several processes or machines
# share a campaign. On one machine a worker that dies loses its lease at once. On a network file system that does not pass locks on, the time of
# the lease's file counts instead: its holder renews it every 20 seconds, and after two minutes without it another machine takes over.
# ```
