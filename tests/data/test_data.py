"""The data registry: tiny made-up files and a server on this machine; real data only where it is found."""

import gzip
import hashlib
import http.server
import io
import logging
import pickle
import socket
import struct
import tarfile
import threading
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pooch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from weightspace import data
from weightspace.data import files as data_files
from weightspace.data import registry

TABLE = b"a;b;kind;y\n1;0.1;p;3\n2;;q;4\n5;0.25;p;6\n"  # the second row misses a value


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def idx(array):
    """The idx format written out by hand: zeros, type 8, dimensions, big-endian sizes, bytes."""
    header = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty registry and cache, no data folder, no proxy between the tests and their server."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(data_files, "cache_folder", lambda: folder)
    monkeypatch.setattr(registry, "REGISTRY", {})
    monkeypatch.delenv(data_files.VARIABLE, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture
def folder(cache, tmp_path, monkeypatch):
    """A data folder that the environment variable names."""
    path = tmp_path / "raw"
    path.mkdir()
    monkeypatch.setenv(data_files.VARIABLE, str(path))
    return path


@pytest.fixture
def server():
    """A web server: ``files`` maps names to bytes; ``requests`` lists what was asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests.append(self.path)
            body = self.server.files.get(self.path.removeprefix("/"))
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: self.server.cut])

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.files, running.requests, running.cut = {}, [], None
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def refused():
    """Address of a port at which nobody listens: the state without a network."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}"


def register(url, content=TABLE, name="table"):
    file = data_files.File("set/table.csv", f"{url}/table.csv", sha256(content))
    parse = partial(registry.parse_csv, target="y", separator=";", without=("kind",))
    registry.REGISTRY[name] = registry.Entry("regression", 2, partial(registry.from_files, (file,), parse))


def numbers(text):
    return [float(word) for word in text.split()]


def files_below(path):
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


# --- parsers


def test_csv_keeps_complete_rows_and_the_columns_in_order():
    parsed = registry.parse_csv(TABLE, target="y", separator=";", without=["kind"])
    assert parsed.feature_names == ("a", "b")
    assert parsed.x.tolist() == [[1, 0.1], [5, 0.25]] and parsed.x.dtype == np.float64
    assert parsed.y.tolist() == [3, 6] and parsed.y.dtype == np.float64


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_csv_numbers_are_read_to_the_last_bit(values):
    text = "a,y\n" + "".join(f"{v!r},1\n" for v in values)
    assert registry.parse_csv(text.encode(), target="y").x[:, 0].tolist() == values


@pytest.mark.parametrize("content", [b"", b"a\n1\n", b"a,y\n1,x\n", b"a,y\n1,2,3\n", b"a,y\n", b"\xff\n"])
def test_csv_refuses_other_content(content):
    with pytest.raises(ValueError):  # noqa: PT011 every content has its own message
        registry.parse_csv(content, target="y")


def test_idx_against_bytes_by_hand():
    raw = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255])
    assert registry.parse_idx(gzip.compress(raw)).tolist() == [[1, 2, 3], [4, 5, 255]]
    long = bytes([0, 0, 8, 1, 0, 0, 1, 2]) + bytes(258)  # 258 = 0x0102 shows the byte order
    assert registry.parse_idx(gzip.compress(long)).shape == (258,)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, array_shapes(max_dims=3, max_side=5)))
def test_idx_round_trip(array):
    np.testing.assert_array_equal(registry.parse_idx(idx(array)), array)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x01\0\0",
        b"\0\0\x0d\x01\0\0\0\x01\0",
        b"\1\0\x08\x01\0\0\0\x01\0",
        b"\0\0\x08\x01\0\0\0\x02\0",
        b"\0\0\x08\x01\0\0\0\x02\0\0\0",
        b"\0\0\x08\x03" + b"\xff" * 12 + b"\0",
    ],
)
def test_idx_refuses_other_content(raw):
    with pytest.raises(ValueError, match="idx file"):
        registry.parse_idx(gzip.compress(raw))


