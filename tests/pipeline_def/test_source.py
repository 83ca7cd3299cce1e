"""Own code as it is read from its folder: what is left out, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipeline_def import source
from pipeline_def.source import SourceError, read_source

MODEL: dict[str, Any] = {"training": {"source_dir": "src", "entry_point": "train.py"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose src/ has a script that trains."""
    path = tmp_path / "project"
    write(path / "src" / "train.py", "print(1)\n")
    return path


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def refusal(folder: Path, model: dict[str, Any] = MODEL) -> str:
    with pytest.raises(SourceError) as refused:
        read_source(model, folder)
    return str(refused.value)


def test_all_files_are_read_by_their_paths(folder: Path) -> None:
    write(folder / "src" / "requirements.txt", "lightgbm\n")
    write(folder / "src" / "features" / "dates.py", "é")
    write(folder / "elsewhere.py")
    assert read_source(MODEL, folder) == {
        "train.py": b"print(1)\n",
        "requirements.txt": b"lightgbm\n",
        "features/dates.py": "é".encode(),
    }


@pytest.mark.parametrize(
    "path",
    [
        *(".git/config", ".venv/x.py", ".env", ".DS_Store", ".ipynb_checkpoints/a.py", ".idea/x.xml"),
        *(
            "__pycache__/train.cpython-311.pyc",
            "a/__pycache__/b.pyc",
            "old.pyc",
            "env/pyvenv.cfg",
            "env/lib/x.py",
        ),
        *("node_modules/a.js", "churn.egg-info/PKG-INFO", "train.py~", "#train.py#", "train.swp"),
        *("handsoff-terraform/main.tf", "terraform/handsoff.auto.tfvars.json", "terraform/terraform.tfstate"),
    ],
)
def test_files_that_no_job_needs_are_left_out(path: str, folder: Path) -> None:
    write(folder / "src" / "env" / "pyvenv.cfg")
    write(folder / "src" / path)
    assert set(read_source(MODEL, folder)) == {"train.py"}


def test_links_inside_the_project_are_followed(folder: Path) -> None:
    write(folder / "shared" / "tools.py", "shared")
    (folder / "src" / "tools").symlink_to(folder / "shared")
    (folder / "src" / "tools.py").symlink_to("../shared/tools.py")
    found = read_source(MODEL, folder)
    assert (found["tools/tools.py"], found["tools.py"]) == (b"shared", b"shared")


@pytest.mark.parametrize("kind", ["file", "folder", "source_dir"])
def test_a_link_out_of_the_project_is_refused(kind: str, folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "secrets" / "train.py")
    if kind == "source_dir":
        (folder / "other").symlink_to(tmp_path / "secrets")
        model = {"training": {"source_dir": "other", "entry_point": "train.py"}}
        said = refusal(folder, model)
    else:
        target = tmp_path / "secrets" / ("train.py" if kind == "file" else "")
        (folder / "src" / "link").symlink_to(target)
        said = refusal(folder)
    assert said.endswith(f" leads out of {folder}: code must lie inside that folder")


def test_a_link_that_leads_back_is_refused(folder: Path) -> None:
    (folder / "src" / "again").symlink_to(folder / "src")
    assert refusal(folder) == "src/again is a link to a folder that it lies in: remove it"


@pytest.mark.parametrize("kind", ["broken link", "pipe"])
def test_what_cannot_be_read_as_a_file_is_refused(kind: str, folder: Path) -> None:
    path = folder / "src" / "odd"
    path.symlink_to(folder / "nowhere") if kind == "broken link" else os.mkfifo(path)
    assert refusal(folder) == "src/odd is no file and no folder, or a broken link: remove it"


@pytest.mark.parametrize("name", ["handsoff_entry.py", "handsoff.json", "handsoff_entry/x.py"])
def test_a_name_of_ours_is_refused(name: str, folder: Path) -> None:
    write(folder / "src" / name)
    assert refusal(folder) == f"src/{name}: this name is needed beside the code, rename yours"
    (folder / "src" / name).unlink()
    write(folder / "src" / "deeper" / name)
    assert set(read_source(MODEL, folder)) == {"train.py", f"deeper/{name}"}


def test_a_name_with_a_line_break_is_refused(folder: Path) -> None:
    write(folder / "src" / "a\nb.py")
    assert refusal(folder).endswith("the name has a character that no job can read")


def test_a_missing_folder_is_refused(folder: Path) -> None:
    model = {"training": {"source_dir": "source", "entry_point": "train.py"}}
    assert refusal(folder, model) == (
        f"training.source_dir source is no folder beside handsoff.yaml in {folder}"
    )


