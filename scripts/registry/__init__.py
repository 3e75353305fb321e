"""The data registry: what rules, hooks and tests share."""
