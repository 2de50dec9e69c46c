"""The claims as readers see them: in short, at a glance, one by one, and as a table to sort and filter."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from weightspace.analysis.frames import select
from weightspace.claims import CLAIMS, history
from weightspace.claims.verdicts import Claim
from weightspace.display.style import HTML, interval, method_label, verdict_badge
from weightspace.display.tables.common import verdict_words
from weightspace.measures.statistics import reach

CHAPTERS = {
    "02_regression": ("Regression", "B1a B1b B1c B1d B2a B3a B5a"),
    "03_classification": ("Classification", "B1e B1f B2b B3b B5b"),
    "06_data_and_noise": ("Sparse and noisy data", "B3c B3d"),
    "07_imbalance": ("Class imbalance", "B4a B4b B4c B4d"),
    "08_fair_baselines": ("Fair baselines", "B1g B1h B1i B1j"),
    "19_use_it": ("Use it in your own model", "B6"),
    "10_released_measurements": ("What the released measurements say", "A1a A2a A2b A3a"),
    "12_like_dropout": ("Is diversity like dropout?", "A1o A2o A2co A1 A2 A2c"),
    "13_why": ("Why do regularizers mark the weights?", "A5o"),
    "14_diversity_outcomes": ("Diversity, accuracy, calibration, shift", "A3o A3e A3 A3b"),
    "15_fine_tuning": ("Fine-tuning", "A1f A2f A2cf"),
    "16_words": ("Words", "A1w A2w A2cw A3w A3bw"),
    "17_synthetic_data": ("Synthetic data", "A1s A2s A2cs A3s A3bs A4 A4b"),
    "18_where_they_meet": ("Where the two papers meet", "C1"),
    "../book/rules": ("Rules before results", "A3d A4o A4h C2 C3"),
}
"""The page on which each claim is judged, what its link says, and the claims."""
_PAGE = {code: page for page, (_, codes) in CHAPTERS.items() for code in codes.split()}

READINGS = {
    "B1b": ("ratio of test error to training error, relative to the baselines; below 1 is in favour", "seeds"),
    "B1f": ("gap between training and test accuracy, relative to the baselines; below 1 is in favour", "seeds"),
    "B2": ("gain, few samples relative to many; below 1 is in favour", "seeds"),
    "B5": ("fraction of the reported values inside the interval of one run", "seeds"),
    "B6": ("time relative to ordinary weights; 1 is in favour", "repetitions"),
    "B": ("error relative to the baselines; below 1 is in favour", "seeds"),
    "A1a": ("rank correlation over layers; above 0 is in favour", "layers"),
    "A1": ("similarity; 0.5 and more is in favour", "seeds"),
    "A2a": ("distance to dropout relative to weight decay; below 1 is in favour", "layers"),
    "A2b": ("relative distance to dropout in units of what noise gives; below 1 is in favour", "layers"),
    "A2co": ("distance to dropout relative to the baseline; below 0.9 is in favour", "seeds"),
    "A2c": ("distance to the baseline relative to dropout; above 1 is in favour", "seeds"),
    "A2o": ("distance to dropout relative to weight decay; below 0.9 is in favour", "seeds"),
    "A2": ("distance to dropout relative to weight decay; below 1 is in favour", "seeds"),
    "A3b": (
        "rank correlation of the weighted score minus that of the plain one; above 0 is in favour",
        "training sets",
    ),
    "A3": ("rank correlation; above 0 is in favour", "training sets"),
    "A3o": ("rank correlation; above 0.5 is in favour", "seeds"),
    "A3e": ("rank correlation; above 0.5 is in favour", "seeds"),
    "A3d": ("difference of rank correlations; above 0 is in favour", "seeds"),
    "A4o": ("points of accuracy; above 0 is in favour", "seeds"),
    "A4h": ("points of accuracy that are lost; above 1 is in favour", "seeds"),
    "A4b": ("points of accuracy; above 0 is in favour", "seeds"),
    "A4": ("relative to real images alone; above 1 is in favour", "seeds"),
    "C1": ("distance to weight decay relative to dropout; below 0.9 is in favour", "seeds"),
    "C": ("error relative to the other method; below 1 is in favour", "seeds"),
    "A5": ("the number of the control, against the threshold in the rules", "seeds"),
}
"""What the effect of a claim is and what its n counts; the longest beginning of a claim's code decides."""

