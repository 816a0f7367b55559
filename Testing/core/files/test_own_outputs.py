"""Which files commands may replace under names that they chose themselves."""

import io

import pytest

from inference_core.errors import InputError
from inference_core.files.own_outputs import check_replaceable, is_own_figure, is_own_page, json_with, table_with


def _png(software):
    figure_module = pytest.importorskip("matplotlib.figure")
    drawn = io.BytesIO()
    figure_module.Figure(figsize=(1, 1)).savefig(drawn, format="png", metadata={"Software": software})
    return drawn.getvalue()


@pytest.mark.parametrize(
    ("is_own", "content"),
    [
        (table_with("patient", "status"), b"patient\tmetabolite\tstatus\nsub-01\tNAA\tdone\n"),
        (table_with("patient", "status"), b"patient\tstatus"),
        (json_with("SoftwareName"), b'{"SoftwareName": "MRSISuperRes"}'),
        (is_own_page, b"<html><p>MRSISuperRes 0.1.0</p></html>"),
        (table_with("patient", "status"), b""),
        (is_own_figure, "MRSISuperRes"),
    ],
)
def test_own_files_and_empty_ones_may_be_replaced(tmp_path, is_own, content):
    path = tmp_path / "output"
    check_replaceable([(path, is_own)])
    path.write_bytes(content if isinstance(content, bytes) else _png(content))
    check_replaceable([(path, is_own)])
    # As DataLad leaves the files of a dataset.
    (tmp_path / "link").symlink_to(path)
    check_replaceable([(tmp_path / "link", is_own)])


@pytest.mark.parametrize(
    ("is_own", "content"),
    [
        (table_with("patient", "status"), b"patient\tage\nsub-01\t63\n"),
        (table_with("patient", "status"), b"\xff\xfe\x00 no text"),
        (json_with("SoftwareName"), b'["SoftwareName"]'),
        (json_with("SoftwareName"), b"no JSON"),
        (is_own_page, b"<html><p>my notes</p></html>"),
        (is_own_figure, b"no PNG"),
        (is_own_figure, "another program"),
        (is_own_figure, None),
    ],
)
def test_other_files_may_not(tmp_path, is_own, content):
    path = tmp_path / "output"
    path.write_bytes(content if isinstance(content, bytes) else _png(content))
    with pytest.raises(InputError, match="output' was not written by this program and would be replaced"):
        check_replaceable([(path, is_own)])


def test_nor_links_to_absent_content_and_folders(tmp_path):
    (tmp_path / "link").symlink_to("absent")
    with pytest.raises(InputError, match="was not written by this program"):
        check_replaceable([(tmp_path / "link", json_with("a"))])
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder' can't be written"):
        check_replaceable([(tmp_path / "folder", json_with("a"))])
