"""Prompts: from a file in config/prompts/, or from an MLflow prompt registry where one is in use."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.config.load import read_yaml
from registry.errors import RegistryError
from registry.gate import checked_path
from registry.shown import redacted

log = logging.getLogger(__name__)

FOLDER = "config/prompts"
TYPES = {"name": str, "version": int, "text": str}


def prompt_file(options: Mapping[str, Any], environment: Mapping[str, str]) -> str | None:
    """Return the path of the file that holds the prompt that `options` asks for; None where MLflow has it.

    RegistryError for an unknown registry, and for a name that leads out of config/prompts/.
    """
    name, registry = options["name"], options["registry"]
    if registry not in ("file", "mlflow"):
        raise RegistryError(f"params.prompt.registry is {registry}, not file or mlflow", where=name)
    if registry == "mlflow" and environment.get("MLFLOW_TRACKING_URI"):
        return None
    return checked_path(f"{FOLDER}/{name}.yaml", where="params.prompt.name")


def prompt_reference(
    options: Mapping[str, Any], environment: Mapping[str, str], root: Path = Path()
) -> dict[str, str | int]:
    """Return prompt_name, prompt_version and prompt_uri of the prompt that `options` asks for.

    `options` has name, version and registry. MLflow is asked later, by `resolve`, if registry is mlflow and the
    environment sets MLFLOW_TRACKING_URI; otherwise prompt_text is taken here from config/prompts/<name>.yaml.
    RegistryError as prompt_file, and if that file is malformed or holds another version.
    """
    name, version = options["name"], options["version"]
    reference = {"prompt_name": name, "prompt_version": version}
    path = prompt_file(options, environment)
    if path is None:
        return reference | {"prompt_uri": f"prompts:/{name}/{version}"}
    if options["registry"] == "mlflow" and not (root / path).is_file():
        raise RegistryError(
            "no such file, and MLFLOW_TRACKING_URI is not set",
            where=path,
            hint="set it, or write the prompt into the file",
        )
    prompt = read_yaml(root / path)
    if not isinstance(prompt, dict) or {key: type(value) for key, value in prompt.items()} != TYPES:
        raise RegistryError("not a prompt: it needs name (text), version (integer) and text, nothing else", where=path)
    if (prompt["name"], prompt["version"]) != (name, version):
        raise RegistryError(
            f"holds {prompt['name']} version {prompt['version']}, not {name} version {version}",
            where=path,
            hint="let params.prompt of the dataset name the prompt and version that the file holds",
        )
    return reference | {"prompt_uri": path, "prompt_text": _checked(prompt["text"], path)}


def prompt_param(options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str | int]:
    """Return what a rule hands to the job that resolves a prompt: its reference. Light: rules run this.

    Where there is none, that is for the job to say: it gets an `error` and a `hint` instead, and nobody else fails.
    """
    try:
        return prompt_reference(options, environment)
    except RegistryError as error:
        uri = f"{FOLDER}/{options['name']}.yaml"
        return {"prompt_uri": uri, "error": error.reason, "hint": error.hint or f"put {uri} right"}


def resolve(reference: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return prompt_name, prompt_version, prompt_uri and prompt_text, asking MLflow if the reference has no text.

    RegistryError for a reference that is an error, as prompt_param has it, and for what MLflow cannot give.
    """
    if "error" in reference:
        raise RegistryError(str(reference["error"]), hint=str(reference["hint"]))
    uri = str(reference["prompt_uri"])
    if "prompt_text" in reference:
        log.info("the prompt is that of %s; no MLflow server is asked", uri)
        return dict(reference)
    log.info("the prompt is %s of the MLflow prompt registry", uri)
    return dict(reference) | {"prompt_text": _checked(_from_mlflow(uri), uri)}


def _from_mlflow(uri: str) -> Any:
    if not os.environ["MLFLOW_TRACKING_URI"].startswith(("http://", "https://")):
        raise RegistryError("not the address of a server", where="MLFLOW_TRACKING_URI", hint="use http:// or https://")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.genai import load_prompt
    except ImportError:
        raise RegistryError(
            "needs the package mlflow-skinny", where=uri, hint="pip install mlflow-skinny, or use `registry: file`"
        ) from None
    try:
        prompt = load_prompt(uri, allow_missing=True, link_to_model=False)
    except MlflowException as error:
        reason = redacted(str(error).partition("\n")[0])[:300]
        raise RegistryError(
            f"cannot get it from MLflow: {reason}",
            where=uri,
            hint="check MLFLOW_TRACKING_URI, or unset it to use the prompt in config/prompts/",
        ) from None
    if prompt is None:
        raise RegistryError("MLflow has no such prompt", where=uri, hint="register it, or fix params.prompt")
    return prompt.template


def _checked(text: Any, where: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise RegistryError("the prompt is not text, or is empty", where=where)
    return text
