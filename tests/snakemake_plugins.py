"""Lets Snakemake look for its plugins, which each process that begins without them does among all that is installed."""

from snakemake.cli import get_argument_parser

get_argument_parser()
