"""
Rules that refuse: a run of all datasets of which some are broken fails once the others are built, and whoever asks for
what nothing makes is told why, or what may be meant.
"""

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
        "{target}",
    wildcard_constraints:
        target=not_here(),


rule refuse_file:
    input:
        refuse,
    output:
        "data/{folder}/{file}",
    wildcard_constraints:
        folder=without_rules(),
