"""Terms and claims in running text become links, once and nowhere else; the glossary has every name that is shown."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from weightspace import names
from weightspace.campaigns import records
from weightspace.data.augmentations import REGISTRY
from weightspace.display import labels

text_links = pytest.importorskip("text_links")

GLOSSARY = """\
```{glossary}
ECE
expected calibration error
  How far `confidence` is
  from accuracy.

spikes
  What stands out.
```
"""


def test_definitions_are_plain_text_and_aliases_share_them():
    found = text_links.definitions(GLOSSARY)
    assert list(found) == ["ECE", "expected calibration error", "spikes"]
    assert found["ECE"] == found["expected calibration error"] == "How far confidence is from accuracy."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The ECE rises.", ["ECE"]),
        ("an ece", []),
        ("Spikes and spikes", ["Spikes", "spikes"]),
        ("the Vendi scores of a set", ["Vendi scores"]),
        ("the weighted Vendi score", ["weighted Vendi score"]),
        ("non-spikes, num_spikes", []),
    ],
)
def test_what_counts_as_a_term(text, found):
    pattern = text_links.terms_pattern(("ECE", "spikes", "Vendi score", "weighted Vendi score"))
    assert [match[0] for match in pattern.finditer(text)] == found


def test_only_running_text_is_replaced():
    page = publish_doctree(
        "About spikes\n============\n\nThe ``spikes`` in `a spikes <o.html>`_ and spikes.\n\n"
        "::\n\n  spikes\n\n- more spikes\n"
    )
    text_links.replace_in_text(
        page,
        text_links.terms_pattern(("spikes",)),
        lambda match: text_links.link(match[0], "g.html#term-spikes", "What stands out.", "ws-term"),
    )
    made = [node for node in page.findall(nodes.reference) if "ws-term" in node["classes"]]
    assert [node.parent.astext() for node in made] == ["The spikes in a spikes and spikes.", "more spikes"]
    assert all(node["reftitle"] == "What stands out." for node in made)


def test_the_glossary_has_every_name_that_figures_and_tables_show(root):
    known = text_links.definitions((root / "book" / "glossary.md").read_text(encoding="utf-8"))
    shown = {level.label for level in REGISTRY} | {f"{scale} scale" for scale in records.SCALES}
    shown |= {name for name in names.METRIC_LABELS.values() if "(" not in name}
    shown |= {*names.SCORE_LABELS.values(), "training loss", "test accuracy", "ECE", "corruption accuracy"}
    shown |= {"clean accuracy", "calibration", "macro F1", "effective robustness"}
    shown |= {labels.setting_label(f"{kind}_0.1").split()[0] for kind in ("sr", "ri", "rs", "rd")}
    assert shown <= known.keys(), shown - known.keys()
    assert all(text.endswith(".") and len(text) < 400 for text in known.values())
    assert text_links.EVERYDAY <= known.keys()
