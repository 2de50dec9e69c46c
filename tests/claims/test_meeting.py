"""The claim on the spectra of dual weights, on made-up campaigns whose truth is known."""

import pytest
from dual_campaigns import DECAY, DROPOUT, campaign

from weightspace.analysis import dual_spectra_tests as rule
from weightspace.claims.meeting import as_weight_decay


@pytest.mark.parametrize(
    ("dual", "verdict", "decided"), [(DECAY, "supported", (3, 0)), (DROPOUT, "not supported", (0, 3))]
)
def test_the_claim_holds_where_weight_decay_was_planted(monkeypatch, dual, verdict, decided):
    judge = rule.judge
    monkeypatch.setattr(rule, "judge", lambda frame: judge(frame, draws=300))
    found = {finding.method: finding for finding in as_weight_decay(campaign(dual, size=10.0))}
    assert len(found) == 8
    answer, predicted = found["dual stabilized, shape"], found[f"dual stabilized, shape, {rule.PREDICTED}"]
    assert answer.verdict == verdict and (answer.wins, answer.losses) == decided
    assert (answer.mean < 1) == (verdict == "supported")
    assert predicted.verdict == verdict and predicted.wins + predicted.losses == 1
