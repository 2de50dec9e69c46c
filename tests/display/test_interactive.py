"""Figures that can be touched: their numbers, and, in a browser, what happens when they are."""

import importlib.util
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from weightspace.analysis import shift_checks
from weightspace.display import interactive, style
from weightspace.display.figures import illustrations
from weightspace.spectra import marchenko_pastur

LAYER = "layer1.conv"


@pytest.fixture(scope="module")
def neuron():
    return illustrations.neuron_in_the_plane(samples=60, updates=300)


@pytest.fixture(scope="module")
def runs():
    """Records of a campaign that is made up: weight decay shrinks the eigenvalues, more after every epoch."""
    rows, rng = [], np.random.default_rng(0)
    settings = {
        "auto1": ("augmentation", 1.0),
        "weight_decay_0.0005": ("weight_decay", 0.1),
        "weight_decay_0.02": ("weight_decay", 0.1),  # a level that the first campaign does not have
        "baseline": ("baseline", 1.0),
    }
    for setting, (category, factor) in settings.items():
        for epoch in (0, 1, 5):
            for seed in (0, 1):
                values = factor ** (epoch > 0) / (1 + epoch) * rng.exponential(size=200)
                identity = {"arm": "main", "category": category, "setting": setting, "epoch": epoch, "seed": seed}
                rows.append({**identity, "layer": LAYER, "unfolding": "slices", "eigenvalues": values})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def lives(neuron, runs):
    return {
        "plane": interactive.plane(*neuron),
        "spike": interactive.spike(60, aspects=(1, 2), strengths=(0, 1, 2, 4)),
        "baseline": interactive.baseline({"alike": np.ones(20), "unequal": np.arange(1, 21)}, (10, 4)),
        "densities": interactive.densities(runs, LAYER),
    }


def page(lives, root) -> str:
    """All of them on one page, with the style and the scripts of the site."""
    drawn = "".join(
        style.show(plt.subplots()[0], kind, alt="A still drawing", live=live).text for kind, live in lives.items()
    )
    files = (root / "book" / "_static").as_uri()
    d3 = Path(importlib.util.find_spec("mpld3").submodule_search_locations[0]) / "js" / "d3.v5.min.js"
    scripts = "".join(f'<script defer src="{uri}"></script>' for uri in (d3.as_uri(), f"{files}/touch.js"))
    return (
        '<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">'
        f'<link rel="stylesheet" href="{files}/book.css">{scripts}<body>{drawn}</body></html>'
    )


# --- The numbers ----------------------------------------------------------------------------------------


def test_numbers_stand_beside_the_still_drawing_and_close_no_tag():
    live = style.Live("plane", {"text": "</script><b>"})
    html = live.around("<svg></svg>")
    assert html.count("</script>") == 1 and "<b>" not in html
    assert json.loads(re.search(r'json">(.*?)</script>', html)[1]) == live.numbers
    with pytest.raises(ValueError, match="JSON"):
        style.Live("plane", {"x": float("nan")}).around("")


def test_spectra_follow_the_laws(lives):
    for own in lives["spike"].numbers["aspects"]:
        noise, *_, strong = (np.array(values) for values in own["eigenvalues"])
        assert noise.max() < 1.15 * own["edge"] and own["spikes"][-1] >= 1
        assert np.abs(strong.max() / own["expected"][-1] - 1) < 0.35  # one matrix of 60 columns
        # One direction was added to the same noise: Weyl's inequality bounds all eigenvalues but the largest.
        assert (np.sort(strong)[:-1] <= np.sort(noise)[1:] + 1e-3).all()
        x, y = np.array(own["law"]).T
        assert y[x > 0.1] == pytest.approx(marchenko_pastur.density(x[x > 0.1], own["Q"]), abs=0.02)


def test_densities_are_those_of_the_records(lives, runs):
    numbers = lives["densities"].numbers
    assert [setting["name"] for setting in numbers["settings"]] == [
        "baseline",
        "weight decay 5e-4",
        "weight decay 2e-2",
        "Auto1",
    ]
    assert numbers["epochs"] == [1, 5]
    width = np.diff(numbers["limits"])[0]
    for setting in numbers["settings"]:
        assert np.array(setting["heights"]).sum(axis=1) * width == pytest.approx(1, abs=0.01)
    own = runs[(runs["setting"] == "baseline") & (runs["epoch"] == 5)]["eigenvalues"]
    assert numbers["settings"][0]["medians"][1] == pytest.approx(np.median(np.concatenate(list(own))), rel=0.01)
    with pytest.raises(ValueError, match="no baseline of the layer 'fc'"):
        interactive.densities(runs, "fc")


# --- In a browser ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def visit(browser, lives, root, tmp_path_factory):
    """Open the page on a telephone, with options of the browser; errors of its scripts fail the tests."""
    contexts, problems = [], []
    path = tmp_path_factory.mktemp("site") / "page.html"
    path.write_text(page(lives, root), encoding="utf-8")

    def start(**options):
        contexts.append(browser.new_context(viewport={"width": 390, "height": 844}, **options))
        opened = contexts[-1].new_page()
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.goto(path.as_uri())
        return opened

    yield start
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="module")
def opened(visit):
    return visit()


