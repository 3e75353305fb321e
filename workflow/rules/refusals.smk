"""
Rules that refuse: a run of all datasets of which some are broken fails once the others are built, and whoever asks for
what nothing makes is told why, or what may be meant.
"""


def without_rules():
    """Return a pattern for the names of folders below data/ that belong to no dataset which rules make."""
    made = [re.escape(dataset) for dataset in ("samples", *named()) if dataset not in left_out() or made_of(dataset)]
    return rf"(?!(?:{'|'.join(made)})/)[^/]+"


def refuse(wildcards):
    """Raise WorkflowError for a target that nothing makes: why, or what may have been meant."""
    if "folder" in wildcards.keys():
        name, known = wildcards.folder, [*named()]
    else:
        name, known = wildcards.target, [rule.name for rule in workflow.rules]
    dataset = name.replace("_", "-")
    if dataset in left_out() or Path(workflow.basedir, "rules", f"{rule_of(dataset)}.smk").is_file():
        try:
            DATASETS[dataset]
        except RegistryError as error:
            raise WorkflowError(str(error))
    meant = closest(name, known)
    raise WorkflowError(f"nothing makes {name}" + (f"\n  what to do: perhaps you mean {meant}" if meant else ""))


if left_out_of_all():

    rule:
        name:
            LEFT_OUT
        input:
            wanted,
        output:
            NEVER_MADE,
        localrule: True
        message:
            "All is built but what is left out: the reasons stand at the end."
        shell:
            "exit 1"


rule refuse_target:
    input:
        refuse,
    output:
        "{target,[A-Za-z0-9_-]+}",


rule refuse_file:
    input:
        refuse,
    output:
        "data/{folder}/{file}",
    wildcard_constraints:
        folder=without_rules(),
