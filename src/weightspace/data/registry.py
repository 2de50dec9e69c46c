"""The data sets of both papers, a common one of texts and two small ones of scikit-learn, behind one registry.

Every file is looked for in the folder that the environment variable ``WEIGHTSPACE_DATA`` names,
then in the user's cache folder, and is then downloaded from its public original. Whatever the
place, only content with a known digest is handed out. Values are raw: scaling belongs to the
experiment (see `weightspace.data.sampling`).
"""

import csv
import gzip
import hashlib
import io
import pickle
import tarfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np

from weightspace.data import released
from weightspace.data.files import (
    FETCH,
    DataError,
    File,
    Found,
    Reading,
    combined,
    data_folder,
    hexdigest,
    obtain,
    read_bytes,
)

__all__ = ["CIFAR10_INEXACT", "REGISTRY", "DataError", "Dataset", "fetch", "format_status", "load", "status"]

TABLES = "CSV files"
"""Task of an entry that holds no samples; its rows are files."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """One verified data set with raw values.

    x: features float64 [N, d], images uint8 [N, H, W] or [N, H, W, C], or texts [N], Python's strings.
    y: target float64 [N] (regression) or class int64 [N] from 0 (classification).
    test_x, test_y: the official test part where the set has one, else None.
    feature_names: one name a column, empty for images and texts.
    digest: sha256 over the digests of everything read, the same wherever it was found.
    variant: "canonical", "rebuild" (see `CIFAR10_INEXACT`) or "shipped" with a package.
    source: where it was found, in words.
    """

    name: str
    task: str
    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray | None
    test_y: np.ndarray | None
    feature_names: tuple[str, ...]
    digest: str
    variant: str
    source: str


class Arrays(NamedTuple):
    """What a parser makes of the content of the files."""

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray | None = None
    test_y: np.ndarray | None = None
    feature_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """A CIFAR-10 batch and the two contents that pass for it.

    md5: of the canonical pickle file. pixels, labels: sha256 of the pixel bytes (rows of 3,072,
    channels first) and of the labels (little-endian int64) of the known rebuild, whose file
    digest says nothing because it varies with the pickle protocol and the numpy version.
    """

    name: str
    md5: str
    pixels: str
    labels: str


@dataclass(frozen=True)
class Entry:
    """A line of the registry; ``read(download=...)`` finds, verifies and parses the data set."""

    task: str
    rows: int
    read: Callable[..., Reading]


# --- finding verified content


# --- parsers: bytes to arrays


def parse_csv(content: bytes, *, target: str, separator: str = ",", without: Sequence[str] = ()) -> Arrays:
    """Complete rows (no blank cell) of a numeric table with a header; ValueError for anything else.

    Features are the columns other than the target and those left out, in file order, read to the
    last bit.
    """
    header, *rows = csv.reader(io.StringIO(content.decode(), newline=""), delimiter=separator)
    names = tuple(name for name in header if name != target and name not in without)
    columns = [header.index(name) for name in (*names, target)]
    if any(len(row) != len(header) for row in rows):
        raise ValueError("rows of different lengths")
    table = np.array([[float(row[c]) for c in columns] for row in rows if all(row)])
    if not table.size:
        raise ValueError("no complete row")
    return Arrays(np.ascontiguousarray(table[:, :-1]), table[:, -1].copy(), feature_names=names)


def parse_idx(content: bytes) -> np.ndarray:
    """Array in a gzipped idx file of unsigned bytes (the MNIST format).

    After inflation: bytes 0, 0, 8 (the type code of uint8), the number of dimensions, each
    dimension as a big-endian uint32, then the values in C order. ValueError for anything else.
    """
    try:
        raw = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"not a complete gzip file ({error})") from error
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08" or len(raw) < 4 + 4 * raw[3]:
        raise ValueError("not an idx file of unsigned bytes")
    start = 4 + 4 * raw[3]
    shape = tuple(int(size) for size in np.frombuffer(raw[4:start], ">u4"))
    values = np.frombuffer(raw, np.uint8, offset=start)
    if len(values) != np.prod(shape, dtype=object):
        raise ValueError(f"idx file of shape {shape} holds {len(values)} values")
    return values.reshape(shape).copy()


def parse_idx_set(images: bytes, labels: bytes, test_images: bytes, test_labels: bytes) -> Arrays:
    """The four files of an MNIST-like set: images uint8 [N, H, W], labels int64 [N], test part."""
    x, y, test_x, test_y = map(parse_idx, (images, labels, test_images, test_labels))
    if len(x) != len(y) or len(test_x) != len(test_y):
        raise ValueError(f"{len(x)} and {len(test_x)} images but {len(y)} and {len(test_y)} labels")
    return Arrays(x, y.astype(np.int64), test_x, test_y.astype(np.int64))


def parse_sst2(train: bytes, dev: bytes) -> Arrays:
    """The two labelled files of SST-2 as in GLUE: a sentence or phrase, a tab and 0 (negative) or 1 (positive) a line.

    The development part becomes the test part, because the labels of GLUE's own were never published. Words and
    punctuation marks are separated by blanks; blanks at the ends are left out. ValueError for anything else.
    """
    return Arrays(*_labelled_sentences(train), *_labelled_sentences(dev))


def _labelled_sentences(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    header, *lines = content.decode().removesuffix("\n").split("\n")
    if header != "sentence\tlabel":
        raise ValueError(f"its header is {header!r}, not sentence, tab, label")
    fields = [line.split("\t") for line in lines]
    if any(len(field) != 2 or field[1] not in ("0", "1") for field in fields):
        raise ValueError("a line is not a sentence, a tab and 0 or 1")
    sentences, labels = zip(*fields)
    return np.array([text.strip() for text in sentences], object), np.array(labels, dtype=np.int64)


def _uint8_type(code: str | bytes, align: int = 0, copy: int = 0) -> np.dtype:
    if code not in ("u1", b"u1"):
        raise pickle.UnpicklingError(f"array of type {code!r}")
    return np.dtype(np.uint8)  # the shared one: numpy ignores the state, flags among it, that the pickle sets


class _BatchUnpickler(pickle.Unpickler):
    """Reads arrays of uint8 and plain values; every other global in the pickle is refused.

    The file comes from anywhere and its content is checked only after reading, so nothing in it
    may run. The stand-ins take the calls that numpy has written since Python 2.
    """

    _reconstruct = staticmethod(lambda subtype, shape, code: np.empty(0, np.uint8))
    _frombuffer = staticmethod(
        lambda buffer, dtype, shape, order="C", *rest: np.frombuffer(buffer, np.uint8).reshape(shape, order=order)
    )
    _allowed: ClassVar = {
        ("numpy", "ndarray"): None,  # an argument of the others, never called
        ("numpy", "dtype"): _uint8_type,
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy.core.numeric", "_frombuffer"): _frombuffer,
        ("numpy._core.numeric", "_frombuffer"): _frombuffer,
        ("_codecs", "encode"): str.encode,  # how old protocols write bytes
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return self._allowed[module, name]


def parse_batch(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Pixel rows uint8 [N, 3072] and labels int64 [N] of a CIFAR-10 pickle; ValueError if it is none."""
    try:
        batch = _BatchUnpickler(io.BytesIO(content), encoding="bytes").load()
        rows, labels = batch[b"data"], np.asarray(batch[b"labels"], "<i8")
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise ValueError(f"not a CIFAR-10 batch: {error}") from error
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape != (labels.size, 3072):
        raise ValueError("not a CIFAR-10 batch: no 3,072 bytes for each label")
    return np.ascontiguousarray(rows), labels.ravel()