def said(figure) -> str:
    return figure.locator("output").inner_text().replace("\N{MINUS SIGN}", "-").replace(",", "")


def numbers_said(figure) -> list[float]:
    return [float(value) for value in re.findall(r"-?\d+(?:\.\d+)?", said(figure))]


def weights(figure) -> list[float]:
    """W1 and W2, as the figure says them."""
    return [float(value) for pair in re.findall(r"\((\S+) (\S+)\)", said(figure))[:2] for value in pair]


def test_the_script_does_the_updates_of_the_layer(opened, neuron):
    figure = opened.locator("[data-kind=plane]")
    path = neuron[1][["w1_1", "w1_2", "w2_1", "w2_2"]].to_numpy()
    assert weights(figure) == pytest.approx(path[-1], abs=6e-4)
    figure.get_by_role("button", name="start over").click()
    figure.get_by_role("button", name="100 updates").click()
    assert weights(figure) == pytest.approx(path[99], abs=6e-4) and "After 100 updates" in said(figure)
    figure.get_by_role("button", name="1 update", exact=True).click()
    assert weights(figure) == pytest.approx(path[100], abs=6e-4) and "rests." in said(figure)


def test_points_are_moved_by_keys_and_by_the_mouse(opened, neuron):
    figure = opened.locator("[data-kind=plane]")
    points = figure.locator(".points path")
    target = points.nth(list(neuron[0]["kind"]).index("target"))
    before = target.bounding_box()
    figure.get_by_label(re.compile("^target points")).focus()
    for _ in range(5):
        opened.keyboard.press("ArrowRight")
    assert target.bounding_box()["x"] > before["x"] + 10
    lowest = points.nth(int(neuron[0]["x2"].argmin()))  # no other point lies on it
    before = lowest.bounding_box()
    middle = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    opened.mouse.move(*middle)
    opened.mouse.down()
    opened.mouse.move(middle[0] - 30, middle[1] + 40, steps=3)
    opened.mouse.up()
    assert lowest.bounding_box()["y"] == pytest.approx(before["y"] + 40, abs=2)


def test_a_strong_direction_leaves_the_noise(opened, lives):
    figure = opened.locator("[data-kind=spike]")
    own = lives["spike"].numbers["aspects"][1]
    slider = figure.get_by_role("slider")
    figure.get_by_label("aspect ratio Q").select_option(label="2")
    slider.focus()
    beyond = []
    for k in range(4):
        _, _, _, largest, edge, *_ = numbers_said(figure)
        assert largest == pytest.approx(max(own["eigenvalues"][k]), abs=0.006)
        beyond.append(largest > edge)
        opened.keyboard.press("ArrowRight")
    assert beyond[0] is False and beyond[-1] is True and "outside the noise" in said(figure)
    assert slider.get_attribute("aria-valuetext") == "4.00"


def test_correlations_of_nothing_are_those_of_the_package(opened):
    figure = opened.locator("[data-kind=baseline]")
    for choice, shared in (("one for each", False), ("one for both", True)):
        figure.get_by_role("combobox").first.select_option(label=choice)
        *_, formula, percent, draws, low, high = numbers_said(figure)
        ours = np.quantile(shift_checks.noise_correlations(np.ones(20), 10, 4, shared=shared), [0.025, 0.975])
        assert (percent, draws) == (95, 1000) and [low, high] == pytest.approx(ours, abs=0.07)
        expected = shift_checks.shared_baseline_correlation(10, 4) if shared else 0
        assert formula == pytest.approx(expected, abs=0.006)
    first = said(figure)
    figure.get_by_role("button", name="draw again").click()
    assert said(figure) != first
    figure.get_by_label("settings in the first category").fill("1")
    formula = numbers_said(figure)[2]
    assert formula == pytest.approx(shift_checks.shared_baseline_correlation(1, 4), abs=0.006)


def test_epochs_can_be_moved_through(opened, lives):
    figure = opened.locator("[data-kind=densities]")
    figure.get_by_role("combobox").select_option(label="weight decay 5e-4")
    baseline, decay, *_ = (setting["medians"] for setting in lives["densities"].numbers["settings"])
    assert numbers_said(figure)[-2:] == pytest.approx([decay[1], baseline[1]], rel=0.1)
    figure.get_by_role("slider").fill("0")
    assert "after epoch 1:" in said(figure)
    assert numbers_said(figure)[-2:] == pytest.approx([decay[0], baseline[0]], rel=0.1)


def test_it_fits_a_telephone_and_paper_has_the_still_drawing(opened, lives):
    assert opened.evaluate("document.scrollingElement.scrollWidth") <= 390
    live, still = opened.locator(".ws-live:visible"), opened.locator(".ws-still:visible")
    assert (live.count(), still.count()) == (4, sum(one.beside for one in lives.values()))
    opened.emulate_media(media="print")
    assert (live.count(), still.count()) == (0, 4)
    opened.emulate_media(media="screen")


def test_without_scripts_there_is_the_still_drawing_and_with_reduced_motion_nothing_plays(opened, visit):
    without = visit(java_script_enabled=False)
    assert (without.locator(".ws-live").count(), without.locator(".ws-still:visible").count()) == (0, 4)
    still = visit(reduced_motion="reduce")
    assert [page.get_by_role("button", name="play").count() for page in (opened, still)] == [1, 0]
