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


@pytest.mark.parametrize("redirection", ["2>&1 | head -n 1", ">/dev/full 2>&1", ">&-", "2>&-", ">&- 2>&-"])
def test_output_that_can_not_be_written_does_not_end_a_process(redirection: str, tmp_path: Path) -> None:
    script = f'{{ "$0" -c "$1" "$2"; echo $? >"$2.code"; }} {redirection}'
    command = ["sh", "-c", script, sys.executable, PRINTS, str(tmp_path / "done")]
    subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert (tmp_path / "done.code").read_text() == "0\n"
    assert (tmp_path / "done").read_text() == "done"


def test_output_arrives_whole_and_in_order() -> None:
    code = "from cxr.system import keep_going_without_output as k; k(); print('ü'); import sys; print('b', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert (done.stdout, done.stderr) == ("ü\n", "b\n")
