"""The experiments of paper A: data diversity, dropout and weight decay in the space of weights.

A module here states settings, plans and what is computed; ``compute`` does it, and is imported only then.
"""
