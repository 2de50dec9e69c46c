"""Tables: each function makes one, from a frame."""

from weightspace import extras

extras.need("plots", "matplotlib", "seaborn")
