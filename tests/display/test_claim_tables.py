"""The claims as readers see them: every claim has its place, every link its card, every number its finding."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from weightspace import claims
from weightspace.claims.verdicts import Finding
from weightspace.display import tables

CODES = {claim.id for claim in claims.CLAIMS}


def judged(**changes: object) -> pd.DataFrame:
    """A finding for each claim, for those on the landing page that which it shows."""
    shown = {code: method for _, code, method in tables.claims.IN_SHORT}
    rows = []
    for position, claim in enumerate(claims.CLAIMS):
        finding = Finding(shown.get(claim.id, "dual"), 0.5, 0.6 + position / 1000, 0.7, 3, 2, 1, 20, "mixed")
        same = {name: getattr(claim, name) for name in ("statement", "source", "spread")}
        rows.append(same | {"claim": claim.id, "scales": {"some": "paper"}} | vars(finding) | changes)
    return pd.DataFrame(rows)


def test_every_claim_has_one_chapter_a_place_in_the_map_and_a_reading(root):
    chapters = [code for _, codes in tables.claims.CHAPTERS.values() for code in codes.split()]
    assert len(set(chapters)) == len(chapters) and set(chapters) <= CODES
    places = {code for _, rows in tables.claims.MAP.values() for codes in rows.values() for code in codes if code}
    assert places <= CODES
    for columns, rows in tables.claims.MAP.values():
        assert {len(codes) for codes in rows.values()} == {len(columns)}
    assert all(len(tables.claims.reading(code)) == 2 for code in CODES)
    for page in tables.claims.CHAPTERS:
        assert any((root / "notebooks" / f"{page}{kind}").is_file() for kind in (".py", ".md")), page


def test_a_claim_without_a_place_has_a_row_of_its_own():
    table = judged()
    table.loc[0, ["claim", "statement"]] = "B9", "Dual weights do more."
    assert 'Dual weights do more.</th><td><a class="ws-sign" href="#B9"' in tables.claims.at_a_glance(table).text
    assert "Others: Dual weights do more.</a> <small>B9</small>" in tables.claims.register(table).text


def test_each_chapter_shows_the_box_of_its_claims(root):
    for name in tables.claims.judged_here(judged()):
        [page] = [*root.glob(f"notebooks/{name[7:]}.py"), *root.glob(f"book/{name[7:]}.md")]
        assert f"```{{glue}} {name}\n" in page.read_text(), page


def test_all_links_lead_to_a_card():
    table = judged()
    text = "".join(tables.claims.cards(table, claims.CLAIMS, letter).text for letter in "ABC")
    cards = re.findall(r'<details class="ws-claim" id="(\w+)"', text)
    assert sorted(cards) == sorted(CODES)
    for part in (
        tables.claims.at_a_glance(table),
        tables.claims.register(table),
        *tables.claims.judged_here(table).values(),
    ):
        linked = re.findall(r'href="[^"#]*#(\w+)"', part.text)
        assert linked and set(linked) <= CODES
    assert set(re.findall(r'href="#(\w+)"', tables.claims.at_a_glance(table).text)) == CODES


def test_a_sign_of_the_map_says_its_verdict_and_of_which_methods():
    table = judged()
    own = table[table["claim"] == "B1a"].copy()
    own["method"], own["verdict"] = "dual", "mixed"
    other = own.assign(method="dual_stabilized", verdict="supported")
    text = tables.claims.at_a_glance(pd.concat([table[table["claim"] != "B1a"], own, other])).text
    for verdict, method in (("mixed", "dual"), ("supported", "dual, stabilized")):
        sign = f'<a class="ws-sign" href="#B1a" title="{verdict}: {method}'
        assert sign in text and f">{verdict}</span></a>" in text.partition(sign)[2][:120]
    assert {*table["verdict"]} <= {*tables.claims.VERDICTS}


def test_the_landing_page_says_what_the_findings_say():
    table = judged()
    text = tables.claims.in_short(table, "page.html").text
    rows = re.findall(r"<tr><td>(.*?)</tr>", text)
    assert len(rows) == len(tables.claims.IN_SHORT) <= 8
    for row, (sentence, code, _) in zip(rows, tables.claims.IN_SHORT):
        mean = table.loc[table["claim"] == code, "mean"].item()
        assert f'<a href="page.html#{code}">{sentence}</a>' in row
        assert f"<td>{mean:.2f} <small>(" in row and "3 of 6 comparisons for it, 1 against; n\xa0=\xa020" in row
    reduced = tables.claims.in_short(judged(scales={"some": "laptop"}), "page.html").text
    assert reduced.count("reduced scale") == len(rows) and "reduced scale" not in text


def test_open_claims_show_no_numbers():
    table = judged(verdict="open", mean=np.nan, low=np.nan, high=np.nan, n_seeds=0)
    text = tables.claims.register(table).text + "".join(
        tables.claims.cards(table, claims.CLAIMS, letter).text for letter in "ABC"
    )
    assert "nan" not in text and "3\xa0/\xa02" not in text


def test_counts_are_of_claims_whose_findings_agree():
    table = judged(verdict="supported")
    table.loc[0, "verdict"] = "mixed"
    assert tables.claims.count(table) == {
        "claims": len(CODES),
        "supported": len(CODES) - 1,
        "not_supported": 0,
        "open": 0,
    }


@pytest.mark.parametrize("n", [8, 20])
def test_the_smallest_detectable_ratio_is_that_of_the_power_of_a_t_test(n):
    sd = 0.3
    half = stats.t(n - 1).ppf(0.975) * sd / np.sqrt(n)
    [row] = judged(low=np.exp(-0.1 - half), high=np.exp(-0.1 + half), n_seeds=n, spread="interval")[:1].itertuples()
    exact = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert np.log(tables.claims.detectable(row)) == pytest.approx(-exact * sd, rel=0.02)
    assert tables.claims.detectable(row._replace(detectable=0.25)) == 0.25
    assert np.isnan(tables.claims.detectable(row._replace(spread="range")))


def test_a_card_tells_the_smallest_detectable_effect_or_why_there_is_none():
    def card(code: str, **values: object) -> str:
        return tables.claims.cards(judged(**values), [claim for claim in claims.CLAIMS if claim.id == code], code).text

    known = card("A1", spread="range", detectable=0.62)
    assert '<td class="ws-number">0.62</td>' in known and "the median over comparisons." in known
    none = card("A1", spread="range", detectable=np.inf)
    assert '<td class="ws-number">none</td>' in none and "no effect that can occur" in none
    for code, reason in tables.claims.WITHOUT_REACH.items():
        code = {"B5": "B5a"}.get(code, code)
        text = card(code, spread="range", detectable=np.nan)
        assert reason in text and "Smallest detectable" not in text


def test_cards_say_which_was_first_the_rule_or_its_records():
    text = tables.claims.cards(judged(), claims.CLAIMS, "B").text
    of = dict(zip(re.findall(r'id="(\w+)"', text), re.findall(r"<p>(<strong>The rule, .*?)</p>", text)))
    assert "</strong>, <strong>after</strong> the first records. " in of["B6"]
    assert "</strong>, before the first records. " in of["B1a"]


def test_a_closed_card_is_one_line_under_a_question_that_is_asked_once():
    table = judged()
    table.loc[table["claim"] == "B1a", "verdict"] = "supported"
    text = "".join(tables.claims.cards(table, claims.CLAIMS, letter).text for letter in "ABC")
    lines = dict(re.findall(r'<details class="ws-claim" id="(\w+)"><summary>(.*?)</summary>', text))
    assert lines.keys() == CODES
    assert 'class="ws-verdict-supported"' in lines["B1a"] and "generalise better" in lines["B1a"]
    mean = table.loc[table["claim"] == "B1a", "mean"].item()
    assert lines["B1a"].endswith(f'<span class="ws-effect">{mean:.2f}</span>')
    questions = re.findall(r"<h4>(.*?)</h4>", text)
    assert sorted(questions) == sorted(tables.claims.QUESTIONS.values())
