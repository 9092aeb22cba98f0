"""Output that can't be written, tested with a real process and a real pipe."""

import subprocess
import sys
from pathlib import Path

import pytest

PRINTS = """
import sys
from rich.console import Console
from cxr.system import keep_going_without_output
keep_going_without_output()
for number in range(20000):
    print("line", number)
    print("line", number, file=sys.stderr)
Console(stderr=True).print("by rich")
Console().print("by rich")
open(sys.argv[1], "w").write("done")
"""


@pytest.mark.parametrize("how", ["closed pipe", "full disk"])
def test_output_that_can_not_be_written_ends_nothing(how: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    done = tmp_path_factory.mktemp("console") / "done"
    command = [sys.executable, "-c", PRINTS, str(done)]
    if how == "full disk":
        with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
            assert subprocess.run(command, stdout=full, stderr=full, check=False, timeout=60).returncode == 0
    else:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
    assert done.read_text() == "done"


def test_output_that_can_be_written_arrives_whole_and_in_order() -> None:
    code = "from cxr.system import keep_going_without_output as k; k(); print('ü'); import sys; print('b', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert (done.stdout, done.stderr) == ("ü\n", "b\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_stream_closed_before_the_start_ends_nothing(closed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" "$2" {closed}', sys.executable, PRINTS, str(tmp_path / "done")],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert (tmp_path / "done").read_text() == "done"
