"""How any experiment is planned, computed on one core or many machines, put on record and read.

From left to right: ``configuration``; ``record_files``, ``record_tables``, ``parts``, ``records``; ``registry``,
``planning``, ``computing``, ``executors``, ``running``, ``reading``.
"""

from weightspace import extras

extras.need("experiments", "filelock", "pyarrow", "pydantic")
