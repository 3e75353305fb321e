"""`registry search` and `registry vectors`."""

from typing import Annotated

import typer

from registry.cli.common import (
    NOT_RELEASED,
    AsJson,
    app,
    console,
    print_headed,
    print_json,
    print_line,
    print_table,
    repository,
    say,
)
from registry.config.load import Datasets, load_datasets
from registry.config.schema import validate
from registry.extras import check_installed
from registry.storage.repository import Repository, read_config
from registry.vectors.datasets import chosen_dataset
from registry.vectors.settings import Settings, read_settings

vectors = typer.Typer(
    name="vectors",
    help="The embeddings in the database: load a version, switch to one, list them.",
    no_args_is_help=True,
)
app.add_typer(vectors)

Store = Annotated[
    str | None,
    typer.Option(help="embedded or server, whatever vector_store in config/config.yaml says.", show_default=False),
]
Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset", help="The embeddings that are meant, where there are several.", show_default=False, metavar="NAME"
    ),
]
Keep = Annotated[
    int | None,
    typer.Option(min=1, help="Versions that stay, whatever vector_versions says.", show_default=False),
]


def _datasets(here: Repository) -> Datasets:
    return load_datasets(read_config(here.root), here.root)


def _settings(
    here: Repository, datasets: Datasets, dataset: str | None, store: str | None, keep: int | None = None
) -> Settings:
    check_installed("psycopg")
    if store not in (None, "embedded", "server"):
        raise typer.BadParameter("choose embedded or server", param_hint="--store")
    config = read_config(here.root)
    validate(config, "config", where="config/config.yaml")
    given = {"vector_store": store, "vector_versions": keep}
    config |= {key: value for key, value in given.items() if value is not None}
    return read_settings(config, here.root, dataset=chosen_dataset(datasets, dataset))


@app.command(name="search")
def show_hits(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help='A question, or words; "in quotes" a phrase.', show_default=False)],
    top: Annotated[int, typer.Option(min=1, max=1000, help="Number of results.")] = 5,
    version: Annotated[
        str | None, typer.Option(help="In this version, not the one that serves.", show_default=False)
    ] = None,
    dataset: Dataset = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Search documents by meaning and by words.

    Each result shows its document, its section, its score (reciprocal rank fusion of both searches) and an excerpt.
    """
    from registry.vectors.current import ask

    if not question.strip():
        raise typer.BadParameter("the question is empty", param_hint="QUESTION")
    if question.encode(errors="ignore").decode() != question:
        raise typer.BadParameter("not UTF-8", param_hint="QUESTION")
    here = repository(context)
    datasets = _datasets(here)
    settings = _settings(here, datasets, dataset, store)
    hits = ask(here, settings, datasets[settings.dataset]["params"], question, version, top, say)
    if as_json:
        print_json(hits)
        return
    if hits:
        console.print(hits[0].data_version, style="dim")
    for number, hit in enumerate(hits, start=1):
        names = [str(value) for value in hit.document.values() if value is not None]
        path = " › ".join([*names[:1], *hit.section])
        facts = f"score {hit.score:.4f}, cosine {hit.cosine:.2f}  {'  '.join(names[1:])}"
        console.print()
        print_headed(f"{number}. {path}", f"  {facts}")
        print_line(f"   {hit.excerpt}")


@vectors.command(name="load")
def load_version(
    context: typer.Context,
    version: Annotated[
        str | None, typer.Argument(help="A release; else what lies in data/.", show_default=False)
    ] = None,
    released: Annotated[
        bool, typer.Option("--released", help="Load what lies in data/ only if it is released, as a run's end does.")
    ] = False,
    dataset: Dataset = None,
    store: Store = None,
    keep: Keep = None,
    as_json: AsJson = False,
) -> None:
    """Load a version and let it serve. Readers see the old version until the new one is complete.

    With --released, a version that you chose with registry vectors use goes on serving unless a new version is loaded.
    Exit code 3: what is in data/ is not released, and was not loaded.
    """
    from registry.vectors.database import connected
    from registry.vectors.load import load
    from registry.vectors.versions import find_version, is_released

    here = repository(context)
    settings = _settings(here, _datasets(here), dataset, store, keep)
    found = find_version(here, settings.dataset, version)
    if released and not is_released(found):
        say(f"{found.name} is not loaded: it is not released. After registry publish: {settings.command('load')}")
        raise typer.Exit(NOT_RELEASED)
    with connected(settings.place) as connection:
        done = load(connection, settings, found, say=say, chosen=version is not None, overrule=not released)
    if as_json:
        print_json(done)
        return
    if not done.serves:
        again = settings.command("load")
        print_line(f"{done.version} is loaded, but another version was chosen and serves. To change that: {again}")
        return
    how = {"loaded": "is loaded and serves", "switched": "was loaded and serves again", "unchanged": "serves already"}
    print_line(f"{done.version} {how[done.state]}: {done.rows:,} chunks in {done.table}.")


@vectors.command(name="use")
def use_version(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="A version that is loaded.", show_default=False)],
    dataset: Dataset = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Let a version that is loaded serve again; nothing is loaded again."""
    from registry.vectors.database import connected
    from registry.vectors.load import use

    here = repository(context)
    settings = _settings(here, _datasets(here), dataset, store)
    with connected(settings.place) as connection:
        done = use(connection, settings, version, say=say)
    if as_json:
        print_json(done)
        return
    how = "serves already" if done.state == "unchanged" else "serves"
    print_line(f"{done.version} {how}: {done.rows:,} chunks in {done.table}.")


@vectors.command(name="list")
def list_versions(
    context: typer.Context, dataset: Dataset = None, store: Store = None, as_json: AsJson = False
) -> None:
    """List the versions that are loaded: the one that serves first, then the newest."""
    from registry.vectors.database import connected
    from registry.vectors.tables import our_tables

    here = repository(context)
    settings = _settings(here, _datasets(here), dataset, store)
    with connected(settings.place) as connection:
        tables = our_tables(connection, settings.table, settings.dataset)
    if as_json:
        print_json(tables)
    elif not tables:
        console.print("No version is loaded.")
    else:
        print_table(
            ("version", "", "chunks", "model", "table", "since (UTC)"),
            (
                (
                    one.mark.version.removeprefix(f"{settings.dataset}-v"),
                    "serves" if one.serves else None,
                    f"{one.mark.rows:,}",
                    one.mark.model["name"].rpartition("/")[2],
                    one.name,
                    one.mark.since[:16].replace("T", " "),
                )
                for one in tables
            ),
            right=("chunks",),
        )
