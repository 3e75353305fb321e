"""Documents: the texts of Markdown and text files, one by one, or in folders and archives."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import polars as pl

from registry.config.kinds import splits_of
from registry.describe.layout import ID_BYTES
from registry.errors import RegistryError
from registry.formats.archives import members
from registry.formats.texts import CONTROLS, is_blank, wide_encoding
from registry.kinds.inputs import TEXT
from registry.kinds.leaks import IN_TWO_SPLITS
from registry.kinds.rows import DUPLICATES, Rows
from registry.kinds.splitting import splitter
