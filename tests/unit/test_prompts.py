"""Prompts from a file, and from a real MLflow server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.errors import RegistryError
from registry.sources.prompts import prompt_param, prompt_reference, resolve
from support import free_ports

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {"name": "caption", "version": 2, "registry": "file"}
MLFLOW = OPTIONS | {"registry": "mlflow"}
TEXT = "Say what you see.\nBe {{brief}}, ein Röntgenbild 🩻"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, f"name: caption\nversion: 2\ntext: {TEXT!r}\n".replace("'", '"'))
    return tmp_path


def write(root: Path, content: str) -> None:
    folder = root / "config" / "prompts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "caption.yaml").write_text(content, encoding="utf-8")


@pytest.mark.parametrize("options", [OPTIONS, MLFLOW])
def test_from_the_file(root, options, caplog):
    caplog.set_level("INFO")
    assert resolve(prompt_reference(options, {}, root)) == {
        "prompt_name": "caption",
        "prompt_version": 2,
        "prompt_uri": "config/prompts/caption.yaml",
        "prompt_text": TEXT,
    }
    assert "no MLflow server is asked" in caplog.text


def test_an_address_alone_asks_no_server(root):
    reference = prompt_reference(OPTIONS, {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}, root)
    assert resolve(reference)["prompt_text"] == TEXT


def test_mlflow_is_chosen_without_a_file(tmp_path):
    assert prompt_reference(MLFLOW, {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}, tmp_path) == {
        "prompt_name": "caption",
        "prompt_version": 2,
        "prompt_uri": "prompts:/caption/2",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "not a prompt"),
        ("", "not a prompt"),
        ("name: caption\nversion: 2\n", "not a prompt"),
        ("name: caption\nversion: two\ntext: t\n", "not a prompt"),
        ("name: caption\nversion: true\ntext: t\n", "not a prompt"),
        ("name: caption\nversion: 2\ntext: [t]\n", "not a prompt"),
        ("name: caption\nversion: 2\ntext: t\nmore: m\n", "not a prompt"),
        ("name: caption\nversion: 2\ntext: '  '\n", "empty"),
        ("name: caption\nversion: 1\ntext: t\n", "holds caption version 1, not caption version 2"),
        ("name: other\nversion: 2\ntext: t\n", "holds other version 2, not caption version 2"),
        ("name: [", "not valid YAML"),
    ],
)
def test_a_bad_file(tmp_path, content, message):
    write(tmp_path, content)
    with pytest.raises(RegistryError, match=message) as caught:
        prompt_reference(OPTIONS, {}, tmp_path)
    assert str(caught.value).partition(":")[0].endswith("config/prompts/caption.yaml")


def test_no_file(tmp_path):
    with pytest.raises(RegistryError, match="no such file"):
        prompt_reference(OPTIONS, {}, tmp_path)


def test_mlflow_without_an_address_and_without_a_file(tmp_path):
    with pytest.raises(RegistryError, match="caption.yaml: no such file, and MLFLOW_TRACKING_URI is not set\n.*set it"):
        prompt_reference(MLFLOW, {}, tmp_path)


def test_what_is_wrong_with_a_prompt_is_for_the_job_to_say(root, monkeypatch):
    monkeypatch.chdir(root)
    assert prompt_param(OPTIONS, {}) == prompt_reference(OPTIONS, {})
    param = prompt_param(MLFLOW | {"version": 3}, {})
    assert param["prompt_uri"] == "config/prompts/caption.yaml"
    with pytest.raises(RegistryError) as caught:
        prompt_reference(MLFLOW | {"version": 3}, {})
    with pytest.raises(RegistryError) as again:
        resolve(param)
    assert str(again.value) == str(caught.value)


def test_an_unknown_registry(root):
    with pytest.raises(RegistryError, match="registry is MLflow, not file or mlflow"):
        prompt_reference(OPTIONS | {"registry": "MLflow"}, {}, root)


def test_rules_can_look_a_prompt_up_without_loading_mlflow():
    code = "import sys, registry.sources.prompts; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "scripts")}, check=True)


def test_the_prompt_of_radiology_mini_is_sound():
    from registry.config.load import read_yaml

    options = read_yaml(ROOT / "config/datasets/radiology-mini.yaml")["params"]["prompt"]
    assert resolve(prompt_reference(options, {}, ROOT))["prompt_text"]


def failure(monkeypatch: pytest.MonkeyPatch, address: str, uri: str = "prompts:/caption/2") -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError) as caught:
        resolve({"prompt_name": "caption", "prompt_version": 2, "prompt_uri": uri})
    assert uri in str(caught.value) or "MLFLOW_TRACKING_URI" in str(caught.value)
    return str(caught.value)


def test_without_mlflow_the_error_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", None)
    assert "needs the package mlflow-skinny" in failure(monkeypatch, "http://127.0.0.1:9")


def test_an_address_that_is_no_server(monkeypatch):
    assert "not the address of a server" in failure(monkeypatch, "sqlite:///mlflow.db")


def test_an_unreachable_server(monkeypatch):
    pytest.importorskip("mlflow", reason="needs the package mlflow-skinny")
    message = failure(monkeypatch, f"http://somebody:secret@127.0.0.1:{free_ports(1)[0]}")
    assert "cannot get it from MLflow" in message
    assert "secret" not in message


def test_from_a_real_server(mlflow_address, monkeypatch, tmp_path):
    pytest.importorskip("mlflow", reason="needs the package mlflow-skinny")
    from mlflow.genai import register_prompt

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    register_prompt("caption", "the first text")
    register_prompt("caption", TEXT)
    register_prompt("chat", [{"role": "user", "content": "hello"}])

    assert resolve(prompt_reference(MLFLOW, os.environ, tmp_path)) == {
        "prompt_name": "caption",
        "prompt_version": 2,
        "prompt_uri": "prompts:/caption/2",
        "prompt_text": TEXT,
    }
    assert resolve(prompt_reference(MLFLOW | {"version": 1}, os.environ, tmp_path))["prompt_text"] == "the first text"
    assert "MLflow has no such prompt" in failure(monkeypatch, mlflow_address, "prompts:/caption/3")
    assert "MLflow has no such prompt" in failure(monkeypatch, mlflow_address, "prompts:/unknown/1")
    assert "is not text" in failure(monkeypatch, mlflow_address, "prompts:/chat/1")