# --- readers: a data set found, verified, parsed


def from_files(files: Sequence[File], parse: Callable[..., Arrays], *, download: bool) -> Reading:
    """A data set whose files are verified by their sha256 and parsed together."""
    found = [obtain(file, download) for file in files]
    try:
        arrays = parse(*(one.content for one in found))
    except (ValueError, KeyError) as error:
        names = ", ".join(str(one.path) for one in found)
        raise DataError(f"{names}: {error}. Delete and rerun `{FETCH}`.", found[0].path) from error
    return Reading(arrays, combined(file.sha256 for file in files), "canonical", _places(found))


def from_package(make: Callable[[], Arrays], digest: str, *, download: bool) -> Reading:
    """A data set shipped inside scikit-learn, verified by the digest of its values; no download."""
    arrays = make()
    found = combined(hexdigest(np.ascontiguousarray(part)) for part in arrays[:2])
    from sklearn import __version__

    place = f"package scikit-learn {__version__}"
    if found != digest:
        raise DataError(f"{place} ships other values (digest {found}, expected {digest}): install another release.")
    return Reading(arrays, digest, "shipped", place)


def from_cifar10(archive: File, batches: Sequence[Batch], *, download: bool) -> Reading:
    """CIFAR-10 from batch files in the data folder, and what is missing there from the archive.

    The last of ``batches`` is the test part; the others are the training part, in this order.
    """
    found = {batch.name: one for batch in batches if (one := _find_batch(batch.name))}
    if missing := [batch.name for batch in batches if batch.name not in found]:
        try:
            found |= _unpack(obtain(archive, download), missing)
        except DataError as error:
            raise DataError(f"No cifar-10-batches-py has {', '.join(missing)}; {error}", error.path) from error
    rows, labels, variants = zip(*(_check_batch(batch, found[batch.name]) for batch in batches), strict=True)
    images = [np.ascontiguousarray(part.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)) for part in rows]
    arrays = Arrays(np.concatenate(images[:-1]), np.concatenate(labels[:-1]), images[-1], labels[-1])
    digest = combined(hexdigest(part) for pair in zip(rows, labels, strict=True) for part in pair)
    variant = "rebuild" if "rebuild" in variants else "canonical"
    return Reading(arrays, digest, variant, _places(found.values()))


