"""Each notebook runs from top to bottom without an error, on the recordings in this repository, and is kept without its outputs."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LIVE = "04_live"
SECONDS = 60

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_of(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (cell for cell in notebook["cells"] if cell["cell_type"] == "code")


def test_there_are_five() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@each
def test_kept_without_outputs(path: Path) -> None:
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in code_of(notebook):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        assert cell["metadata"] == {}
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["metadata"]["language_info"] == {"name": "python"}


@each
def test_each_cell_of_code_is_told_about_first(path: Path) -> None:
    kinds = [cell["cell_type"] for cell in read(path)["cells"]]
    assert kinds[0] == "markdown"
    assert [first for first, second in pairwise(kinds) if first == second == "code"] == []


@each
def test_recordings_named_in_it_are_there(path: Path) -> None:
    source = "".join("".join(cell["source"]) for cell in code_of(read(path)))
    assert "../captures/" in source or 'Path("../captures")' in source
    assert "://" not in source  # nothing is fetched


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Name of a kernel that runs this interpreter, whatever kernels the account has; nothing is written into its home."""
    pytest.importorskip("nbclient", reason="needs nbclient")
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    pytest.importorskip("altair", reason="needs altair")
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what a notebook leaves behind goes with the test
    from ipykernel.kernelspec import write_kernel_spec

    write_kernel_spec(tmp_path / "jupyter_data_dir" / "kernels" / "handshake-test")
    return "handshake-test"


def run(path: Path, kernel: str) -> tuple[Any, float]:
    """The notebook with its outputs, and how many seconds it took. Raises CellExecutionError."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    begun = time.monotonic()
    client = NotebookClient(notebook, timeout=2 * SECONDS, kernel_name=kernel, resources={"metadata": {"path": str(FOLDER)}})
    client.execute()
    return notebook, time.monotonic() - begun


def may_listen() -> bool:
    """This process may listen on an interface: root outside of most containers."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except (OSError, AttributeError):
        return False
    return True


@each
def test_runs_from_top_to_bottom(path: Path, kernel: str, tmp_path: Path) -> None:
    if path.stem == LIVE and shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    before = sorted(FOLDER.iterdir()), path.read_bytes()
    notebook, seconds = run(path, kernel)
    outputs = [output for cell in code_of(notebook) for output in cell["outputs"]]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    assert seconds < SECONDS
    assert (sorted(FOLDER.iterdir()), path.read_bytes()) == before
    shown = [output["data"] for output in outputs if "data" in output]
    assert any("text/html" in data for data in shown)
    assert sum("<svg" in data.get("text/html", "") or "image/svg+xml" in data for data in shown) >= 1, "no picture"
    told = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    if path.stem == LIVE:
        assert ("Not allowed to listen here" not in told) == may_listen()
    if path.stem == LIVE and may_listen():
        lines = [line.split()[:2] for line in told.splitlines()]
        assert ["completed"] in lines
        assert ["failed", "cert-unknown-ca"] in lines
        assert "3 handshakes, 2 failed" in told
