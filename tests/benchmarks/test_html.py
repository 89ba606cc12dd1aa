"""The HTML report stands alone and escapes what it is given."""

from test_record import example

from benchmarks.html import page


def test_the_page_loads_nothing_and_shows_every_run() -> None:
    text = page(example())
    assert "<svg" in text
    assert "int8, 2 thread(s)" in text
    assert "p50" in text
    for loader in ('src="', "<script", "@import", "<link"):
        assert loader not in text


def test_a_device_cannot_write_markup_into_the_page() -> None:
    record = example()
    record.device.model = "<script>alert(1)</script>"
    assert "<script>" not in page(record)