_B = ("regression", "classification")
_A = ("released", "from scratch", "fine-tuned on images", "fine-tuned on texts", "synthetic images", "overfitting")
MAP: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = {
    "Dual weights (paper B)": (
        _B,
        {
            "generalise better, the released protocol": ("B1a", "B1e"),
            "generalise better than tuned baselines": ("B1c", "B1g"),
            "generalise better if tuned as well": ("B1d", "B1h"),
            "generalise better than tuned baselines, 3 layers": ("", "B1i"),
            "generalise better if tuned as well, 3 layers": ("", "B1j"),
            "overfit less": ("B1b", "B1f"),
            "gain most where data are sparse": ("B2a", "B2b"),
            "are more robust to noisy inputs": ("B3a", "B3b"),
            "are more robust to wrong labels": ("", "B3c"),
            "are more robust to wrong labels than tuned baselines": ("", "B3d"),
            "are more robust to class imbalance": ("", "B4a"),
            "beat the ordinary remedies of imbalance": ("", "B4b"),
            "are mended by class-balanced updates": ("", "B4c"),
            "with balanced updates beat class weights": ("", "B4d"),
            "have reported results that can be reproduced": ("B5a", "B5b"),
            "cost nothing in inference": ("B6", "B6"),
        },
    ),
    "Data diversity (paper A)": (
        _A,
        {
            "acts on spectra as dropout and weight decay do": ("A1a", "A1", "A1f", "A1w", "A1s", "A1o"),
            "is closer to dropout than to weight decay": ("A2a", "A2", "A2f", "A2w", "A2s", "A2o"),
            "is closer to dropout than noise alone makes it": ("A2b", "", "", "", "", ""),
            "is closer to dropout than to no regularizer": ("", "A2c", "A2cf", "A2cw", "A2cs", "A2co"),
            "has a score that explains the outcome": ("A3a", "A3", "", "A3w", "A3s", "A3o"),
            "has a score of ImageNet embeddings that does": ("", "", "", "", "", "A3e"),
            "has a weighted score that explains more": ("", "A3b", "", "A3bw", "A3bs", ""),
            "has a better score than the weighted one": ("", "", "", "", "", "A3d"),
            "grows with synthetic images": ("", "", "", "", "A4", ""),
            "grows more with them than with augmentation": ("", "", "", "", "A4b", ""),
            "improves accuracy with synthetic images": ("", "", "", "", "", "A4o"),
            "does harm with too many of them": ("", "", "", "", "", "A4h"),
            "acts by putting off interpolation": ("", "", "", "", "", "A5o"),
        },
    ),
    "Where they meet (ours)": (
        ("networks of paper B", "networks of today"),
        {
            "dual weights act on spectra as weight decay": ("C1", ""),
            "dual weights improve networks without a regularizer": ("", "C2"),
            "dual weights do better than tuned regularizers": ("", "C3"),
        },
    ),
}
"""Claims by question (rows) and kind of experiment (columns); a claim without a place here has a row of its own."""

QUESTIONS = {
    "B1": "Do dual weights generalise better?",
    "B2": "Do they gain most where data are sparse?",
    "B3": "Are they more robust to noise and wrong labels?",
    "B4": "Are they more robust to class imbalance?",
    "B5": "Can the reported numbers be reproduced?",
    "B6": "What does inference cost?",
    "A1": "Do diverse data change weight spectra as the regularizers do?",
    "A2": "Are diverse data closer to dropout than to weight decay, or than to no regularizer?",
    "A3": "Does a diversity score explain the outcome?",
    "A4": "Do synthetic data help?",
    "A5": "Why do regularizers mark weight spectra?",
    "C1": "Do dual weights look like weight decay?",
    "C": "Do dual weights improve networks of today?",
}
"""The questions under which the cards stand: the first beginning of a claim's code that fits."""

IN_SHORT = (
    ("In regression, dual weights predict better than tuned baselines.", "B1c", "dual_stabilized"),
    ("In classification, they predict better than tuned baselines.", "B1g", "dual_stabilized"),
    ("In regression, they gain more over gradient descent where data are sparse.", "B2a", "dual_stabilized"),
    ("They are more robust to class imbalance than gradient descent.", "B4a", "dual_stabilized"),
    ("Inference costs the same as with ordinary weights.", "B6", "folded"),
    ("Diverse data change weight spectra in the way that dropout does.", "A1o", "like dropout, folded"),
    ("Their effect is closer to dropout than to no regularizer at all.", "A2co", "folded"),
    ("A diversity score explains what augmentation does to accuracy.", "A3", "Vendi score, embeddings"),
)
"""The landing page: a sentence, the claim that it is, and the finding that it shows."""


