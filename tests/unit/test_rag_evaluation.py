"""The evaluation questions are checked and then published as they are."""

import pytest

from opencloudhub_readmes_rag_evaluation.process import is_concepts, process
from registry.errors import RegistryError

HEADER = "question,expected_answer,key_concepts,category\n"
ROW = 'Why?,Because.,"[""MLflow"", ""DVC""]",mlops\n'


def test_good_questions_are_copied_byte_for_byte(tmp_path):
    source = tmp_path / "source.csv"
    source.write_bytes((HEADER + ROW).replace("\n", "\r\n").encode())
    process(source, tmp_path / "questions.csv")
    assert (tmp_path / "questions.csv").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("text", ["[]", '[""]', '["a", 1]', '{"a": 1}', '"a"', "a, b", "", None, "[" * 5000])
def test_what_is_no_list_of_concepts(text):
    assert not is_concepts(text)


def test_every_question_with_bad_concepts_is_named(tmp_path):
    source = tmp_path / "source.csv"
    source.write_text(HEADER + ROW + "Who?,Me.,MLflow,mlops\n" + ROW + "When?,Now.,[],mlops\n")
    with pytest.raises(RegistryError, match="question 2, 4"):
        process(source, tmp_path / "questions.csv")
    assert not (tmp_path / "questions.csv").exists()


def test_a_missing_column_is_named(tmp_path):
    source = tmp_path / "source.csv"
    source.write_text("question,expected_answer,category\nWhy?,Because.,mlops\n")
    with pytest.raises(RegistryError, match="missing: key_concepts"):
        process(source, tmp_path / "questions.csv")
