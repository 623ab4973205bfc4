import os
import subprocess
import sys
from pathlib import Path

import pytest

from incentive_engine.cli import main

ROOT = Path(__file__).parents[1]
HEAVY = ("numpy", "pandas", "pyarrow", "numba", "ortools", "lightgbm", "scipy")


def run(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_help_loads_no_heavy_library() -> None:
    code = f"import sys, incentive_engine.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_sums_of_a_command_do_not_depend_on_the_threads_of_linear_algebra() -> None:
    code = (
        "import contextlib, incentive_engine.cli as cli\n"
        "with contextlib.suppress(SystemExit): cli.main(['--help'])\n"
        "import numpy as np\n"
        "numbers = np.random.default_rng(0).standard_normal(1_000_003)\n"
        "print(float(numbers @ numbers).hex())"
    )
    sums = {
        subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
        ).stdout.splitlines()[-1]
        for threads in ("1", "2")
    }
    assert len(sums) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["check", "policies/double11.yaml"], 0, "valid"),
        (["check", "none.yaml"], 2, "no such file"),
    ],
)
def test_a_process_ends_with_its_code_all_it_says_and_what_was_left_for_the_end(
    words: list[str], code: int, said: str
) -> None:
    program = (
        "import atexit, sys, incentive_engine.cli as cli\n"
        "atexit.register(print, 'the end')\n"
        f"sys.argv[1:] = {words}\n"
        "cli.run()"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert done.stdout.endswith("the end\n")


def test_every_command_of_the_contract_has_a_help_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in (
        "allocate",
        "verify",
        "train",
        "score",
        "evaluate",
        "simulate",
        "export",
        "check",
    ):
        code, out, _ = run(command, "--help", capsys=capsys)
        assert code == 0
        assert f"incentive {command}" in out


def test_without_words_the_program_tells_what_it_can_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys=capsys)
    assert code == 0
    assert "allocate" in out


def test_a_misspelt_command_is_bad_input_and_names_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = run("alocate", capsys=capsys)
    assert code == 2
    assert "allocate" in err


def test_a_misspelt_option_is_bad_input_and_names_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = run("allocate", "--bugdet", "3", capsys=capsys)
    assert code == 2
    assert "--budget" in err


def test_all_problems_of_a_policy_come_at_once_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "version: 1\nname: wrong\nholdout: 150%\nofers: []\noffers:\n"
        "  - {id: a, face_value: 1}\n  - {id: a, face_value: ten}\n",
        encoding="utf-8",
    )
    code, out, err = run("check", str(file), capsys=capsys)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert [line.split(": ")[0].rpartition(":")[2] for line in lines] == ["3", "4", "7", "7"]
    assert "did you mean `offers`?" in err


@pytest.mark.parametrize(
    "file", sorted([*ROOT.glob("policies/*.yaml"), *ROOT.glob("simulations/*.yaml")]), ids=str
)
def test_every_policy_and_scenario_of_the_repository_is_valid(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run("check", str(file), capsys=capsys)
    assert (code, err) == (0, "")
    assert "valid" in out


def test_a_scenario_is_checked_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.yaml"
    policy = ROOT / "policies" / "double11.yaml"
    file.write_text(
        f"version: 1\nname: wrong\npolicy: {policy}\nsource: world\n"
        "strategies: [engin]\nbudgets: [100k]\ndraws: 0\n",
        encoding="utf-8",
    )
    code, _, err = run("check", str(file), capsys=capsys)
    assert code == 2
    assert "wrong.yaml:5" in err
    assert "wrong.yaml:7" in err
    assert "`engine`" in err


def test_debug_shows_the_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("check", str(tmp_path / "absent.yaml"), "--debug", capsys=capsys)
    assert code == 2
    assert "Traceback" in err


def test_a_defect_ends_with_three_and_asks_for_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(words: list[str]) -> int:
        raise ZeroDivisionError(words)

    monkeypatch.setattr("incentive_engine.cli.terminal.program._run", broken)
    code, _, err = run("check", "x", capsys=capsys)
    assert code == 3
    assert "--debug" in err


def test_an_interrupt_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(words: list[str]) -> int:
        raise KeyboardInterrupt(words)

    monkeypatch.setattr("incentive_engine.cli.terminal.program._run", stopped)
    code, _, _ = run("check", "x", capsys=capsys)
    assert code == 130


@pytest.mark.parametrize(("stop", "expected"), [(KeyboardInterrupt, 130), (SystemExit, 143)])
def test_a_signal_while_a_compiled_library_is_loaded_is_no_defect(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stop: type[BaseException],
    expected: int,
) -> None:
    def stopped(words: list[str]) -> int:
        raise ImportError("initialization failed", words) from stop()

    monkeypatch.setattr("incentive_engine.cli.terminal.program._run", stopped)
    code, _, err = run("check", "x", capsys=capsys)
    assert code == expected
    assert "internal error" not in err


def test_a_defect_while_a_stop_cleans_up_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(words: list[str]) -> int:
        raise ValueError("broken", words) from KeyboardInterrupt()

    monkeypatch.setattr("incentive_engine.cli.terminal.program._run", broken)
    code, _, err = run("check", "x", capsys=capsys)
    assert code == 3
    assert "internal error" in err


INTERRUPTED_IMPORT = """
import signal
from incentive_engine.cli.terminal import program

def work(words):
    import numpy, scipy.sparse
    signal.setitimer(signal.ITIMER_REAL, {delay})
    import ortools.sat.python.cp_model_helper
    while True:
        signal.pause()

signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
program._run = work
program.main(["check", "x"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.02, 0.06, 0.12])
def test_ctrl_c_while_the_solvers_are_loaded_ends_with_130(delay: float) -> None:
    words = [sys.executable, "-c", INTERRUPTED_IMPORT.format(delay=delay)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own program
    assert ended.returncode == 130, ended.stderr


def test_the_program_runs_from_a_checkout() -> None:
    done = subprocess.run(
        [sys.executable, "cli.py", "--help"], cwd=ROOT, capture_output=True, check=True
    )
    assert b"allocate" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device without room")
def test_output_that_has_no_room_is_named_and_is_no_defect() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "cli.py", "check", "policies/double11.yaml"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "standard output: nothing can be written there: the disk is full; free some room "
        "or send it elsewhere; files that the command had written stay\n"
    )