@pytest.mark.parametrize("key", ["training", "inference"])
def test_a_missing_entry_point_is_refused_and_the_python_files_are_named(key: str, folder: Path) -> None:
    model = {**MODEL, "inference": {}} | {key: {**MODEL["training"], "entry_point": "tain.py"}}
    assert refusal(folder, model) == f"{key}.entry_point tain.py is not in src; its Python files: train.py"


def test_too_many_bytes_or_files_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "src" / "weights.bin", "x" * 100)
    monkeypatch.setattr(source, "SIZE_LIMIT", 100)
    assert refusal(folder).startswith(
        "the code in src has more than 0 MB, reached at weights.bin: move data and "
    )
    monkeypatch.setattr(source, "SIZE_LIMIT", 1000)
    monkeypatch.setattr(source, "FILES_LIMIT", 1)
    assert refusal(folder).startswith(
        "the code in src has more than 1 files, reached at weights.bin: move data "
    )


@pytest.mark.parametrize(
    "name",
    [
        *("server.pem", "deploy.key", "store.p12", "id_rsa", "id_ed25519", "prod.env", "Server.PEM"),
        *("credentials", "credentials.json", "aws-credentials.csv", "secrets.txt", "secret.yaml"),
        *("passwords.txt", "client_secret.json", "service-account-prod.json"),
    ],
)
def test_file_that_looks_like_a_secret_is_refused(name: str, folder: Path) -> None:
    write(folder / "src" / "conf" / name)
    assert refusal(folder) == (
        f"training.source_dir src has files that would be stored with every model: conf/{name} (looks like a "
        "secret). Give the code a folder of its own, or write names into src/.handsoffignore: a line NAME "
        "leaves files out, !NAME publishes them"
    )


def test_private_key_is_refused_in_a_file_of_any_name(folder: Path) -> None:
    write(folder / "src" / "settings.py", "KEY = '''-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n'''")
    assert "settings.py (has a private key)" in refusal(folder)


@pytest.mark.parametrize("name", ["secrets.py", "tokenizer.json", "keys.py", "monkey.txt", "config.yaml"])
def test_code_and_settings_are_no_secrets(name: str, folder: Path) -> None:
    write(folder / "src" / name)
    assert set(read_source(MODEL, folder)) == {"train.py", name}


@pytest.mark.parametrize(
    "name", ["customers.csv", "rows.CSV.gz", "a.parquet", "a.tsv", "a.jsonl", "rows.gz", "a.xlsx", "a.zip"]
)
def test_large_data_file_is_refused_and_a_small_one_is_published(name: str, folder: Path) -> None:
    write(folder / "src" / name, "x" * 16 * 1024)
    assert set(read_source(MODEL, folder)) == {"train.py", name}
    write(folder / "src" / name, "x" * (16 * 1024 + 1))
    assert f"{name} (data of 16.4 kB)" in refusal(folder)


def test_handsoffignore_leaves_files_out_and_lets_others_in(folder: Path) -> None:
    for name in ("data/a.csv", "data/deep/b.csv", "codes.csv", "notes.txt", "server.pem"):
        write(folder / "src" / name, "x" * 20_000)
    write(
        folder / "src" / ".handsoffignore", "# data\n\ndata/  # rows\nserver.pem\n*.csv\nnotes*\n!codes.csv\n"
    )
    assert set(read_source(MODEL, folder)) == {"train.py", "codes.csv"}


def test_folder_of_handsoff_yaml_publishes_neither_it_nor_data(folder: Path) -> None:
    model: dict[str, Any] = {"training": {"source_dir": ".", "entry_point": "src/train.py"}}
    for name in ("handsoff.yaml", ".env", ".aws/credentials"):
        write(folder / name)
    assert set(read_source(model, folder)) == {"src/train.py"}
    for number in range(7):
        write(folder / "data" / f"{number}.csv", "x" * 1_234_567)
    said = refusal(folder, model)
    assert "data/0.csv (data of 1.2 MB), " in said
    assert "data/4.csv (data of 1.2 MB) and 2 more. Give the code a folder of its own, or " in said
    assert "into .handsoffignore" in said


def test_files_are_shown_with_their_sizes() -> None:
    files = {"b.py": 1500, "a.py": 1, "c.py": 0}
    assert source.shown(files) == "a.py (1 byte), b.py (1.5 kB), c.py (0 bytes)"
    assert source.shown(files, 1) == "a.py (1 byte), 2 more"