def reading(code: str) -> tuple[str, str]:
    """What the effect of a claim is, and what its n counts."""
    known = (READINGS[code[:length]] for length in range(len(code), 0, -1) if code[:length] in READINGS)
    return next(known, ("as the rule of the claim says", "seeds"))


def on_page(page: str) -> list[Claim]:
    """The claims that a page judges, such as ``02_regression``."""
    codes = CHAPTERS[page][1].split()
    return [claim for claim in CLAIMS if claim.id in codes]


def words(judged: pd.DataFrame, *codes: str) -> dict[str, str]:
    """For the sentences of a chapter, ``verdict_CODE``: the verdict on each claim."""
    return {f"verdict_{code}": verdict_words(judged, code) for code in codes}


def anchor(code: str, root: str = "") -> str:
    """The address of a claim's card, from a page from which the claims page is at ``root``."""
    return f"{root}#{code}"


def _effect(row) -> str:
    if row.verdict == "open" or not math.isfinite(row.mean):
        return ""
    if row.low == row.high:
        return f"{row.mean:.2f}"
    return f"{row.mean:.2f} <small>({'range ' if row.spread == 'range' else ''}{interval(row.low, row.high)})</small>"


def _counts(row) -> str:
    if row.verdict == "open":
        return ""
    return f"{row.wins}\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}{row.ties}\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}{row.losses}"


def _reduced(row) -> str:
    return "reduced scale" if set(row.scales.values()) - {"paper"} else ""


def detectable(row) -> float:
    """The smallest effect that would have been found with 80 % power; NaN where none can be told.

    Claims with a number of their own have it from their rule or from their comparisons. For a ratio with an interval
    over n seeds it is that of one test of the mean ratio.
    """
    if not math.isnan(row.detectable) or row.spread == "range" or not row.low > 0 or row.claim.startswith("B5"):
        return row.detectable
    return float(np.exp(-reach(np.log(row.low), np.log(row.high), row.n_seeds - 1)))


WITHOUT_REACH = {
    "B5": "it is a fraction of values and no test",
    "B6": "it asks whether two times are equal, so that no difference is to be found",
    "A1a": "layers of single runs are no sample from which a power could be told",
    "A2a": "layers of single runs are no sample from which a power could be told",
    "A2b": "layers of single runs are no sample from which a power could be told",
}
"""Why a claim has no smallest detectable effect; the longest beginning of its code decides."""


def _smallest(least: float) -> str:
    """A smallest detectable effect as a card shows it."""
    return "" if math.isnan(least) else "none" if math.isinf(least) else f"{least:.2f}"


def _about_reach(claim: Claim, least: list[float]) -> str:
    """What the smallest detectable effect of a card is, or why there is none."""
    if all(map(math.isnan, least)):
        reason = next((WITHOUT_REACH[key] for key in (claim.id, claim.id[:2]) if key in WITHOUT_REACH), "")
        return f" No smallest detectable effect: {reason}." if reason else ""
    if claim.spread == "range":
        none = " None: no effect that can occur would have been found." if any(map(math.isinf, least)) else ""
        return f" Smallest detectable: by a single comparison, the median over comparisons.{none}"
    return " Smallest detectable: by the mean over all comparisons."


def count(judged: pd.DataFrame) -> dict[str, int]:
    """How many claims there are, and how many are supported, not supported or open in all of their findings."""
    found = judged.groupby("claim")["verdict"].agg(frozenset)
    alike = {name: int((found == {name}).sum()) for name in ("supported", "not supported", "open")}
    return {"claims": len(found)} | {name.replace(" ", "_"): number for name, number in alike.items()}


