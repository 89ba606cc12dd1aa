"""MOS sets by pyiqa's convention, on made folders: scales, directions, splits, and what to download."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from distill.data.mos_sets import MOS_SETS, MosSetError
from distill.data.mos_sets.meta_info import LAYOUTS, read_meta_info

# Set, header and rows as its table has them, and the score of the first photo on [0, 1].
TABLES = {
    "koniq10k": ("img_name,mos,std,official_split", ["a.jpg,50.5,1,train", "b.jpg,20,1,test", "c.jpg,90,1,val"], 0.5),
    "spaq": ("name,mos,ratio802_seed123", ["a.jpg,25,train", "b.jpg,20,test"], 0.25),
    "flive": ("name,mos,std,official_split", ["x/a.jpg,75,1,train", "b.jpg,20,1,test"], 0.75),
    "kadid10k": (
        "ref_name,dist_name,dmos,var,ratio802_seed123",
        ["I1.png,a.png,4,1,train", "I2.png,b.png,2,1,test"],
        0.75,
    ),
    "tid2013": (
        "ref_name,dist_name,mos,std,ratio802_seed123",
        ["I1.bmp,a.bmp,4.5,1,train", "I2.bmp,b.bmp,1,1,test"],
        0.5,
    ),
    "csiq": (
        "ref_name,dist_name,dmos,std,ratio802_seed123",
        ["1.png,blur/a.png,0.1,1,train", "2.png,b.png,1,1,test"],
        0.9,
    ),
    "live": (
        "ref_name,dist_name,mos,ratio802_seed123",
        ["r.bmp,jpeg/a.bmp,30,train", "s.bmp,wn/b.bmp,2,test"],
        0.7,
    ),
    "agiqa3k": ("name,prompt,mos_quality,split", ["a.jpg,a cat,2.5,train", "b.jpg,a dog,1,test"], 0.5),
    "uhdiqa": ("image_name,quality_mos,set", ["a.jpg,0.6,training", "b.jpg,0.2,test"], 0.6),
}


def made(root: Path, name: str) -> Path:
    header, rows, _ = TABLES[name]
    folder = root / name
    column = 1 if header.startswith("ref_name") else 0
    for row in rows:
        photo = folder / LAYOUTS[name].photos[0] / row.split(",")[column]
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(photo)
    (folder / LAYOUTS[name].tables[0]).write_text("\n".join([header, *rows]))
    return folder


def test_every_layout_is_tried_here() -> None:
    assert TABLES.keys() == LAYOUTS.keys() and LAYOUTS.keys() < MOS_SETS.keys()


@pytest.mark.parametrize("name", TABLES)
def test_a_set_is_read_onto_the_scale_from_bad_to_excellent_one_split_at_a_time(tmp_path: Path, name: str) -> None:
    folder = made(tmp_path, name)
    train, test = MOS_SETS[name](folder, "train"), MOS_SETS[name](folder, "test")
    assert [path.stem for path in train.paths] == ["a"] and [path.stem for path in test.paths] == ["b"]
    assert train.mos.tolist() == pytest.approx([TABLES[name][2]])
    assert train.sources.tolist() == [name]


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_set_says_what_to_download(tmp_path: Path, name: str) -> None:
    with pytest.raises(MosSetError, match="download") as error:
        MOS_SETS[name](tmp_path / "nothing", "train")
    assert LAYOUTS[name].download in str(error.value)


def test_the_table_may_lie_in_meta_info_beside_the_set(tmp_path: Path) -> None:
    folder = made(tmp_path, "koniq10k")
    (tmp_path / "meta_info").mkdir()
    (folder / "meta_info_KonIQ10kDataset.csv").rename(tmp_path / "meta_info" / "meta_info_KonIQ10kDataset.csv")
    assert len(read_meta_info("koniq10k", folder)) == 1


def test_without_a_split_no_reference_picture_stands_on_both_sides(tmp_path: Path) -> None:
    folder = tmp_path / "tid2013"
    (folder / "distorted_images").mkdir(parents=True)
    rows = ["ref_name,dist_name,mos"]
    for number in range(80):
        Image.new("RGB", (4, 4)).save(folder / "distorted_images" / f"{number}.bmp")
        rows.append(f"I{number // 4}.bmp,{number}.bmp,{number / 10}")
    (folder / "meta_info_TID2013Dataset.csv").write_text("\n".join(rows))
    splits = [read_meta_info("tid2013", folder, side) for side in ("train", "test")]
    sides = [{int(path.stem) // 4 for path in split.paths} for split in splits]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert len(sides[0]) + len(sides[1]) == 20


def test_a_score_that_is_no_number_is_named_by_its_line(tmp_path: Path) -> None:
    folder = made(tmp_path, "spaq")
    (folder / "meta_info_SPAQDataset.csv").write_text("name,mos\na.jpg,good\nb.jpg,bad")
    with pytest.raises(MosSetError, match=r"line [23]: mos"):
        read_meta_info("spaq", folder)


def test_unknown_columns_and_splits_are_refused(tmp_path: Path) -> None:
    folder = made(tmp_path, "spaq")
    with pytest.raises(ValueError, match="train, val or test"):
        read_meta_info("spaq", folder, "everything")
    (folder / "meta_info_SPAQDataset.csv").write_text("name,beauty\na.jpg,1")
    with pytest.raises(MosSetError, match="it has name, beauty"):
        read_meta_info("spaq", folder)


def test_a_table_on_another_scale_is_refused_and_one_a_little_beyond_its_own_is_not(tmp_path: Path) -> None:
    folder = made(tmp_path, "live")
    table = folder / "meta_info_LIVEIQADataset.csv"
    table.write_text("ref_name,dist_name,mos,split\nr.bmp,jpeg/a.bmp,112,train\n")
    assert read_meta_info("live", folder).mos.tolist() == [0.0]
    table.write_text("ref_name,dist_name,mos,split\nr.bmp,jpeg/a.bmp,512,train\n")
    with pytest.raises(MosSetError, match=r"line 2: mos is '512'; give a number from 100 .bad. to 0"):
        read_meta_info("live", folder)
