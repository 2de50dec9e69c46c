"""The tables of the theory: training gives what is predicted."""

import numpy as np
import pytest

from weightspace.analysis import dual_theory


def test_tables_hold_prediction_and_training_side_by_side():
    norms = dual_theory.norms((1.0, 5.0))
    np.testing.assert_allclose(norms["dual"], norms["dual, predicted"], rtol=0.03)
    np.testing.assert_allclose(norms["squared L2"], norms["squared L2, predicted"], rtol=0.06)
    found = dual_theory.directions((2.0, 0.5))
    np.testing.assert_allclose(found[["dual", "squared L2, matched"]].T, [found["predicted"]] * 2, atol=0.05)
    assert (found["gradient descent"] - found["predicted"] > 0.05).all()
    with pytest.raises(ValueError, match="targets"):
        dual_theory.norms((1.0,))