@pytest.mark.parametrize("content", [b"", b"plain", gzip.compress(bytes(100), mtime=0)[:-9]])  # named without the time
def test_idx_refuses_damaged_gzip(content):
    with pytest.raises(ValueError, match="gzip|idx file"):
        registry.parse_idx(content)


def test_idx_set_and_its_counts():
    x, test_x = np.arange(24).reshape(2, 3, 4), np.full((1, 3, 4), 9)
    parsed = registry.parse_idx_set(idx(x), idx(np.array([3, 200])), idx(test_x), idx(np.array([1])))
    np.testing.assert_array_equal(parsed.x, x)
    np.testing.assert_array_equal(parsed.test_x, test_x)
    assert parsed.x.dtype == np.uint8 and parsed.y.dtype == np.int64
    assert parsed.y.tolist() == [3, 200] and parsed.test_y.tolist() == [1]
    with pytest.raises(ValueError, match="2 and 1 images but 3 and 1 labels"):
        registry.parse_idx_set(idx(x), idx(np.array([3, 2, 1])), idx(test_x), idx(np.array([1])))


# --- where files come from


def test_download_is_verified_cached_and_quiet(cache, server, capsys, monkeypatch):
    server.files["table.csv"] = TABLE
    register(server.url)
    written = io.StringIO()
    monkeypatch.setattr(pooch.get_logger(), "handlers", [logging.StreamHandler(written)])
    found = data.load("table")
    assert found.y.tolist() == [3, 6] and found.test_x is None
    assert (found.name, found.task, found.variant) == ("table", "regression", "canonical")
    assert found.source == f"cache {cache / 'set'}"
    assert files_below(cache) == ["set/table.csv"]
    assert capsys.readouterr() == ("", "") and written.getvalue() == ""

    again = data.load("table")
    assert server.requests == ["/table.csv"]
    assert again.digest == found.digest == sha256(sha256(TABLE).encode())
    again.x[:] = 0  # every caller has arrays of its own
    assert data.load("table").x[0, 0] == 1


def zipped(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(f"inner/{name}.csv", text)
    return content.getvalue()


def test_a_file_within_an_archive_is_verified_and_cached(cache, server):
    server.files["set.zip"] = zipped(table=TABLE, other=b"not wanted")
    file = data_files.File("set/table.csv", f"{server.url}/set.zip", sha256(TABLE), "inner/table.csv")
    parse = partial(registry.parse_csv, target="y", separator=";", without=("kind",))
    registry.REGISTRY["table"] = registry.Entry("regression", 2, partial(registry.from_files, (file,), parse))
    for _ in range(2):
        assert data.load("table").y.tolist() == [3, 6]
    assert server.requests == ["/set.zip"] and files_below(cache) == ["set/table.csv"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (zipped(table=b"changed"), "its inner/table.csv has sha256"),
        (zipped(other=TABLE), "no readable inner/table.csv"),
        (b"no archive at all", "no readable inner/table.csv"),
    ],
)
def test_a_bad_archive_leaves_nothing(cache, server, body, reason):
    server.files["set.zip"] = body
    file = data_files.File("set/table.csv", f"{server.url}/set.zip", sha256(TABLE), "inner/table.csv")
    with pytest.raises(data.DataError, match=reason):
        registry.from_files((file,), registry.parse_csv, download=True)
    assert files_below(cache) == []


def test_progress_bar_only_on_a_terminal(cache, server, monkeypatch):
    shown = []
    original = pooch.HTTPDownloader
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda progressbar, **k: shown.append(progressbar) or original(**k))
    server.files["table.csv"] = TABLE
    register(server.url)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr("sys.stderr", stream)
        data.load("table")
        (cache / "set/table.csv").unlink()
    assert shown == [False, True]


