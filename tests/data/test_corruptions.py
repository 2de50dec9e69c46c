"""Corruptions: stronger with severity, the same for a seed, and nothing where there is nothing to corrupt."""

import numpy as np
import pytest
from scipy import ndimage

from weightspace.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt


@pytest.fixture(scope="module")
def images():
    """Smooth coloured blobs with edges, the spectrum of which falls as that of photographs."""
    rng = np.random.default_rng(0)
    x = ndimage.gaussian_filter(rng.standard_normal((24, 32, 32, 3)), (0, 2.5, 2.5, 0.5)) * 6
    x = np.where(ndimage.gaussian_filter(rng.standard_normal((24, 32, 32, 1)), (0, 4, 4, 0)) > 0, x, -x)
    return (255 / (1 + np.exp(-x))).astype(np.uint8)


def damage(images, corrupted):
    return np.sqrt(np.mean((images.astype(float) - corrupted) ** 2))


LOCAL = ("glass_blur", "elastic_transform", "frost")
"""Their strength is not in the distance from the image: see below."""


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_shape_type_and_seed(kind, images):
    for severity in (1, 5):
        first = corrupt(images, kind, severity, seed=3)
        assert first.shape == images.shape and first.dtype == np.uint8
        np.testing.assert_array_equal(first, corrupt(images, kind, severity, seed=3))
        assert 0.5 < damage(images, first) < 100
        is_random = not np.array_equal(first, corrupt(images, kind, severity, seed=4))
        fixed = ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression")
        assert is_random is (kind not in fixed)


@pytest.mark.parametrize("kind", [kind for kind in CORRUPTIONS if kind not in LOCAL])
def test_damage_grows_with_severity(kind, images):
    distances = [damage(images, corrupt(images, kind, severity)) for severity in SEVERITIES]
    assert all(np.diff(distances) > 0) or (kind == "motion_blur" and distances[-1] > 1.3 * distances[0]), distances


def test_frost_keeps_less_of_the_image_with_severity(images):
    """Correlation with the image falls where its share does."""
    kept = [np.corrcoef(images.ravel(), corrupt(images, "frost", s).ravel())[0, 1] for s in SEVERITIES]
    assert all(np.diff(kept) < 0.01) and kept[-1] < kept[0] - 0.1


def test_glass_blur_stirs_more_with_more_rounds(images):
    """One round up to severity 3, two after that; at equal blur (2 and 4, 3 and 5) the damage grows."""
    distance = {s: damage(images, corrupt(images, "glass_blur", s)) for s in SEVERITIES}
    assert distance[4] > distance[2] and distance[5] > distance[3]


def test_elastic_transform_is_rougher_with_severity(images):
    """The whole image moves less with severity, but neighbours move apart: straight stripes become crooked."""
    stripes = np.zeros_like(images)
    stripes[:, ::4], stripes[:, 1::4] = 255, 255
    crooked = [
        np.abs(np.diff(corrupt(stripes, "elastic_transform", s).astype(float), 2, axis=2)).mean() for s in (2, 4, 5)
    ]
    assert crooked[0] < crooked[1] < crooked[2]


def test_noise_has_the_strength_that_is_stated():
    """On mid-grey, where nothing is clipped: sd .04 to .10; shot noise sqrt(x / c); a share of the values at 0 or 1."""
    grey = np.full((20, 32, 32, 3), 128, np.uint8)
    for severity, std in zip(SEVERITIES, (0.04, 0.06, 0.08, 0.09, 0.10)):
        assert (corrupt(grey, "gaussian_noise", severity) / 255).std() == pytest.approx(std, rel=0.02)
    for severity, photons in zip(SEVERITIES, (500, 250, 100, 75, 50)):
        std = (corrupt(grey, "shot_noise", severity) / 255).std()
        assert std == pytest.approx(np.sqrt(128 / 255 / photons), rel=0.02)
    for severity, share in zip(SEVERITIES, (0.01, 0.02, 0.03, 0.05, 0.07)):
        noisy = corrupt(grey, "impulse_noise", severity)
        assert (noisy != 128).mean() == pytest.approx(share, rel=0.1)
        assert set(np.unique(noisy)) == {0, 128, 255}


@pytest.mark.parametrize(
    "kind", ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "elastic_transform", "pixelate"]
)
def test_what_only_moves_pixels_leaves_an_even_image_alone(kind):
    even = np.full((2, 32, 32, 3), (40, 130, 220), np.uint8)
    for severity in SEVERITIES:
        np.testing.assert_array_equal(corrupt(even, kind, severity), even)


def test_brightness_and_contrast_by_their_formula():
    image = np.array([60, 100, 120], np.uint8)[None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    brighter = corrupt(image, "brightness", 2)[0, 0, 0] / 255
    assert brighter.max() == pytest.approx(120 / 255 + 0.1, abs=0.002)
    np.testing.assert_allclose(brighter / brighter.max(), image[0, 0, 0] / 120, atol=0.01)  # hue and saturation
    black = corrupt(np.zeros((1, 8, 8, 3), np.uint8), "brightness", 5)
    assert set(np.unique(black)) == {round(0.3 * 255)}
    halves = np.zeros((1, 8, 8, 3), np.uint8)
    halves[:, :4] = 200
    assert set(np.unique(corrupt(halves, "contrast", 2))) == {50, 150}


def test_motion_blur_keeps_the_light(images):
    """A weighted mean: away from the edge the image keeps its mean brightness."""
    dot = np.zeros((3, 41, 41, 3), np.uint8)
    dot[:, 18:23, 18:23] = 200
    for severity in SEVERITIES:
        blurred = corrupt(dot, "motion_blur", severity).astype(float)
        np.testing.assert_allclose(blurred.sum(axis=(1, 2)), 25 * 200, rtol=0.03)


@pytest.mark.parametrize(
    ("kind", "severity", "shape", "dtype", "message"),
    [
        ("rain", 1, (1, 8, 8, 3), np.uint8, "unknown corruption 'rain': use one of gaussian_noise"),
        ("fog", 0, (1, 8, 8, 3), np.uint8, "severity must be one of 1 to 5, got 0"),
        ("fog", 6, (1, 8, 8, 3), np.uint8, "severity must be one of 1 to 5, got 6"),
        ("fog", 1, (1, 8, 9, 3), np.uint8, "uint8"),
        ("fog", 1, (1, 8, 8, 3), np.float32, "got float32"),
    ],
)
def test_bad_input(kind, severity, shape, dtype, message):
    with pytest.raises(ValueError, match=message):
        corrupt(np.zeros(shape, dtype), kind, severity)
