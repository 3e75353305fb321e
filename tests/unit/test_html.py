"""What shows of HTML pages, whoever wrote them."""

import json
import subprocess
import sys

import pytest

from registry.formats.html import MOST_DEPTH, TooDeepError, as_markdown, declared_encoding
from registry.formats.markdown import clean, sections

PAGE = """<!doctype html>
<html lang=de><head><meta charset=utf-8><title>All  of
it</title><style>p {color: red}</style><script>document.write("<p>no</p>")</script></head>
<body><nav><a href=/>Home</a></nav>
<h2>A <b>bold</b> &amp; short<br>title</h2>
<p>Stra&szlig;e,&nbsp;<i>in</i>line, &#8364;<br/>next line <p>unclosed
<template><p>not</p></template><noscript>Switch it on!</noscript><svg><title>not</title></svg>
<p hidden>not</p><div style="color: red; DISPLAY: none"><p>not</div>
<h3></h3>
<ul><li>one<li>two</ul>
<table><tr><th>a<th>b<tr><td>1<td>2<table><tr><td>in<td>ner</table></table>
<pre>
  # code
   x &lt; y
</pre></body></html>
<h3>Late</h3>
"""
SEEN = """# All of it

Home

## A bold & short title

Straße,\u00a0inline, €
next line

unclosed

- one
- two

a | b
1 | 2

in | ner

```
  # code
   x < y
```

### Late
"""


def test_what_shows_of_a_page_is_read_as_markdown():
    assert as_markdown(PAGE) == SEEN
    cleaned = clean(SEEN).text
    found = [[title for title in section.headings if title] for section in sections(cleaned)]
    assert found[-1] == ["All of it", "A bold & short title", "Late"]
    assert len(found) == 3


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", ""),
        (" \n", ""),
        ("<!-- <p>not</p> -->", ""),
        ("a text", "a text\n"),
        ("<title>T</title><h1>First</h1>", "# First\n"),
        ("<title>T</title>", "# T\n"),
        ("<p># a<p>- b<p>===<p>```<p>&lt;!-- c<p>#d", "\\# a\n\n- b\n\n\\===\n\n\\```\n\n\\<!-- c\n\n#d\n"),
        ("<pre>````</pre>", "`````\n````\n`````\n"),
        ("<h1>a<h2>b</h2>c</h1>d", "# a\n\n## b\n\ncd\n"),
        ("<h2>a<pre>b</pre></h2>c", "## a\n\n```\nb\n```\n\nc\n"),
        ("<h1>a<p>b<p>c", "# a\n\nb\n\nc\n"),
        ("<h1><div>a</div></h1>b", "# a\n\nb\n"),
        ("<ul><li> <li>a</ul><tr><td> <td>b", "- a\n\nb\n"),
        ("<pre>a<br>b", "```\na\nb\n```\n"),
        ("<div><b><p>a</b>b</div></div></i>c", "ab\n\nc\n"),
        ("<p>a<p title='>'>b<p title=\"x>c", "a\n\nb\n"),
        ("a\0b", "a\ufffdb\n"),
        ("<p>\u2028a\x0cb\x85c</p>", "\u2028a b\x85c\n"),
        ('<!DOCTYPE html [<!ENTITY a "bomb">]><p>&a;&lt;&nonsense;', "]>\n\n&a;<&nonsense;\n"),
        ("<meta charset=utf-16>ä", "ä\n"),
        ("<script>a</scrip></script>b<style><p></style>c", "bc\n"),
        (
            "<tr><td><p>Ann</p></td><td>\n<p>7</p></td></tr><tr><td>a<br>b<td><td><div>c</div><p>d",
            "Ann | 7\na b | | c d\n",
        ),
        ("<tr><td><p># a<p># b<ul><li>c<li>d</ul>e<br>f<tr><td>g", "\\# a\n\n\\# b\n\n- c\n- d\n\ne\nf\ng\n"),
        ("<tr><td><p>a<td><table><tr><td><p>in</p><td>ner</table><h2>b</h2>c", "a\n\nin | ner\n\n## b\n\nc\n"),
        (
            "<ul><li><p>one</p></li><li> <div><p>two</p></div>more</li><li> <p></p></ul>a",
            "- one\n\n- two\n\nmore\n\na\n",
        ),
        ("<textarea>a</textarea><select><option>b</select>c", "c\n"),
    ],
)
def test_odd_pages_have_the_text_that_shows(page, text):
    assert as_markdown(page) == text


@pytest.mark.parametrize(
    ("beginning", "encoding"),
    [
        (b"<meta charset=utf-8>", "utf-8"),
        (b"<META http-equiv=Content-Type content='text/html; charset=Shift_JIS'>", "shift_jis"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?>', "cp1252"),
        (b"<meta charset = 'Windows-1251' />", "cp1251"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta name=charset content=bogus>", None),
        (b"<meta charset=rot13>", None),
        (b"<p>charset=utf-8", None),
        (b" " * 1024 + b"<meta charset=cp1252>", None),
    ],
)
def test_a_page_says_its_encoding(beginning, encoding):
    assert declared_encoding(beginning) == encoding


HOSTILE = {
    "one line": "x " * 2_500_000,
    "an attribute": f"<p title='{'x' * 5_000_000}'>y",
    "attributes": f"<p {' '.join(f'a{number}=1' for number in range(100_000))}>y",
    "cells": "<td>a" * 200_000,
    "parts of cells": "<tr><td>a<li>" + "<td> <p>" * 100_000 + "<td>a<br>" * 100_000,
    "lines": "<p>a<br>" * 200_000,
    "comments": "<!--" * 200_000,
    "tags": "<" * 200_000,
    "ends": "</" * 200_000,
    "stray ends": "<div>" * (MOST_DEPTH - 10) + "</x>" * 200_000,
    "quotes": "<p a='" * 200_000,
    "references": "&a" * 200_000 + "&amp;" * 200_000,
    "scripts": "<script>" * 200_000,
    "ticks": "`" * 200_000 + "<pre>" + "`" * 200_000,
    "deep": "<div>" * 100_000,
    "deep, and stray ends": "<a>" * 100_000 + "<div>" * 100_000 + "</a>" * 100_000,
    "formats": "<p>" + "".join(f"<b id={number}>" for number in range(100_000)) + "<p>x" * 100_000,
}
DEEP = {"deep", "deep, and stray ends", "formats"}
READ_ALL = """
import json, resource, sys
from registry.formats.html import TooDeepError, as_markdown
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for name, page in json.load(sys.stdin).items():
    try:
        as_markdown(page)
    except TooDeepError:
        print(name)
"""
"""Read pages, with far more time and memory than they take, and far less than what grows as their square would."""


def test_pages_take_time_and_memory_as_their_bytes_do():
    command = [sys.executable, "-c", READ_ALL]
    done = subprocess.run(command, input=json.dumps(HOSTILE), text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert {*done.stdout.splitlines()} == DEEP


def test_elements_that_are_open_in_each_other_are_few():
    assert as_markdown("<b>" * (MOST_DEPTH - 5) + "x") == "x\n"
    with pytest.raises(TooDeepError):
        as_markdown("<b>" * MOST_DEPTH + "x")
