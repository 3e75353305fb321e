"""The remotes that the repository offers: six by name, and no secret among them."""

import re

import pytest
from configobj import ConfigObj

from registry.storage.explain import SECRETS, VARIABLES
from support import ROOT

REMOTES = ("local", "docker", "minikube", "minio", "aws", "dagshub")


@pytest.fixture
def config() -> ConfigObj:
    return ConfigObj(str(ROOT / ".dvc" / "config"))


def test_six_remotes_of_which_the_embedded_one_is_the_default(config):
    assert [section for section in config if section != "core"] == [f'remote "{name}"' for name in REMOTES]
    assert config["core"]["remote"] == "local"
    assert config['remote "local"']["url"] == "storage"
    assert config['remote "docker"']["endpointurl"] == "http://localhost:9000"


def test_no_secret_is_among_them(config):
    assert [name for section in config for name in config[section] if name in SECRETS] == []
    assert [url for section in config if "@" in (url := config[section].get("url", ""))] == []


def test_the_example_of_credentials_names_the_variables_and_no_value():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert re.findall(r"^(?:# )?(AWS_\w+)=(.*)$", text, re.MULTILINE) == [
        (name, "") for name in (*VARIABLES, "AWS_ENDPOINT_URL")
    ]


def test_the_page_about_storage_explains_each_of_them():
    text = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    assert [name for name in REMOTES if f"| `{name}` |" not in text] == []
