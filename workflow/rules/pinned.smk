"""
Pinned datasets: `registry rollback` brought an older version back, and it stays until `registry unpin`.

inputs:  data/<dataset>/ as it lies there
outputs: none; no rule builds them
"""

for pinned_name in PINNED:

    rule:
        name:
            pinned_name.replace("-", "_")
        input:
            lambda wildcards, name=pinned_name: complete(name),
        localrule: True
        message:
            f"{pinned_name} is pinned at {PINNED[pinned_name]['version']}"