@pytest.mark.parametrize(
    ("body", "cut", "reason"),
    [
        (TABLE + b"7;7;p;7\n", None, "does not match"),
        (TABLE, 10, ""),
        (None, None, "404"),
    ],
)
def test_bad_downloads_leave_nothing(cache, server, body, cut, reason):
    server.files, server.cut = {"table.csv": body}, cut
    register(server.url)
    with pytest.raises(data.DataError) as caught:
        data.load("table")
    message = str(caught.value)
    assert "set/table.csv" in message and f"{server.url}/table.csv failed" in message and reason in message
    assert data_files.VARIABLE in message and data_files.FETCH in message and "\n" not in message
    assert files_below(cache) == []


def test_no_network(cache, refused):
    register(refused)
    with pytest.raises(data.DataError, match=r"table.csv does not exist, and downloading .* failed .* Run `python -m"):
        data.load("table")
    assert files_below(cache) == []


def test_corrupt_cache_is_replaced_with_a_network(cache, server):
    server.files["table.csv"] = TABLE
    register(server.url)
    put(cache / "set/table.csv", TABLE[:-3])
    assert data.load("table").y.tolist() == [3, 6]
    assert (cache / "set/table.csv").read_bytes() == TABLE and files_below(cache) == ["set/table.csv"]


def test_corrupt_cache_is_named_without_a_network(cache, refused):
    register(refused)
    bad = cache / "set/table.csv"
    put(bad, TABLE[:-3])
    with pytest.raises(data.DataError) as caught:
        data.load("table")
    assert str(caught.value).startswith(f"{bad} is corrupt, and downloading")
    assert f"Delete {bad} and rerun" in str(caught.value) and caught.value.path == bad


def test_cache_that_cannot_be_written(cache, refused):
    register(refused)
    put(cache, b"a file where the folder should be")
    with pytest.raises(data.DataError, match=f"cache folder {cache}/set cannot be written"):
        data.load("table")


def test_cache_without_permission(cache, refused, monkeypatch):
    monkeypatch.setattr(data_files.os, "access", lambda path, mode: False)
    register(refused)
    with pytest.raises(data.DataError, match="cannot be written .no permission"):
        data.load("table")


def test_data_folder_wins_over_cache_and_network(cache, folder, refused):
    other = TABLE.replace(b"6", b"8")
    register(refused, other)
    put(cache / "set/table.csv", TABLE)
    put(folder / "set/table.csv", other)
    found = data.load("table")
    assert found.y.tolist() == [3, 8] and found.source == f"folder {folder / 'set'}"


def test_file_missing_in_data_folder_comes_from_cache_then_network(cache, folder, server):
    server.files["table.csv"] = TABLE
    register(server.url)
    assert data.load("table").source == data.load("table").source == f"cache {cache / 'set'}"
    assert len(server.requests) == 1 and files_below(folder) == []


def test_wrong_digest_in_data_folder_is_an_error(cache, folder, server):
    server.files["table.csv"] = TABLE
    register(server.url)
    put(cache / "set/table.csv", TABLE)
    put(folder / "set/table.csv", TABLE[:-1])
    with pytest.raises(data.DataError) as caught:
        data.load("table")
    assert f"{folder / 'set/table.csv'} has the wrong content" in str(caught.value)
    assert sha256(TABLE[:-1]) in str(caught.value) and server.requests == []


def test_unreadable_file_is_an_error(folder, refused):
    register(refused)
    (folder / "set/table.csv").mkdir(parents=True)
    with pytest.raises(data.DataError, match="table.csv cannot be read"):
        data.load("table")


