"""`cxr export`, `register` and `serve`: the same answers as `cxr predict`, wherever the model went."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlflow
import numpy as np
import pandas as pd
import pytest

from cxr.predict.served import _load_pyfunc
from tests.conftest import Command
from tests.logged_runs import artifacts_of

FACTS = '{"version": 1, "run_id": "r", "run_name": "then", "config": "c", "image_size": 96, "precision": "float32", "views": 1}'


@pytest.fixture(scope="module")
def exported(gated_run: Path, tmp_path_factory: pytest.TempPathFactory, cxr_here: Command) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "model"
    done = cxr_here("export", "then", "--to", str(folder), folder=gated_run)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def radiographs(many_phantoms: Path) -> list[str]:
    return [str(path) for path in sorted(many_phantoms.glob("*/images/*-1.png"))]


@pytest.fixture(scope="module")
def expected(
    gated_run: Path, radiographs: list[str], tmp_path_factory: pytest.TempPathFactory, cxr_here: Command
) -> list[dict[str, Any]]:
    """What `cxr predict` says of the radiographs, as JSON."""
    folder = tmp_path_factory.mktemp("expected")
    assert cxr_here("predict", "then", *radiographs, "--to", str(folder), folder=gated_run).returncode == 0
    return answers_in(folder)


def answers_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def body_of(radiographs: list[str], **params: object) -> dict[str, Any]:
    rows = [[base64.b64encode(Path(radiograph).read_bytes()).decode(), radiograph] for radiograph in radiographs]
    return {"dataframe_split": {"columns": ["image", "name"], "data": rows}, "params": params}


def test_exported_folder_answers_as_the_run_without_a_store(
    exported: Path, radiographs: list[str], expected: list[dict[str, Any]], tmp_path: Path, cxr_here: Command
) -> None:
    done = cxr_here("predict", str(exported), *radiographs, "--to", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert answers_in(tmp_path / "out") == expected
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_model_loaded_by_mlflow_gives_the_same_json(exported: Path, radiographs: list[str], expected: list[dict[str, Any]]) -> None:
    body = body_of(radiographs)["dataframe_split"]
    images = pd.DataFrame(body["data"], columns=body["columns"])
    loaded = mlflow.pyfunc.load_model(str(exported))
    assert loaded.predict(images) == expected
    assert [loaded.predict(images.iloc[[row]])[0] for row in range(len(images))] == expected  # whatever stands beside it
    by_point = loaded.predict(images, params={"point": "sensitivity", "gate": False})
    assert [answer["probabilities"] for answer in by_point] == [answer["probabilities"] for answer in expected]


def test_input_that_is_not_an_image_is_answered_with_a_reason(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = _load_pyfunc(str(exported / "data/model"))
    reasons = {
        "not base64!": "not base64",
        "": "not an image that can be recognised",
        base64.b64encode(b"=1+1").decode(): "not an image that can be recognised",
        None: "no text in base64",
        3: "no text in base64",
    }
    answers = served.predict(pd.DataFrame({"image": list(reasons)}, dtype=object))
    for answer, reason in zip(answers, reasons.values(), strict=True):
        assert reason in answer["reason"]
        assert answer["class"] == ""
    monkeypatch.setattr("cxr.predict.served._MOST_BYTES", 100)
    (long,) = served.predict(pd.DataFrame({"image": ["A" * 1000]}))
    assert "longer than any chest radiograph" in long["reason"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("facts.json", "{}", "holds no exported model: version: Field required"),
        ("facts.json", "facts", "holds no exported model: it: Invalid JSON"),
        ("facts.json", "[" * 100_000, "holds no exported model: it: Invalid JSON: recursion limit exceeded"),
        ("facts.json", FACTS.replace("96", '"96"'), "holds no exported model: image_size: Input should be a valid integer"),
        ("facts.json", FACTS.replace("96", "-96"), "facts.json does not fit: backbone.image_size=-96 is out of range"),
        ("facts.json", FACTS.replace("float32", "float0"), "facts.json does not fit: training.precision=float0 is not known"),
        ("facts.json", None, "holds no exported model"),
        ("decisions.json", "[]", "holds no exported model"),
        ("decisions.json", '{"classes": ' + "[" * 100_000, "holds no exported model: it: Invalid JSON: recursion limit exceeded"),
        ("gate.npz", "junk", "holds no exported model"),
        ("model.keras", "junk", "model.keras can't be opened"),
    ],
)
def test_folder_that_was_changed_is_one_line(
    name: str, content: str | None, message: str, exported: Path, radiographs: list[str], tmp_path: Path, cxr_here: Command
) -> None:
    shutil.copytree(exported, tmp_path / "model")
    changed = tmp_path / "model/data/model" / name
    changed.unlink() if content is None else changed.write_text(content)
    done = cxr_here("predict", "./model", radiographs[0], "--to", "out", folder=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_model_without_checks_answers_and_names_what_it_does_not_notice(
    exported: Path, radiographs: list[str], tmp_path: Path, cxr_here: Command
) -> None:
    shutil.copytree(exported, tmp_path / "model")
    for name in ("gate.npz", "orientation.npz"):
        (tmp_path / "model/data/model" / name).unlink()
    done = cxr_here("predict", "./model", radiographs[0], "--to", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        "does not notice images unlike those that it knows, films that are turned or negatives, images without lungs:"
        in done.stdout
    )
    assert len(json.loads((tmp_path / "out/predictions.json").read_text())["model"]["unchecked"]) == 3


def test_check_of_a_folder_that_can_not_be_read_is_not_left_out(
    exported: Path, radiographs: list[str], tmp_path: Path, cxr_here: Command
) -> None:
    shutil.copytree(exported, tmp_path / "model")
    for name in ("gate.npz", "orientation.npz"):
        file = tmp_path / "model/data/model" / name
        content = file.read_bytes()
        file.unlink()
        file.symlink_to("on another disk")
        done = cxr_here("predict", "./model", radiographs[0], "--to", "out", folder=tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert name in done.stderr
        file.unlink()
        file.write_bytes(content)


def test_later_version_is_named(exported: Path, radiographs: list[str], tmp_path: Path, cxr_here: Command) -> None:
    shutil.copytree(exported, tmp_path / "model")
    facts = tmp_path / "model/data/model/facts.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "version": 99}))
    done = cxr_here("predict", "model", radiographs[0], folder=tmp_path)
    assert "was written by a later version of cxr" in done.stderr


def test_folder_that_is_there_is_not_written_into(exported: Path, gated_run: Path, cxr_here: Command) -> None:
    before = sorted(exported.rglob("*"))
    done = cxr_here("export", "then", "--to", str(exported), folder=gated_run)
    assert (done.returncode, sorted(exported.rglob("*"))) == (2, before)
    assert "exists and is not empty" in done.stderr


def test_registered_model_answers_and_has_its_card(
    gated_run: Path, radiographs: list[str], expected: list[dict[str, Any]], tmp_path: Path, cxr_here: Command
) -> None:
    done = cxr_here("register", "then", "--name", "chest", "--alias", "champion", "--despite", folder=gated_run)
    assert done.returncode == 0, done.stderr
    assert "then" in done.stdout
    assert "its audit: there is none" in done.stdout
    predicted = cxr_here("predict", "models:/chest@champion", *radiographs, "--to", str(tmp_path), folder=gated_run)
    assert predicted.returncode == 0, predicted.stderr
    assert answers_in(tmp_path) == expected
    mlflow.set_tracking_uri(f"sqlite:///{gated_run}/mlruns/mlflow.db")
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("chest", "champion")
    assert version.run_id is not None
    assert version.description == (artifacts_of(client.get_run(version.run_id)) / "model_card.md").read_text()
    assert version.tags["cxr.audit"] == "not audited"
    missing = cxr_here("predict", "models:/chest@nobody", radiographs[0], folder=gated_run)
    assert missing.returncode == 2
    assert "there is no models:/chest@nobody in the registry" in missing.stderr


def test_model_that_was_not_audited_is_not_registered(gated_run: Path, cxr_here: Command) -> None:
    done = cxr_here("register", "then", "--name", "unaudited", folder=gated_run)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "was not audited: audit it with" in done.stderr
    mlflow.set_tracking_uri(f"sqlite:///{gated_run}/mlruns/mlflow.db")
    assert not mlflow.MlflowClient().search_registered_models("name = 'unaudited'")


@pytest.mark.slow
def test_model_whose_audit_is_strong_is_not_registered(tmp_path: Path, cxr_here: Command) -> None:
    small = ("data.phantom.count=150", "training.epochs=2", "freeze=head", "evaluation.resamples=100", "evaluation.pictures=false")
    planted = ("data.phantom.shortcut=border", "data.phantom.strength=1", "audit=standard", "audit.images=120")
    assert cxr_here(*small, *planted, "tracking.run_name=border", folder=tmp_path).returncode == 0
    done = cxr_here("register", "border", "--name", "chest", folder=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "found strong evidence of a shortcut" in done.stderr
    assert "give --despite" in done.stderr
    despite = cxr_here("register", "border", "--name", "chest", "--despite", folder=tmp_path)
    assert despite.returncode == 0, despite.stderr
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    (version,) = mlflow.MlflowClient().search_model_versions("name = 'chest'")
    assert version.tags["cxr.audit"] == "strong"
    assert "Strong evidence of a shortcut" in str(version.description)


@pytest.mark.slow
def test_keras_alone_gives_the_same_probabilities(exported: Path, radiographs: list[str], expected: list[dict[str, Any]]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (exported / "README.md").read_text(), re.DOTALL)
    code = code.replace("FILM.png", radiographs[0])
    done = subprocess.run([sys.executable, "-c", code], cwd=exported, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    probabilities = [float(text) for text in re.findall(r"float32\(([\d.e-]+)\)", done.stdout)]
    np.testing.assert_allclose(probabilities, list(expected[0]["probabilities"].values()), atol=1e-5)


@pytest.fixture(scope="module")
def address(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [sys.executable, "-m", "cxr", "serve", str(exported), "--port", "0"]
    away = {**os.environ, "PATH": os.defpath}  # as from scripts/cxr, where no environment is activated
    folder = tmp_path_factory.mktemp("serve")
    log = folder / "log.txt"
    with (
        log.open("w") as errors,
        subprocess.Popen(command, cwd=folder, env=away, stdout=subprocess.PIPE, stderr=errors, text=True) as server,
    ):
        assert server.stdout is not None
        line = server.stdout.readline()
        try:
            assert line.startswith("Answers at "), log.read_text()
            yield line.split()[2].removesuffix(".")
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0, log.read_text()


def ask(address: str, body: bytes) -> Any:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["predictions"]


@pytest.mark.slow
def test_server_gives_the_same_answers_and_outlives_hostile_bodies(
    address: str, radiographs: list[str], expected: list[dict[str, Any]]
) -> None:
    assert address.startswith("http://127.0.0.1:")
    assert ask(address, json.dumps(body_of(radiographs)).encode()) == expected
    for body in (b"junk", b"[]", b'{"instances": [1]}', b'{"dataframe_split": {"columns": ["x"], "data": [[1]]}}'):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(address, body)
        assert refused.value.code == 400
    with pytest.raises(urllib.error.HTTPError) as deep:
        ask(address, b'{"instances": ' + b"[" * 100_000)
    assert (deep.value.code, deep.value.read()) == (400, b'{"detail":"the body is nested too deep"}')
    (bomb,) = ask(address, json.dumps({"dataframe_split": {"columns": ["image"], "data": [[_bomb()]]}}).encode())
    assert bomb["reason"] == "more pixels than any chest radiograph has"
    (unknown,) = ask(address, json.dumps(body_of(radiographs[:1], point="best")).encode())
    assert "has no operating point best" in unknown["reason"]
    assert ask(address, json.dumps(body_of(radiographs)).encode()) == expected


@pytest.fixture
def connection(address: str) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    yield connection
    connection.close()


def refusal(connection: http.client.HTTPConnection) -> tuple[int, str]:
    response = connection.getresponse()
    text = response.read().decode()
    assert len(text.splitlines()) == 1
    return response.status, text


@pytest.mark.slow
def test_body_of_a_too_large_length_is_refused_before_it_is_sent(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/invocations")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(500 * 10**6))
    connection.endheaders()
    status, text = refusal(connection)
    assert status == 413
    assert "larger than 64 MB" in text


@pytest.mark.slow
def test_chunked_body_is_refused_once_it_is_too_large(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/invocations")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    for _ in range(64):
        connection.send(b"%x\r\n%b\r\n" % (10**6, bytes(10**6)))
    connection.send(b"1\r\n0\r\n")
    status, text = refusal(connection)
    assert status == 413
    assert "larger than 64 MB" in text


@pytest.mark.slow
@pytest.mark.parametrize("page", ["/invocations", "/health"])
def test_request_for_another_host_is_refused(connection: http.client.HTTPConnection, page: str) -> None:
    """As a page of a stranger sends it whose name resolves to this machine."""
    connection.request("GET", page, headers={"Host": "films.example"})
    status, text = refusal(connection)
    assert status == 400
    assert text == "Invalid host header"
    connection.request("GET", "/health", headers={"Host": f"localhost:{connection.port}"})
    answer = connection.getresponse()
    assert answer.status == 200


def _bomb() -> str:
    """A PNG of a few bytes that says it is 30,000 pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")).decode()
