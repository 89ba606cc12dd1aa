"""Tables of scores as spreadsheets write them: read right, or refused with file, line and cure."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from distill.data.mos_sets.mos_table import read_mos_table
from distill.data.mos_sets.photo_names import find_photo
from distill.data.mos_sets.photo_set import MosSetError

PHOTOS = {"grün/one.jpg": 0.72, "two, too.png": 0.31, "three.jpg": 1.0}


def scores(file: Path, content: str | bytes, scale: tuple[float, float] | None = (0, 1)) -> dict[str, float]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = read_mos_table(file)
    return {row.name: table.score(row, scale) for row in table.rows}


DIALECTS = list(
    itertools.product((",", ";", "\t"), (".", ","), ("utf-8", "utf-8-sig", "utf-16", "cp1252"), ("\n", "\r\n", "\r"))
)


@pytest.mark.parametrize(("delimiter", "decimal", "encoding", "end"), DIALECTS)
def test_a_table_of_any_spreadsheet_gives_the_same_scores(
    tmp_path: Path, delimiter: str, decimal: str, encoding: str, end: str
) -> None:
    def quoted(cell: str) -> str:
        return f'"{cell}"' if delimiter in cell else cell

    for heading in (("name", "score"), ("Name", "Score"), ("IMAGE NAME", "MOS"), ("img_name", "mos"), None):
        lines = [] if heading is None else [delimiter.join(heading)]
        lines += [delimiter.join([quoted(n), quoted(str(s).replace(".", decimal))]) for n, s in PHOTOS.items()]
        assert scores(tmp_path / "scores.csv", end.join([*lines, ""]).encode(encoding)) == PHOTOS


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\r\nName;Score\r\na.jpg;0,5\r\n",
        "\n\nname,score\n\n a.jpg , 0.5 \n,\n",
        "Image Name,MOS,,\na.jpg,0.5,,\n",
        ",name,score\n0,a.jpg,0.5\n",
        "name,2019,score\na.jpg,7,0.5\n",
        'name,score,said\n"a.jpg",.5,"two\nlines"\n',
        "name,score\na.jpg,0.5\na.jpg,0.50\n./a.jpg,5e-1\n",
        "dist_name,dmos,ref_name\na.jpg,+0.5,r.jpg",
    ],
)
def test_what_surrounds_a_table_changes_nothing(tmp_path: Path, text: str) -> None:
    assert scores(tmp_path / "scores.csv", text) == {"a.jpg": 0.5}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,score\na.jpg,0.5\nb.jpg\n", "line 3: score of 'b.jpg' is missing; give a number"),
        ("name,score\na.jpg,\n", "line 2: score of 'a.jpg' is missing"),
        ("name,score\na.jpg,good\n", "line 2: score of 'a.jpg' is 'good'; give a number"),
        ("name,score\na.jpg,nan\n", "line 2: score of 'a.jpg' is 'nan'"),
        ("name,score\na.jpg,1e999\n", "line 2: score of"),
        ("name,score\na.jpg,0_5\n", "line 2: score of"),
        ("name,score\na.jpg,7\n", r"line 2: score is '7'; give a number from 0 .bad. to 1"),
        ("name,score\na.jpg,-0,5\n", "line 2: 3 cells under 2 columns; .* in quotation marks"),
        ("Name,MOS,,\na.jpg,0,72,\n", "line 2: 4 cells under 2 columns"),
        ("a.jpg,0,72\nb.jpg,0,5\n", "needs a first line with the columns name and score"),
        ("name,score\n,0.5\n", "line 2: no name of a photo; give one, or take the line away"),
        ("name,score\na.jpg,0.5\nb.jpg,0.1\na.jpg,0.6\n", "line 4: 'a.jpg' has the score '0.6', and '0.5' in line 2"),
        ("name,score\nb/a.jpg,0.5\nb\\a.jpg,0.6\n", r"line 3: .* keep one of the two lines"),
        ("name,score,split\na.jpg,0.5,train\na.jpg,0.5,test\n", "line 3: 'a.jpg' has the split 'test', and 'train'"),
        ("name,score,source\na.jpg,0.5,x\na.jpg,0.5,y\n", "line 3: 'a.jpg' has the source 'y'"),
        ("name,score,score\na.jpg,0.5,0.6\n", "line 1: 2 columns are called 'score'; keep one"),
        ("name,score,mos\na.jpg,0.5,0.6\n", "the columns score and mos for one thing; keep one"),
        ("name,img_name,mos\na.jpg,b.jpg,0.6\n", "the columns name and imgname for one thing; keep one"),
        ("name;score\na.jpg;0,5\nb.jpg;0.5\n", "line 2: '0,5' has a decimal comma, and '0.5' in line 3"),
        (f"name,score\n{'x' * 200_000},0.5\n", "line 2: a cell has no end"),
        ('name,score\na.jpg,0.5\n"b.jpg,0.5\nc.jpg,0.5\n', "line 3: a cell has no end .*written twice"),
        ('name,score\n"12" wide.jpg,0.5\n', "line 2: a cell has no end"),
        ("photo,beauty\na.jpg,0.5\n", "columns name and score .*it has photo, beauty"),
        ("", "columns name and score .*it has no rows"),
        ("no numbers here\n", r"such as photo\.jpg,0\.61"),
        (b"PK\x03\x04 and so on", "is a workbook, not a CSV; save it as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is a workbook"),
        ("name,score\na.jpg,0.5".encode("utf-16-le"), "is no text: it holds zero bytes"),
        (b"\xff\xfen\0a", "begins as utf-16 and does not go on so"),
        (b"name,score\n\x81.jpg,0.5", "is neither UTF-8 nor cp1252"),
        (b"\xef\xbb\xbfname,score\n\xfc.jpg,0.5", "begins as utf-8-sig and does not"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_read_right_is_refused_by_file_line_and_cure(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    with pytest.raises(MosSetError, match=said) as refused:
        scores(tmp_path / "scores.csv", content)
    assert str(refused.value).startswith(str(tmp_path / "scores.csv")) and "\n" not in str(refused.value)


def test_a_line_is_counted_as_an_editor_does(tmp_path: Path) -> None:
    with pytest.raises(MosSetError, match=r"line 6: score of 'b\.jpg'"):
        scores(tmp_path / "scores.csv", 'sep=,\nname,score,said\n\na.jpg,0.5,"two\nlines"\nb.jpg,x,\n')


def test_no_table_a_folder_and_a_file_of_any_size_are_refused(tmp_path: Path) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(2**40)
    for file, said in ((tmp_path / "none", "no table"), (tmp_path, "no table"), (Path("x" * 999), "no table")):
        with pytest.raises(MosSetError, match=said):
            read_mos_table(file)
    with pytest.raises(MosSetError, match="1,099,511,627,776 bytes, more than any table"):
        read_mos_table(huge)


def test_a_score_a_little_beyond_the_scale_is_moved_to_its_end_where_that_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "live.csv"
    file.write_text("name,score\na.bmp,-3\nb.bmp,112\nc.bmp,130\n")
    table = read_mos_table(file)
    assert [table.score(row, (100, 0), beyond=0.15) for row in table.rows[:2]] == [1.0, 0.0]
    with pytest.raises(MosSetError, match="line 4: score is '130'"):
        table.score(table.rows[2], (100, 0), beyond=0.15)


def test_a_photo_is_found_however_its_name_is_spelt(tmp_path: Path) -> None:
    (tmp_path / "ga").mkdir()
    for name in ("ga/u\u0308.jpg", "\u00f6.jpg"):
        (tmp_path / name).touch()
    file = tmp_path / "scores.csv"
    file.write_text(f"name,score\nga\\\u00fc.jpg,0.5\no\u0308.jpg,0.6\n{'x' * 999}.jpg,0.7\nga,0.8\n")
    found = [find_photo(row.name, [tmp_path / "nowhere", tmp_path]) for row in read_mos_table(file).rows]
    assert found == [tmp_path / "ga/u\u0308.jpg", tmp_path / "\u00f6.jpg", None, None]


def test_a_photo_takes_the_row_with_the_most_of_its_path_and_no_row_serves_two(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("name,score\na.jpg,0.1\ny/a.jpg,0.2\n/root/b.jpg,0.3\n")
    table = read_mos_table(file)
    paths = [Path("p/x/a.jpg"), Path("p/y/a.jpg"), Path("/root/b.jpg"), Path("c.jpg")]
    assert {path: row.score for path, row in table.rows_of(paths).items()} == dict(zip(paths, ("0.1", "0.2", "0.3")))
    with pytest.raises(MosSetError, match=r"line 2: 'a.jpg' stands for p/x/a.jpg and for p/z/a.jpg; write paths"):
        table.rows_of([*paths, Path("p/z/a.jpg")])