def in_short(judged: pd.DataFrame, root: str) -> HTML:
    """At most eight sentences with verdict, effect and confidence; root: where the claims page is."""
    rows = []
    for sentence, code, method in IN_SHORT:
        [row] = select(judged, claim=code, method=method).itertuples()
        effect, unit = reading(code)
        sure = [f"{row.wins} of {row.wins + row.ties + row.losses} comparisons for it, {row.losses} against"]
        what = effect.partition(";")[0]
        sure.append(f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{row.n_seeds}\N{NO-BREAK SPACE}{unit}")
        sure += [_reduced(row)] if _reduced(row) else []
        rows.append(
            f'<tr><td><a href="{anchor(code, root)}">{sentence}</a></td><td>{verdict_badge(row.verdict)}</td>'
            f"<td>{_effect(row)}<br><small>{what}</small></td><td><small>{'; '.join(sure)}</small></td></tr>"
        )
    return _table(("What is claimed", "Verdict", "Effect", "How sure"), rows, "ws-short")


def _places(judged: pd.DataFrame) -> dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...]]]]:
    known = {code for _, rows in MAP.values() for codes in rows.values() for code in codes}
    others = judged[~judged["claim"].isin(known)]
    rows = {statement: (code,) for code, statement in zip(others["claim"], others["statement"])}
    return MAP | ({"Others": (("verdict",), rows)} if rows else {})


def at_a_glance(judged: pd.DataFrame) -> HTML:
    """Questions x kinds of experiment, in each cell the signs of the verdicts, with links to their cards."""
    words = [str(verdict) for verdict in judged["verdict"].drop_duplicates()]
    parts = [f'<p class="ws-signs">{" ".join(verdict_badge(word) for word in sorted(words, key=VERDICTS.index))}</p>']
    for title, (columns, rows) in _places(judged).items():
        body = []
        for question, codes in rows.items():
            cells = [f"<td>{_signs(judged, code)}</td>" if code else '<td class="ws-none">–</td>' for code in codes]
            if len(set(codes)) == 1 < len(codes):  # one claim for all columns, such as the costs of inference
                cells = [f'<td colspan="{len(codes)}">{_signs(judged, codes[0])}</td>']
            body.append(f'<tr><th scope="row">{question}</th>{"".join(cells)}</tr>')
        parts.append(_table((title, *columns), body, "ws-map").text)
    return HTML("".join(parts))


VERDICTS = ("supported", "mixed", "not supported", "undecided", "described", "open")
"""All verdicts, in the order in which they are explained."""


def _signs(judged: pd.DataFrame, code: str) -> str:
    """A link for each verdict on a claim: its sign, and for who points at it or hears it the word and the methods."""
    own = select(judged, claim=code)
    signs = []
    for verdict, alike in own.groupby("verdict", sort=False):
        of = f": {', '.join(map(method_label, alike['method']))}" if own["verdict"].nunique() > 1 else ""
        signs.append(
            f'<a class="ws-sign" href="{anchor(code)}" title="{html.escape(f"{verdict}{of}")}">'
            f"{verdict_badge(str(verdict))}</a>"
        )
    return "".join(signs)


def register(judged: pd.DataFrame) -> HTML:
    """Every finding in one table; ``book.js`` lets readers sort it by any column and filter it."""
    places = {
        code: (f"{title.partition(' (')[0]}: {question}", "inference" if code == "B6" else column)
        for title, (columns, rows) in _places(judged).items()
        for question, codes in rows.items()
        for column, code in zip(columns, codes)
    }
    rows = []
    for row in judged.itertuples():
        question, column = places[row.claim]
        mean = row.mean if row.verdict != "open" and math.isfinite(row.mean) else ""
        claim = f'<a href="{anchor(row.claim)}">{question}</a> <small>{row.claim}</small>'
        texts = "".join(f"<td>{text}</td>" for text in (claim, column, method_label(row.method)))
        verdict = f"<td>{verdict_badge(row.verdict)}</td>"
        number = f'<td class="ws-number" data-value="{mean}">{_effect(row)}</td>'
        rows.append(f"<tr>{texts}{verdict}{number}<td>{_counts(row)}</td>{_n(row)}</tr>")
    head = ("Claim", "Asked of", "Method", "Verdict", "Effect", "For / undecided / against", "n")
    return _table(head, rows, "ws-register")


def _n(row) -> str:
    return f'<td class="ws-number">{row.n_seeds if row.verdict != "open" else ""}</td>'


