"""Runs of the plans, picked by their settings, for the tests of experiments."""

from weightspace import experiments


def planned(name, scale="quick", seeds=1, **chosen):
    """The configurations of a plan that have the chosen values, in their order."""
    plan = experiments.planned(name, scale, seeds).values()
    return [c for c in plan if all(getattr(c, key) == value for key, value in chosen.items())]


def one(name, **chosen):
    """The first of them at the quick scale."""
    return planned(name, **chosen)[0]
