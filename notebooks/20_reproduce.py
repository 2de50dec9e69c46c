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
# $ python -m weightspace compare dual_regression              # ours against the reported values
# $ python -m weightspace run dual_classification --device cuda # on a GPU, where there is one
# ```
#
# A notebook recomputes its experiment when papermill gives it `recompute`, at any scale:
#
# ```console
# $ jupytext --to ipynb --set-kernel python3 notebooks/02_regression.py
# $ papermill notebooks/02_regression.ipynb out.ipynb -p scale quick -p recompute True
# ```
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
from weightspace import style, tables

style.table(tables.status())

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
# it. A run is keyed by its full configuration (`run_key`). Beside the measured value every row holds the device, the
# versions, the digest and edition of the data, seconds and time. Files are written in one step under a lock, and their
# pages carry checksums.
#
# The same seed gives the same run on the same machine with the same versions. Elsewhere the order of float32 sums differs,
# and after tens of thousands of updates single runs part company; what agrees is the mean over seeds.