def _find_batch(name: str) -> Found | None:
    folder = data_folder()
    roots = () if folder is None else (folder, folder / "cifar10")
    paths = (root / "cifar-10-batches-py" / name for root in roots)
    return next((Found(read_bytes(path), path, "folder") for path in paths if path.exists()), None)


def _unpack(archive: Found, names: Sequence[str]) -> dict[str, Found]:
    # Members are read in memory: nothing is unpacked that could be left half done or go stale.
    try:
        with tarfile.open(fileobj=io.BytesIO(archive.content), mode="r:gz") as tar:
            opened: Callable[[str], Any] = tar.extractfile  # None for what is no file
            return {n: archive._replace(content=opened(f"cifar-10-batches-py/{n}").read()) for n in names}
    except (tarfile.TarError, KeyError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{archive.path}: {error}. Delete it and rerun `{FETCH}`.", archive.path) from error


def _check_batch(batch: Batch, found: Found) -> tuple[np.ndarray, np.ndarray, str]:
    try:
        rows, labels = parse_batch(found.content)
        if hashlib.md5(found.content, usedforsecurity=False).hexdigest() == batch.md5:
            return rows, labels, "canonical"
        if (hexdigest(rows), hexdigest(labels)) == (batch.pixels, batch.labels):
            return rows, labels, "rebuild"
        raise ValueError("its pixels or labels are not those of CIFAR-10")
    except ValueError as error:
        raise DataError(
            f"{found.path} ({batch.name}): {error}. Replace it by the original from {CIFAR10_ARCHIVE.url}, "
            f"or delete it and rerun `{FETCH}`.",
            found.path,
        ) from error


def _places(found: Iterable[Found]) -> str:
    return " and ".join(dict.fromkeys(one.place for one in found))


# --- registry


def _diabetes() -> Arrays:
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    return Arrays(bunch.data, bunch.target, feature_names=tuple(bunch.feature_names))


def _digits() -> Arrays:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Arrays(bunch.images.astype(np.uint8), bunch.target.astype(np.int64))


def _released(*, download: bool) -> Reading:
    return released.reading(download=download)


def _wine(colour: str, sha256: str) -> Callable[..., Reading]:
    address = f"https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/winequality-{colour}.csv"
    files = (File(f"wine_quality/winequality-{colour}.csv", address, sha256),)
    return partial(from_files, files, partial(parse_csv, target="quality", separator=";"))


def _idx(folder: str, address: str, *sha256: str) -> Callable[..., Reading]:
    names = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    files = tuple(File(f"{folder}/{n}", f"{address}/{n}", digest) for n, digest in zip(names, sha256, strict=True))
    return partial(from_files, files, parse_idx_set)


SST2_ARCHIVE = "https://dl.fbaipublicfiles.com/glue/data/SST-2.zip"
SST2 = (
    File(
        "sst2/train.tsv",
        SST2_ARCHIVE,
        "48eac26399f8456935f81dd9e3a745c1430adb6c62e233ccfe22db4a0d15d1d1",
        "SST-2/train.tsv",
    ),
    File(
        "sst2/dev.tsv",
        SST2_ARCHIVE,
        "54a9c12c77e402fc14d6a66a506f24d999f596b0176eb777c972cccc2f9cc4b0",
        "SST-2/dev.tsv",
    ),
)
HOUSING = File(
    "california_housing/housing.csv",
    "https://raw.githubusercontent.com/ageron/handson-ml2/master/datasets/housing/housing.csv",
    "8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e",
)
CIFAR10_ARCHIVE = File(
    "cifar10/cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)
CIFAR10_BATCHES = (
    Batch(
        "data_batch_1",
        "c99cafc152244af753f735de768cd75f",
        "ab14ff7b2ce517d27f093af58e8e0992a627eb8620d74671a7a201f2bc74b04b",
        "66145c918fed3a0358c4001da734fbc15cb584ddf34c823fa524e6b9c81542b7",
    ),
    Batch(
        "data_batch_2",
        "d4bba439e000b95fd0a9bffe97cbabec",
        "4367f93a21976b7a2d3e7f1018ec6e053c6a4fffae6b9b925f7d9d6b37364bf6",
        "1074c604720c88e1f4d8408e1995944e9bc65877af3e8c5503da69209d57286b",
    ),
    Batch(
        "data_batch_3",
        "54ebc095f3ab1f0389bbae665268c751",
        "ffa34f83a1c845e950ac8ac6c88f9a17493e198a574978f3161eb43a6d467721",
        "fe1021a9820682f7eb5cc7f65ff3d015d8a33876df6dd7787404f0fa8cf5937f",
    ),
    Batch(
        "data_batch_4",
        "634d18415352ddfa80567beed471001a",
        "1748450f55e24b680e135219e6470d963b645f5102a8d85aefbc9e158960664a",
        "1599745ad42ec41be72e2f3f716b65bac89321693690656a125b1ea3ca3feeea",
    ),
    Batch(
        "data_batch_5",
        "482c414d41f54cd18b22e5b47cb7c3cb",
        "11047e955182fb5003939d34eb2823e1a36246a3a2efa64179a7b256e0b10b15",
        "a3a7f0cf6cafd5b2d4610fd467bd87987a0a9ff93958b860a567c925a00ad56d",
    ),
    Batch(
        "test_batch",
        "40351d587109b95175f43aff81a1287e",
        "1fe46ff47f5fb6c1b24f0b5448654cac0e0d3e1e0c16f9cbac842307814b553a",
        "cbb7365de8ed11f05cc4c3a1e7f78144127c5e851efd83762fb18202461230bb",
    ),
)
CIFAR10_INEXACT: dict[str, tuple[int, ...]] = {
    name: tuple(map(int, positions.split()))
    for name, positions in {
        "data_batch_1": "4298 5949 7066 7237 7248 7630 8006 8831 8968 9415",
        "data_batch_2": "2762 2834 3546",
        "data_batch_3": "1493 5728 6098 6927 7621 8435 8728 9694 9747",
        "data_batch_4": """
            1066 1367 1462 1625 1663 2777 3641 3661 4067 4276 4387 4825 5160 5646 6733 7329 7474 7567 8384
            8925 9358 9385 9613 9840 9888 9971
        """,
        "data_batch_5": """
            1779 2004 2389 2611 3357 3883 4882 5168 5240 6175 6435 6538 6624 7393 7597 8081 8124 8333 8821
            8836 9321 9429 9631 9830 9857
        """,
        "test_batch": """
            1259 1369 1422 2245 2737 2935 3695 3718 4085 4496 5791 5896 6286 7580 7707 7724 7832 8117 8551
            9254
        """,
    }.items()
}
"""Positions, counted from 0 in each batch, of the 93 images that the rebuild of CIFAR-10 holds only
as decoded JPEG copies; every other pixel and all labels equal the canonical archive."""

REGISTRY: dict[str, Entry] = {
    "california_housing": Entry(
        "regression",
        20433,
        partial(from_files, (HOUSING,), partial(parse_csv, target="median_house_value", without=("ocean_proximity",))),
    ),
    "wine_quality_red": Entry(
        "regression", 1599, _wine("red", "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e")
    ),
    "wine_quality_white": Entry(
        "regression", 4898, _wine("white", "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836")
    ),
    "mnist": Entry(
        "classification",
        60000,
        _idx(
            "mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion_mnist": Entry(
        "classification",
        60000,
        _idx(
            "fashion_mnist",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    "cifar10": Entry("classification", 50000, partial(from_cifar10, CIFAR10_ARCHIVE, CIFAR10_BATCHES)),
    "sst2": Entry("classification", 67349, partial(from_files, SST2, parse_sst2)),
    "diabetes": Entry(
        "regression",
        442,
        partial(from_package, _diabetes, "28b8cb4e76ef5d55e9c4de6d0e03fe3a24440ad2b79c2c83147d91456b66b859"),
    ),
    "digits": Entry(
        "classification",
        1797,
        partial(from_package, _digits, "6f409a8e169b4bf855ffb28adb625287ac089ff4a1f924131e2e6d8e828be7aa"),
    ),
    "data_diversity_released": Entry(TABLES, 513, partial(_released)),
}


# --- what callers use


def load(name: str) -> Dataset:
    """The data set ``name``, verified, with raw values in arrays of the caller's own.

    Rows and columns are those of paper B, released protocol: California Housing without the rows
    that miss a value, CIFAR-10 in height-width-channel order with its five training batches one
    after the other (the paper uses the first 10,000). A file is taken from the folder that
    WEIGHTSPACE_DATA names, else from the cache, else downloaded. Raises DataError.
    """
    entry = _entry(name)
    if entry.task == TABLES:
        raise DataError(f"{name} holds tables, not samples: read them with `weightspace.data.released.load()`.")
    reading = entry.read(download=True)
    arrays: Arrays = reading.arrays
    return Dataset(name, entry.task, *arrays, reading.digest, reading.variant, reading.source)


def _entry(name: str) -> Entry:
    if name not in REGISTRY:
        raise DataError(f"Unknown data set {name!r}: choose one of {', '.join(REGISTRY)}.")
    return REGISTRY[name]


def status() -> list[dict[str, Any]]:
    """One dict a data set: name, rows, task, variant, verified, where, problem ("" if none).

    Reads and verifies what is on disk, downloads nothing, and reports bad files instead of raising.
    """
    rows = []
    for name, entry in REGISTRY.items():
        try:
            found = entry.read(download=False)
            outcome = {"variant": found.variant, "verified": True, "where": found.source, "problem": ""}
        except DataError as error:
            where = str(error.path or "not found")
            outcome = {"variant": "", "verified": False, "where": where, "problem": str(error)}
        rows.append({"name": name, "rows": entry.rows, "task": entry.task} | outcome)
    return rows


def format_status(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of `status` as an aligned plain table, below it one line for each problem."""
    cells = [["data set", "rows", "task", "variant", "verified", "where"]]
    cells += [
        [r["name"], f"{r['rows']:,}", r["task"], r["variant"] or "-", "yes" if r["verified"] else "no", r["where"]]
        for r in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if column == 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join(lines + [f"{r['name']}: {r['problem']}" for r in rows if r["problem"]])


def fetch(names: Iterable[str] | None = None) -> None:
    """Make the named data sets (default: all) available, printing where each one is.

    A failure does not keep the others from being fetched; DataError at the end names all failures.
    """
    failures = []
    for name in REGISTRY if names is None else names:
        try:
            entry = _entry(name)
            found = entry.read(download=True)
            print(f"{name}: {entry.rows:,} rows verified, {found.variant}, {found.source}", flush=True)
        except DataError as error:
            failures.append(f"{name}: {error}")
            print(f"{name}: not available", flush=True)
    if failures:
        raise DataError("\n".join(failures))