def _table(head: Iterable[str], rows: Iterable[str], kind: str) -> HTML:
    cells = "".join(f'<th scope="col">{text}</th>' for text in head)
    return HTML(
        f'<div class="ws-scroll"><table class="ws-table {kind}"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def cards(judged: pd.DataFrame, items: Iterable[Claim], letter: str) -> HTML:
    """A card per claim whose code begins with a letter, by question.

    Closed, a card is one line: verdict, sentence, effect. Open, it says who said it, and shows every verdict with its
    numbers, the rule and when that was committed.
    """
    questions: dict[str, list[str]] = {}
    for item in items:
        if item.id.startswith(letter):
            questions.setdefault(_question(item.id), []).append(_card(item, select(judged, claim=item.id)))
    return HTML("".join(f"<h4>{question}</h4>{''.join(own)}" for question, own in questions.items()))


def _question(code: str) -> str:
    return next((words for start, words in QUESTIONS.items() if code.startswith(start)), "Other claims")


def _line(claim: Claim, own: pd.DataFrame) -> str:
    """A claim in one line: the signs of its verdicts, its sentence, and its effect or the smallest and largest one."""
    signs = "".join(f'<span class="ws-sign">{verdict_badge(verdict)}</span>' for verdict in own["verdict"].unique())
    means = own.loc[(own["verdict"] != "open") & np.isfinite(own["mean"]), "mean"]
    effects = " to ".join(dict.fromkeys(f"{value:.2f}" for value in (means.min(), means.max()))) if len(means) else ""
    return (
        f'<span class="ws-verdicts">{signs}</span><span>{html.escape(claim.statement)} <small>{claim.id}</small></span>'
        f'<span class="ws-effect">{effects}</span>'
    )


def _card(claim: Claim, own: pd.DataFrame) -> str:
    effect, unit = reading(claim.id)
    page = _PAGE.get(claim.id, "../book/rules")
    least = [detectable(row) for row in own.itertuples()]
    head = ["Method", "Verdict", "Effect", "For / undecided / against", f"n ({unit})"]
    told = not all(map(math.isnan, least))
    head += ["Smallest detectable"] if told else []
    rows = []
    for row, smallest in zip(own.itertuples(), least):
        cells = [
            f'<th scope="row">{method_label(row.method) or "every method"}</th>',
            f"<td>{verdict_badge(row.verdict)}</td>",
        ]
        cells += [f"<td>{_effect(row)}</td>", f"<td>{_counts(row)}</td>", _n(row)]
        if told:
            cells.append(f'<td class="ws-number">{_smallest(smallest)}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    scale = next((f" At a {text}." for row in own.itertuples() if (text := _reduced(row))), "")
    around = "range over comparisons" if claim.spread == "range" else "95 % interval"
    order = history.HISTORY[claim.id]
    first = "before" if order.rule_first else "<strong>after</strong>"
    return (
        f'<details class="ws-claim" id="{claim.id}"><summary>{_line(claim, own)}</summary>'
        f'<p>Said by: {claim.source}. Judged in <a href="{page}.html">{CHAPTERS[page][0]}</a>.{scale}</p>'
        f"{_table(head, rows, 'ws-findings').text}"
        f"<p><small>Effect: {effect}; in brackets its {around}.{_about_reach(claim, least)}</small></p>"
        f"<p><strong>The rule, committed {order.rule.time[:10]}</strong>, {first} the first records. "
        f"{html.escape(claim.measure)}</p><p><small>{which_was_first(order)}</small></p></details>"
    )


def which_was_first(order: history.Order) -> str:
    """In a sentence: when a rule was committed, when its first records, and what had been seen."""
    commits = {"rule": order.rule, "first records": order.records}
    when = [
        f"{name} {commit.time[:16]} ({commit.digest})" if commit else f"no {name} yet"
        for name, commit in commits.items()
    ]
    return f"Commits, in UTC: {'; '.join(when)}. {order.note}".rstrip()


def judged_here(judged: pd.DataFrame) -> dict[str, HTML]:
    """For each page that judges claims, ``judged_PAGE``: their sentences and verdicts, with links to their cards."""
    found = {}
    for page, (_, codes) in CHAPTERS.items():
        lines = [
            f'<li><a href="../notebooks/21_claims.html{anchor(code)}">'
            f"{html.escape(select(judged, claim=code)['statement'].iloc[0])}</a> <small>{code}</small> "
            f"{' '.join(map(verdict_badge, select(judged, claim=code)['verdict'].unique()))}</li>"
            for code in codes.split()
        ]
        found[f"judged_{page.rpartition('/')[2]}"] = HTML(
            f'<aside class="ws-here"><p>Claims that this page judges</p><ul>{"".join(lines)}</ul></aside>'
        )
    return found
