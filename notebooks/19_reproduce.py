# %% [markdown]
# # Reproduce this book
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
# `make reproduce` can be interrupted: finished groups of runs are on record, and the same command goes on from there.
# Single experiments:
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
# {doc}`../book/cluster` says how several cores, GPUs or machines share a campaign.
#
# A notebook recomputes its experiment when papermill gives it `recompute`, at any scale:
#
# ```console
# $ jupytext --to ipynb --set-kernel python3 notebooks/02_regression.py
# $ papermill notebooks/02_regression.ipynb out.ipynb -p scale quick -p recompute True
# ```
#
# Every chapter can be downloaded as its source or as a notebook, by the button at the top of its page. Below a figure, *How
# this figure was made* has the lines that made it, the plotted values as CSV, and its record. The folder `.binder` describes
# an environment without PyTorch for chapters that only read records, such as {doc}`02_regression`, {doc}`05_neurons` and
# {doc}`07_imbalance`.
#
# ## What is on record
#
# Experiments at the scale of the papers, or at the scale `laptop` where that of the paper needs a GPU. Computing time is
# the sum over runs of their share in the time of their group; a group uses every core of the machine.

# %% tags=["parameters", "remove-input"]
scale = "paper"
seeds = None
device = "cpu"
recompute = False

# %% tags=["remove-input"]
from weightspace.display import style, tables

style.table(tables.common.status())

# %% [markdown]
# ## How the notebooks of this build ran
#
# Notebooks whose source, parameters, package, records and versions have not changed are not executed again.
#
# ```{notebook-runs}
# ```
#
# ## What a record holds
#
# One Parquet file per experiment and scale under `results/`, one row per run and turn; `weightspace.records.load` reads
# it. A run is keyed by its full configuration (`run_key` is a digest of `configuration`). Beside the measured value every
# row holds the settings that were changed by hand, device, precision, threads, versions, the revision of the source
# (empty for runs from before it was kept), digest and edition of the data, the number of rows of the run, seconds and
# time. Each file holds a digest of all of its bytes, and is refused if a bit of it is not as it was written.
#
# A campaign writes each group of runs to a file of its own, a part, in one step and without a lock; reading takes file and
# parts together, and merging them gives the same file whatever the order of computing. A group is computed under a lease,
# so that several processes or machines share a campaign. On one machine a worker that dies loses its lease at once. On
# a network file system that does not pass locks on, the time of the lease's file counts instead: its holder renews it every
# 20 seconds, and after two minutes without it another machine takes over.
#
# The same seed gives the same run on the same machine with the same versions. Elsewhere the order of float32 sums differs,
# and after tens of thousands of updates single runs part company; what agrees is the mean over seeds.
