"""The page for servers: its code, run as it stands there by a WSGI server, answers over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from pocketiqa import Gate, Scorer
from pocketiqa.bundle import DEFAULT_BUNDLE

from mobile_export.bundle.golden import golden_photos
from mobile_export.integration import SERVER, write_integration

PAGE = Path(__file__).parents[2] / "mobile_export/integration" / SERVER


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], tuple[int, dict]]]:
    """Sends bytes to the page's server, started beside the bundle; gives the status and the answer."""
    code = PAGE.read_text().split("```python\n")[1].split("```")[0]
    folder = tmp_path_factory.mktemp("server")
    (folder / "bundle").symlink_to(DEFAULT_BUNDLE)
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(code, "server.py", "exec"), names)
    server = make_server("127.0.0.1", 0, names["app"], handler_class=_Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def send(body: bytes) -> tuple[int, dict]:
        try:
            with urlopen(f"http://127.0.0.1:{server.server_port}/", data=body, timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)

    yield send
    server.shutdown()
    server.server_close()


def test_a_photo_gets_its_score_and_the_gates_decision(post: Callable) -> None:
    scorer = Scorer()
    for photo in golden_photos()[:2]:
        result = scorer(photo)
        decision = Gate.of(scorer.bundle).decide(result)
        reasons = [str(reason) for reason in decision.reasons]
        wanted = {"score": result.score, **result.attributes, "accepted": decision.accepted, "reasons": reasons}
        assert post(photo.read_bytes()) == (200, wanted)


def test_what_is_no_photo_is_refused_in_words_and_the_next_photo_is_answered(post: Callable) -> None:
    status, said = post(b"GIF89a and no picture")
    assert status == 422 and "GIF" in said["error"]
    assert post(b"")[0] == 413
    assert post(golden_photos()[0].read_bytes())[0] == 200


def test_a_bundle_carries_the_page_and_a_newcomer_writes_little(tmp_path: Path) -> None:
    assert f"integration/{SERVER}" in write_integration(tmp_path)
    code = PAGE.read_text().split("```python\n")[1].split("```")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
