"""The code for apps: its constants come from the Python sources, and a bundle carries what an app takes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobile_export.integration import write_integration
from mobile_export.integration.kotlin import CONTRACT as KOTLIN_CONTRACT
from mobile_export.integration.kotlin import MODULE, kotlin_contract
from mobile_export.integration.swift import CONTRACT as SWIFT_CONTRACT
from mobile_export.integration.swift import PACKAGE, swift_contract


def test_the_committed_constants_are_the_sources() -> None:
    assert (MODULE / KOTLIN_CONTRACT).read_text() == kotlin_contract()
    assert (PACKAGE / SWIFT_CONTRACT).read_text() == swift_contract()


@pytest.mark.parametrize(
    ("folder", "kinds"), [("android", {".kt", ".kts", ".md", ".xml"}), ("apple", {".swift", ".md"})]
)
def test_an_apps_code_goes_into_a_bundle_without_what_tests_it(folder: str, kinds: set[str], tmp_path: Path) -> None:
    written = write_integration(tmp_path)
    assert set(written) == {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    names = [name for name in written if name.startswith(f"integration/{folder}/")]
    assert {Path(name).suffix for name in names} == kinds and len(names) > 10
    assert not any("test" in name or "pom.xml" in name or "declarations" in name for name in names)


def test_the_swift_core_imports_nothing_of_apples_that_linux_lacks() -> None:
    imports = [
        line.removeprefix("import ")
        for file in (PACKAGE / "Sources/PocketIqaCore").glob("*.swift")
        for line in file.read_text().splitlines()
        if line.startswith("import ")
    ]
    assert set(imports) == {"Foundation", "CryptoKit"}


def test_apples_page_for_newcomers_shows_the_code_that_is_compiled() -> None:
    code = (PACKAGE / "Examples/PhotoRater.swift").read_text()
    assert f"```swift\n{code}```" in (PACKAGE / "README.md").read_text()
    assert len(code.splitlines()) <= 30