def test_data_folder_must_exist(cache, monkeypatch, tmp_path, refused):
    register(refused)
    monkeypatch.setenv(data_files.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(data.DataError, match=f"WEIGHTSPACE_DATA names {tmp_path / 'nowhere'}, which is not a folder"):
        data.load("table")
    monkeypatch.setenv(data_files.VARIABLE, "")  # as good as unset
    with pytest.raises(data.DataError, match="does not exist"):
        data.load("table")


def test_unknown_name_lists_the_known_ones(cache, refused):
    register(refused, name="one")
    register(refused, name="two")
    with pytest.raises(data.DataError, match="Unknown data set 'three': choose one of one, two"):
        data.load("three")


def test_verified_file_that_does_not_parse(folder, refused):
    register(refused, b"a;b\n1;2\n")  # no column y
    put(folder / "set/table.csv", b"a;b\n1;2\n")
    with pytest.raises(data.DataError, match="table.csv: .*y.* Delete"):
        data.load("table")


# --- CIFAR-10


def python2_pickle(rows, labels):
    """A batch as Python 2 wrote the canonical ones (protocol 2, byte strings), opcode by opcode."""

    def text(word):
        return b"U" + bytes([len(word)]) + word

    def integer(value):
        return b"J" + struct.pack("<i", value)

    raw = rows.tobytes()
    dtype = (
        b"cnumpy\ndtype\n" + text(b"u1") + integer(0) + integer(1) + b"\x87R"
        b"(" + integer(3) + text(b"|") + b"NNN" + integer(-1) + integer(-1) + integer(0) + b"tb"
    )
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + integer(0) + b"\x85" + text(b"b") + b"\x87R"
        b"(" + integer(1) + integer(rows.shape[0]) + integer(rows.shape[1]) + b"\x86" + dtype + b"\x89"
        b"T" + struct.pack("<i", len(raw)) + raw + b"tb"
    )
    items = text(b"data") + array + text(b"labels") + b"](" + b"".join(map(integer, labels)) + b"e"
    return b"\x80\x02}(" + items + text(b"filenames") + b"](" + text(b"x_s_1.png") + b"eu."


NAMES = ("data_batch_1", "data_batch_2", "test_batch")


@pytest.fixture
def batches():
    """Made-up rows and labels of three batches with two images each."""
    generator = np.random.default_rng(0)
    return {
        name: (generator.integers(0, 256, (2, 3072), dtype=np.uint8), generator.integers(0, 10, 2).tolist())
        for name in NAMES
    }


@pytest.fixture
def cifar(batches, refused, folder):
    """Registers the made-up batches; returns the folder that holds the canonical pickles."""
    root = folder / "cifar-10-batches-py"
    known = []
    for name, (rows, labels) in batches.items():
        put(root / name, python2_pickle(rows, labels))
        known.append(
            registry.Batch(
                name,
                hashlib.md5((root / name).read_bytes()).hexdigest(),
                sha256(rows.tobytes()),
                sha256(struct.pack(f"<{len(labels)}q", *labels)),
            )
        )
    register_cifar(refused, known)
    return root


def register_cifar(url, known, digest="0" * 64):
    archive = data_files.File("cifar10/cifar.tar.gz", f"{url}/cifar.tar.gz", digest)
    registry.REGISTRY["cifar10"] = registry.Entry("classification", 4, partial(registry.from_cifar10, archive, known))


def rebuilt(rows, labels, protocol):
    return pickle.dumps({b"data": rows, b"labels": labels, b"batch_label": b"x"}, protocol)


