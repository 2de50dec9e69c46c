"""The extras of the package: an installation without them names the one that a library belongs to."""

from importlib.util import find_spec


def need(extra: str, *libraries: str) -> None:
    """``ModuleNotFoundError`` with the command to run if one of the libraries, given by import name, is not there."""
    for library in libraries:
        if find_spec(library) is None:
            raise not_installed(extra, library)


def not_installed(extra: str, library: str) -> ModuleNotFoundError:
    """The error to raise for a library of this extra."""
    return ModuleNotFoundError(
        f'{library} is not installed: `pip install "weightspace[{extra}]"` brings it', name=library
    )
