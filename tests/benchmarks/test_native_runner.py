"""benchmarks/runner, built for this machine against the executorch wheel that is installed."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import preprocess
from pocketiqa.runtime import load_program

executorch = pytest.importorskip("executorch")
pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("runner")
    prefix = f"-DCMAKE_PREFIX_PATH={next(iter(executorch.__path__))}"
    for step in (["-S", str(CHECKOUT / "benchmarks/runner"), "-B", str(build), prefix], ["--build", str(build)]):
        done = subprocess.run(["uvx", "-q", "cmake", *step], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "pocketiqa_runner"


def run(runner: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([runner, *flags], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def flags(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    bundle, folder = Bundle.open(tiny_bundle), tmp_path_factory.mktemp("inputs")
    preprocess(bundle.root / next(iter(bundle.golden)), bundle.manifest.input).tofile(folder / "x.bin")
    return [f"--model_path={bundle.artifact('int8')}", f"--inputs={folder / 'x.bin'}"]


def test_the_runner_gives_the_bytes_that_python_gives(
    runner: Path, flags: list[str], tiny_bundle: Path, tmp_path: Path
) -> None:
    done = run(runner, *flags, "--num_executions=7", "--warmup", "2", f"--output_file={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["samples_ms"]) == 7
    assert min(told["samples_ms"]) > 0
    assert told["warmups_dropped"] == 2
    assert told["runner"].startswith("pocketiqa_runner, executorch 1.")
    bundle = Bundle.open(tiny_bundle)
    x = np.fromfile(flags[1].removeprefix("--inputs="), dtype="<f4").reshape(bundle.manifest.input.shape)
    program = load_program(bundle.artifact("int8"), prefer="executorch")
    for i, output in enumerate(program.run(x)):
        assert (tmp_path / f"out-{i}.bin").read_bytes() == output.tobytes()


def test_the_program_inside_a_bpte_is_run(
    runner: Path, flags: list[str], tiny_bundle: Path, tmp_path: Path
) -> None:
    program = Bundle.open(tiny_bundle).read_variant("int8")
    bundled = tmp_path / "tiny.bpte"
    bundled.write_bytes(as_bpte(program))
    outputs = []
    for path in (bundled, Path(flags[0].removeprefix("--model_path="))):
        done = run(runner, f"--model_path={path}", flags[1], f"--output_file={tmp_path / 'out'}")
        assert done.returncode == 0, done.stderr
        outputs.append((tmp_path / "out-0.bin").read_bytes())
    assert outputs[0] == outputs[1]
    bundled.write_bytes(bundled.read_bytes()[: len(program) // 2])
    done = run(runner, f"--model_path={bundled}", flags[1])
    assert done.returncode == 1
    assert "damaged .bpte" in done.stderr


def as_bpte(program: bytes) -> bytes:
    """The program as ExecuTorch's own serializer bundles it, without test cases."""
    from executorch.devtools.bundled_program.schema import bundled_program_schema as schema
    from executorch.devtools.bundled_program.serialize import serialize_from_bundled_program_to_flatbuffer as serialize

    class Bundled:
        def serialize_to_schema(self) -> schema.BundledProgram:
            return schema.BundledProgram(version=0, method_test_suites=[], program=program)

    return serialize(Bundled())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--num_executions=0"], "at least 1"),
        (["--num_executions=many"], "'many'"),
        (["--colour=red"], "known are"),
        (["--inputs="], "--inputs has 0 files"),
        (["--inputs=/nowhere.bin"], "cannot read /nowhere.bin"),
    ],
)
def test_misuse_of_the_runner_ends_with_2(runner: Path, flags: list[str], change: list[str], words: str) -> None:
    done = run(runner, *flags, *change)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_file_that_is_no_program_ends_with_1(runner: Path, flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.pte").write_bytes(b"no program at all" * 100)
    done = run(runner, flags[1], f"--model_path={tmp_path / 'x.pte'}")
    assert done.returncode == 1
    assert "is it a .pte" in done.stderr
