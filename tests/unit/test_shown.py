"""Text of others on its way to people: what it may not hold is gone, and the rest is as it was."""

import html

import pytest

from registry.errors import RegistryError
from registry.shown import joined, markdown, markdown_block, one_line, printable, public_url, redacted, shown
from registry.storage.states import NotReady, State

KEPT = [
    "https://host:8080/a/@scope/b?page=2#part",
    "http://[::1]:8080/a@b",
    "git@host:team/a.git",
    "ssh://git@host/a.git",
    "s3://bucket/a@b",
    "ada@example.org: 12:30",
    "emotion@1.0.0: it has 3 tokens=4",
    "class a:b@1.0/x",
    "where token is = 3, tokens=4, key=value",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text):
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://ada:hunter2@host/a", "https://host/a"),
        ("https://hunter2@host/a", "https://host/a"),
        ("https://u:hun@ter2@host/a@b", "https://host/a@b"),
        ("https://u:hun/ter2@host/a", "https://host/a"),
        ("https://u:hun\x1fter2@host/a", "https://host/a"),
        ("postgresql://ada:hunter2@host/db", "postgresql://host/db"),
        ("ssh://git:hun@ter2@host/a", "ssh://git@host/a"),
        ("ada:hunter2@host:team/a.git", "ada@host:team/a.git"),
        ("fatal: 'ada:hunter2@host:a.git' is odd", "fatal: 'ada@host:a.git' is odd"),
        ("https://host/a?private_token=hunter2&page=2", "https://host/a?private_token=***&page=2"),
        ("url: /a?x=1&access_token=hunter2 (Caused by", "url: /a?x=1&access_token=*** (Caused by"),
        ("https://host/#access_token=hunter2", "https://host/#access_token=***"),
        ("?X-Amz-Signature=hunter2&X-Amz-Date=3", "?X-Amz-Signature=***&X-Amz-Date=3"),
        ("ada:hunter2@10.0.0.1:a.git", "ada@10.0.0.1:a.git"),
        ("host=db password=hunter2 user=ada", "host=db password=*** user=ada"),
        ("AWS_SECRET_ACCESS_KEY=hunter2", "AWS_SECRET_ACCESS_KEY=***"),
    ],
)
def test_credentials_are_not_shown_wherever_they_stand(text, left):
    for around in ("{}", "clone of {}, and then {} again", "two\nlines {}\n"):
        assert shown(around.format(text, text)) == around.format(left, left)
    assert str(RegistryError(text, where=text, hint=text)).count("hunter2") == 0
    assert RegistryError(text).what == RegistryError(text).public == redacted(text)
    assert RegistryError("odd", public=text).public == redacted(text)


def test_a_secret_that_is_known_is_not_shown():
    assert shown("it is hunter2, yes", {"hunter2"}) == "it is ***, yes"


@pytest.mark.parametrize(
    "char", "\x00\x07\x08\x0b\x0c\r\x1b\x7f\x85\x9b\u00ad\u200b\u200e\u2028\u2029\u202e\u2066\ufeff\ud800"
)
def test_what_steers_a_terminal_is_replaced(char):
    assert printable(f"a{char}b") == shown(f"a{char}b") == "a\ufffdb"


def test_one_line_stays_one():
    assert shown("a\n\tb") == "a\n\tb"
    assert one_line("a\n\tb") == "a\ufffd\ufffdb"
    assert str(RegistryError("odd", where="a\nerror: b")) == "a\ufffderror: b: odd"


def test_the_lines_of_a_message_are_joined_to_one():
    error = RegistryError("not valid:\n  a is odd\n  b is odd", where="x.yaml", hint="put it right")
    assert joined(error) == "x.yaml: not valid: a is odd; b is odd; what to do: put it right"
    assert NotReady(State.BROKEN, error.reason).reason == "x.yaml: not valid: a is odd; b is odd"


def test_an_address_for_records_has_no_query():
    assert public_url("https://ada:hunter2@host/a?page=2#part") == "https://host/a"


HOSTILE = "@all | <b>x</b> `y` [z](http://h) **w** _v_ #1 www.example.org &amp; \n- item\x1b[31m"


def test_text_in_markdown_has_no_meaning_but_itself():
    spelt = markdown(HOSTILE)
    assert (spelt[:6], spelt[-7:]) == ("<code>", "</code>")
    inside = spelt.removeprefix("<code>").removesuffix("</code>")
    assert not set("@|<>`[]()*_:\n\x1b") & set(inside)
    assert "www." not in inside
    assert html.unescape(inside) == one_line(HOSTILE)


def test_a_block_in_markdown_ends_where_it_is_meant_to():
    spelt = markdown_block("</pre>\n\n# a heading\n<img src=x>")
    assert spelt.count("</pre>") == 1
    assert spelt.endswith("</pre>")
    assert "<img" not in spelt
