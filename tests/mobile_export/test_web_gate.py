"""The browser's gate decides as the SDK's does, from the same file and with the same reasons."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest

from mobile_export.integration.web_page import FOLDER

GROUPS = json.loads((FOLDER.parent / "gate_cases.json").read_text())


def in_node(expression: str, given: object) -> object:
    """The value of an expression in which ``web`` is the package and ``given`` is what is given."""
    if not shutil.which("node"):
        pytest.skip("not installed: node")
    code = (
        f"import * as web from {json.dumps(str(FOLDER / 'dist/index.js'))};\n"
        'import { readFileSync } from "node:fs";\n'
        "const given = JSON.parse(readFileSync(0));\n"
        'const said = (run) => { try { run(); return ""; } catch (error) { return `${error}`; } };\n'
        f"console.log(JSON.stringify({expression}));"
    )
    call = ["node", "--input-type=module", "-e", code]
    done = subprocess.run(call, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["what"])
def test_the_cases_that_every_app_decides_alike(group: dict) -> None:
    qualities = []
    for case in group["cases"]:
        values = {name: float(np.float32(value)) for name, value in case["values"].items()}
        qualities.append({"score": values.pop("score"), "attributes": values})
    given = {"gate": json.dumps(group["gate"]), "qualities": qualities}
    found = in_node("given.qualities.map((one) => web.decide(web.parseGate(given.gate), one))", given)
    assert found == [{"accepted": case["accepted"], "reasons": case["reasons"]} for case in group["cases"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("null", "schema_version undefined"),
        ('{"schema_version": 2}', "this code reads 1"),
        ('{"schema_version": 1}', "a list of thresholds"),
        ('{"schema_version": 1, "thresholds": [{"measure": "score", "least": 2}]}', "a least from 0 to 1"),
    ],
)
def test_a_file_that_is_no_gate_is_refused_in_words(text: str, said: str) -> None:
    assert said in in_node("said(() => web.parseGate(given))", text)


def test_a_gate_for_values_that_the_network_does_not_give_is_refused() -> None:
    gate = {"thresholds": [{"measure": "beauty", "least": 0.5, "words": "ugly"}], "hints": []}
    found = in_node("said(() => web.decide(given, {score: 0.5, attributes: {noise: 1}}))", gate)
    assert 'asks for "beauty", and this network gives noise, score' in found
