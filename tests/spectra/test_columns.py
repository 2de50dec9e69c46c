"""What is said about the columns of a report is about the columns that it has."""

import torch
from torch import nn

from weightspace import spectral_report
from weightspace.__main__ import main
from weightspace.spectra.columns import COLUMNS
from weightspace.spectra.report import FEWEST, FEWEST_IN_TAIL


def test_every_column_is_explained_in_its_order_and_in_the_help(capsys):
    torch.manual_seed(0)
    report = spectral_report(nn.Linear(12, 12), intervals=2, goodness=2, progress=False)
    assert list(report) == list(COLUMNS)
    assert (
        f"below {FEWEST} eigenvalues" in COLUMNS["alpha"] and f"fewer than {FEWEST_IN_TAIL} values" in COLUMNS["alpha"]
    )
    try:
        main(["spectra", "--help"])
    except SystemExit:
        told = " ".join(capsys.readouterr().out.split())
    assert all(f"{name}: {says}" in told for name, says in COLUMNS.items())