def test_cifar_canonical_pixels_order_and_labels(cifar, batches):
    found = data.load("cifar10")
    assert found.variant == "canonical" and found.source == f"folder {cifar}"
    assert found.x.shape == (4, 32, 32, 3) and found.test_x.shape == (2, 32, 32, 3)
    assert found.x.flags.c_contiguous and found.test_x.flags.c_contiguous
    for n, row, column, channel in [(0, 0, 0, 0), (1, 5, 31, 2), (2, 31, 0, 1)]:
        rows = batches[NAMES[n // 2]][0]
        assert found.x[n, row, column, channel] == rows[n % 2][1024 * channel + 32 * row + column]
    assert found.y.tolist() == batches[NAMES[0]][1] + batches[NAMES[1]][1] and found.y.dtype == np.int64
    assert found.test_y.tolist() == batches["test_batch"][1]


@pytest.mark.parametrize("protocol", range(6))
def test_cifar_rebuild_in_every_pickle_protocol(cifar, batches, protocol):
    canonical = data.load("cifar10")
    (cifar / "data_batch_2").write_bytes(rebuilt(*batches["data_batch_2"], protocol))
    found = data.load("cifar10")
    assert found.variant == "rebuild" and found.digest == canonical.digest  # the same pixels and labels
    np.testing.assert_array_equal(found.x, canonical.x)
    np.testing.assert_array_equal(found.y, canonical.y)


def test_cifar_folder_below_cifar10(cifar, folder):
    (folder / "cifar10").mkdir()
    cifar.rename(folder / "cifar10" / cifar.name)
    assert data.load("cifar10").source == f"folder {folder / 'cifar10' / cifar.name}"


def change_pixel(rows, labels):
    rows = rows.copy()
    rows[1, 3000] ^= 1
    return rows, labels


@pytest.mark.parametrize(
    "change",
    [
        change_pixel,
        lambda rows, labels: (rows, [labels[0], (labels[1] + 1) % 10]),
        lambda rows, labels: (rows[::-1].copy(), labels[::-1]),
        lambda rows, labels: (rows[:1], labels[:1]),
    ],
)
def test_cifar_altered_content_is_refused(cifar, batches, change):
    (cifar / "test_batch").write_bytes(rebuilt(*change(*batches["test_batch"]), 4))
    with pytest.raises(data.DataError, match=f"{cifar}/test_batch .*not those of CIFAR-10.* Replace it"):
        data.load("cifar10")


class Trap:
    """Creates a file when it is unpickled without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_cifar_pickle_cannot_run_anything(cifar, batches, tmp_path, protocol):
    rows, labels = batches["data_batch_1"]
    trap = pickle.dumps({b"data": rows, b"labels": labels, b"more": Trap(tmp_path / "sprung")}, protocol)
    (cifar / "data_batch_1").write_bytes(trap)
    with pytest.raises(data.DataError, match=r"data_batch_1.*not a CIFAR-10 batch: it refers to"):
        data.load("cifar10")
    assert not (tmp_path / "sprung").exists()
    pickle.loads(trap)
    assert (tmp_path / "sprung").exists()  # the trap works where nothing stops it


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04",
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        pickle.dumps([1]),
        pickle.dumps({}),
        pickle.dumps({b"data": np.zeros((1, 3072)), b"labels": [1]}),
        pickle.dumps({b"data": np.array([None]), b"labels": [1]}),
        pickle.dumps({b"data": np.zeros((1, 3071), np.uint8), b"labels": [1]}),
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1, 2]}),
        pickle.dumps({b"data": b"\0" * 3072, b"labels": [1]}),
        pickle.dumps({b"data": [0], b"labels": ["cat"]}),
    ],
)
def test_cifar_other_pickles_are_refused(cifar, content):
    (cifar / "data_batch_1").write_bytes(content)
    with pytest.raises(data.DataError, match="data_batch_1.*not a CIFAR-10 batch"):
        data.load("cifar10")


def test_cifar_pickle_cannot_alter_the_array_type(cifar, batches):
    expected = data.load("cifar10").x
    content = python2_pickle(*batches["data_batch_1"])
    state = b"J" + struct.pack("<i", -1) + b"J" + struct.pack("<i", 0) + b"tb"  # alignment, flags
    assert content.count(state) == 1
    altered = state.replace(struct.pack("<i", 0), struct.pack("<i", 63))  # would declare the bytes to be objects
    (cifar / "data_batch_1").write_bytes(content.replace(state, altered))
    found = data.load("cifar10")
    assert found.variant == "rebuild" and found.x.dtype.flags == np.dtype(np.uint8).flags == 0
    np.testing.assert_array_equal(found.x, expected)


def archive(cifar, names):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            tar.add(cifar / name, f"cifar-10-batches-py/{name}")
    return packed.getvalue()


def test_cifar_from_the_downloaded_archive(cifar, cache, server):
    known = registry.REGISTRY["cifar10"].read.args[1]
    expected = data.load("cifar10")
    server.files["cifar.tar.gz"] = packed = archive(cifar, NAMES)
    register_cifar(server.url, known, sha256(packed))
    (cifar / "data_batch_2").unlink()  # only what is missing comes from the archive
    mixed = data.load("cifar10")
    assert mixed.source == f"folder {cifar} and cache {cache / 'cifar10'}"
    for name in ("data_batch_1", "test_batch"):
        (cifar / name).unlink()
    whole = data.load("cifar10")
    assert whole.source == f"cache {cache / 'cifar10'}" and whole.variant == "canonical"
    for found in (mixed, whole):
        np.testing.assert_array_equal(found.x, expected.x)
        assert found.digest == expected.digest
    assert files_below(cache) == ["cifar10/cifar.tar.gz"]  # nothing unpacked


def test_cifar_missing_batch_without_a_network(cifar):
    (cifar / "data_batch_2").unlink()
    with pytest.raises(data.DataError, match=r"No cifar-10-batches-py has data_batch_2; .*cifar.tar.gz"):
        data.load("cifar10")


@pytest.mark.parametrize("packed", [b"no archive", None])
def test_cifar_archive_without_the_batches(cifar, folder, refused, packed):
    known = registry.REGISTRY["cifar10"].read.args[1]
    packed = packed or archive(cifar, NAMES[:1])
    put(folder / "cifar10/cifar.tar.gz", packed)
    register_cifar(refused, known, sha256(packed))
    (cifar / "data_batch_2").unlink()
    with pytest.raises(data.DataError, match="cifar.tar.gz: .*Delete it"):
        data.load("cifar10")


def test_cifar_facts():
    batches = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]
    found = {name: len(positions) for name, positions in data.CIFAR10_INEXACT.items()}
    assert found == dict(zip(batches, (10, 3, 9, 26, 25, 20), strict=True))
    for positions in data.CIFAR10_INEXACT.values():
        assert list(positions) == sorted(set(positions)) and 0 <= positions[0] and positions[-1] < 10000
    assert [batch.name for batch in registry.CIFAR10_BATCHES] == list(data.CIFAR10_INEXACT)


# --- status and fetch


def test_status_reports_and_never_downloads(cache, folder, server):
    server.files["table.csv"] = TABLE
    register(server.url, name="absent")
    rows = data.status()
    problem = rows[0].pop("problem")
    expected = {"name": "absent", "rows": 2, "task": "regression", "variant": ""}
    assert rows == [expected | {"verified": False, "where": "not found"}]
    assert "set/table.csv is neither in" in problem and server.requests == []

    put(cache / "set/table.csv", b"damaged")
    (row,) = data.status()
    assert row["where"] == str(cache / "set/table.csv") and "is corrupt" in row["problem"]
    put(folder / "set/table.csv", b"damaged")
    (row,) = data.status()
    assert row["where"] == str(folder / "set/table.csv") and "wrong content" in row["problem"]
    put(folder / "set/table.csv", TABLE)
    (row,) = data.status()
    assert row["verified"] and row["problem"] == "" and row["where"] == f"folder {folder / 'set'}"


def test_status_with_a_data_folder_that_does_not_exist(cache, monkeypatch, refused, tmp_path):
    register(refused)
    monkeypatch.setenv(data_files.VARIABLE, str(tmp_path / "nowhere"))
    (row,) = data.status()
    assert not row["verified"] and "which is not a folder" in row["problem"]


def test_format_status_is_aligned_and_lists_problems():
    columns = "name rows task variant verified where problem".split()
    rows = [
        dict(zip(columns, ("a", 20433, "regression", "canonical", True, "folder /x", ""), strict=True)),
        dict(zip(columns, ("longer", 7, "classification", "", False, "not found", "fetch it."), strict=True)),
    ]
    assert data.format_status(rows).splitlines() == [
        "data set    rows  task            variant    verified  where",
        "a         20,433  regression      canonical  yes       folder /x",
        "longer         7  classification  -          no        not found",
        "longer: fetch it.",
    ]
    assert data.format_status([]).startswith("data set")


def test_fetch_goes_on_after_a_failure(cache, server, refused, capsys):
    register(refused, name="bad")
    register(server.url, name="good")
    server.files["table.csv"] = TABLE
    with pytest.raises(data.DataError, match="^bad: .*failed"):
        data.fetch()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "bad: not available" and lines[1] == f"good: 2 rows verified, canonical, cache {cache / 'set'}"
    data.fetch(["good"])
    assert len(server.requests) == 1


SENTENCES = "sentence\tlabel\na fine film . \t1\nnone\x85of it\t0\n".encode()


def test_labelled_sentences():
    parsed = registry.parse_sst2(SENTENCES, SENTENCES[:31])
    assert parsed.x.tolist() == ["a fine film .", "none\x85of it"] and parsed.y.tolist() == [1, 0]
    assert parsed.test_x.tolist() == ["a fine film ."] and parsed.test_y.tolist() == [1]
    assert parsed.y.dtype == np.int64


@pytest.mark.parametrize("content", [b"", b"sentence,label\na,1\n", SENTENCES + b"no label\n", SENTENCES + b"a\t2\n"])
def test_labelled_sentences_refuse_other_content(content):
    with pytest.raises(ValueError):  # noqa: PT011 every content has its own message
        registry.parse_sst2(SENTENCES, content)


# --- the registry itself


def test_registry_is_complete_and_well_formed():
    tables, images = "california_housing wine_quality_red wine_quality_white", "mnist fashion_mnist cifar10"
    assert list(registry.REGISTRY) == f"{tables} {images} sst2 diabetes digits data_diversity_released".split()
    files = [registry.CIFAR10_ARCHIVE]
    for entry in registry.REGISTRY.values():
        if entry.read.func is registry.from_files:
            files += entry.read.args[0]
    assert len({file.path for file in files}) == len(files) == 14
    for file in files:
        name = (file.member or file.url).rsplit("/", 1)[1]
        assert len(bytes.fromhex(file.sha256)) == 32 and name == Path(file.path).name


def test_diabetes_is_shipped_in_its_units(monkeypatch):
    found = data.load("diabetes")
    assert found.variant == "shipped" and "scikit-learn" in found.source and found.test_x is None
    assert found.feature_names == ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    assert found.x[0].tolist() == [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87] and found.y[0] == 151
    means = "48.51809955 1.468325792 26.37579186 94.64701357 189.1402715 115.4391403 49.78846154 4.070248869 4.64141086"
    np.testing.assert_allclose(found.x.mean(axis=0), numbers(f"{means} 91.260181"), rtol=1e-8)
    assert len(found.y) == 442 and found.y.mean() == pytest.approx(152.1334842, rel=1e-9)


def test_digits_are_shipped_as_small_images():
    found = data.load("digits")
    assert found.x.shape == (1797, 8, 8) and found.x.dtype == np.uint8 and found.x.max() == 16
    assert found.x.mean() == pytest.approx(4.88416, abs=5e-6)
    assert np.bincount(found.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_package_that_ships_other_values_is_refused():
    with pytest.raises(data.DataError, match="ships other values .* install another release"):
        registry.from_package(registry._digits, "0" * 64, download=False)


# --- real data


@pytest.fixture(scope="module")
def real():
    found = {row["name"]: row for row in data.status()}

    def get(name):
        if found[name]["where"] == "not found":
            pytest.skip(f"{name} is not on disk")
        loaded = data.load(name)  # a file that is there but wrong fails the test
        assert len(loaded.x) == len(loaded.y) == found[name]["rows"]
        return loaded

    return get


# Expected means and counts: computed from the raw files with awk, without this package.


@pytest.mark.realdata
def test_real_california_housing(real):
    found = real("california_housing")
    assert found.x.shape == (20433, 8)
    names = "longitude latitude housing_median_age total_rooms total_bedrooms population households median_income"
    assert found.feature_names == tuple(names.split())
    assert found.x[0].tolist() == [-122.23, 37.88, 41, 880, 129, 322, 126, 8.3252] and found.y[0] == 452600
    means = "-119.5706886 35.63322126 28.63309353 2636.504233 537.8705525 1424.946949 499.4334655 3.871161601"
    np.testing.assert_allclose(found.x.mean(axis=0), numbers(means), rtol=1e-8)
    assert found.y.mean() == pytest.approx(206864.4132, rel=1e-9)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("colour", "first", "means", "qualities"),
    [
        (
            "red",
            [7.4, 0.7, 0, 1.9, 0.076, 11, 34, 0.9978, 3.51, 0.56, 9.4, 5],
            "8.319637273 0.5278205128 0.2709756098 2.538805503 0.08746654159 15.87492183 46.46779237 0.9967466792 "
            "3.311113196 0.658148843 10.42298311 5.636022514",
            [10, 53, 681, 638, 199, 18],
        ),
        (
            "white",
            [7, 0.27, 0.36, 20.7, 0.045, 45, 170, 1.001, 3, 0.45, 8.8, 6],
            "6.854787668 0.2782411188 0.3341915067 6.391414863 0.04577235606 35.30808493 138.3606574 0.9940273765 "
            "3.188266639 0.4898468763 10.51426705 5.877909351",
            [20, 163, 1457, 2198, 880, 175, 5],
        ),
    ],
)
def test_real_wine(real, colour, first, means, qualities):
    found = real(f"wine_quality_{colour}")
    assert found.feature_names[0] == "fixed acidity" and found.feature_names[-1] == "alcohol"
    table = np.column_stack([found.x, found.y])
    assert table[0].tolist() == first
    np.testing.assert_allclose(table.mean(axis=0), numbers(means), rtol=1e-8)
    assert np.bincount(found.y.astype(int))[3:].tolist() == qualities


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "mean", "first", "counts", "test_counts"),
    [
        (
            "mnist",
            33.31842145,
            [5, 0, 4, 1, 9, 2, 1, 3],
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        ),
        ("fashion_mnist", 72.94035223, [9, 0, 0, 3, 0, 2, 7, 2], [6000] * 10, [1000] * 10),
    ],
)
def test_real_idx_sets(real, name, mean, first, counts, test_counts):
    found = real(name)
    assert found.x.shape == (60000, 28, 28) and found.test_x.shape == (10000, 28, 28)
    assert found.x.mean() == pytest.approx(mean, rel=1e-8)
    assert found.y[:8].tolist() == first
    assert np.bincount(found.y).tolist() == counts and np.bincount(found.test_y).tolist() == test_counts


@pytest.mark.realdata
def test_real_cifar10(real):
    found = real("cifar10")
    assert found.x.shape == (50000, 32, 32, 3) and found.test_x.shape == (10000, 32, 32, 3)
    assert np.bincount(found.y).tolist() == [5000] * 10 and np.bincount(found.test_y).tolist() == [1000] * 10
    assert found.y[:5].tolist() == [6, 9, 9, 4, 1] and found.test_y[:5].tolist() == [3, 8, 8, 0, 6]
    assert found.x[0, 0, 0].tolist() == [59, 62, 63]
    # The published channel means of the training part, on the scale 0 to 1.
    means = [found.x[..., channel].mean() / 255 for channel in range(3)]
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=6e-5)


@pytest.mark.realdata
def test_real_sst2(real):
    found = real("sst2")
    assert len(found.test_y) == 872 and found.test_y.sum() == 444 and found.y.sum() == 37569
    assert found.x[0] == "hide new secretions from the parental units" and found.y[0] == 0
    assert found.test_x[0] == "it 's a charming and often affecting journey ." and found.test_y[0] == 1
    assert sum(len(text.split(" ")) for text in found.x) == 633724
