"""Messages that wait to be written become the table that Arrow itself would make of them."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from registry.sources.batches import SCHEMA
from registry.streams.kept import ASIDE
from registry.streams.pending import Pending

OFFSETS, TIMES, BYTES = st.integers(0, 2**63 - 1), st.none() | st.integers(0, 2**45), st.none() | st.binary(max_size=9)


@given(st.lists(st.tuples(OFFSETS, TIMES, BYTES, BYTES)), st.lists(st.tuples(OFFSETS, TIMES, BYTES, BYTES, st.text())))
def test_the_tables_are_those_of_arrow(rows, aside):
    pending = Pending("shop", 0, 0, 0, aside=aside)
    for row in rows:
        pending.add(row)
    for table, those, schema in [(pending.messages(), rows, SCHEMA), (pending.kept_aside(), aside, ASIDE)]:
        if table is None:
            assert those == []
            continue
        columns = zip(*those, strict=True) if those else [[]] * len(schema)
        table.validate(full=True)
        assert table.equals(
            pa.table([pa.array(column, one.type) for column, one in zip(columns, schema, strict=True)], schema)
        )
