"""Texts, names and pictures of others that mean harm, or are odd. Whatever of them were run would set `window.hit`."""

import io

from PIL import Image

TEXTS = {
    "script": "<script>window.hit=1</script>",
    "image": "<img src=x onerror=window.hit=1>",
    "ended": "</script><img src=x onerror='window.hit=1'><script>",
    "comment": "<!--<script>window.hit=1//-->",
    "quotes": '" onfocus=window.hit=1 autofocus x=" \' `${window.hit=1}` \\\\',
    "template": "{{ window.hit }} {% raw %} ${window.hit=1}",
    "link": "[a link](javascript:window.hit=1) javascript:window.hit=1",
    "turned": "abc \u202eright to left\u202c, \u200bzero\u200d width\ufeff",
    "lines": "one\u2028two\u2029three\x85four\x00five\x1b[31m",
    "arabic": "مرحبا <b>hello</b> שלום",
    "alone": "half \ud83d a pair".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "entity": "&lt;script&gt; &amp; &#60;",
    "markdown": "# heading\n\n- item **bold**\n\n| a | b |",
    "emoji": "👩‍👩‍👧‍👦 family",
}
HUGE = "word <b>and</b> word " * 250_000
"""A text of 5 MB."""
CLASSES = ["</script><img src=x onerror=window.hit=1>", "__proto__", "constructor", "\u202eturned", 'a "quoted" one']
COLUMNS = [
    "<img src=x onerror=window.hit=1>",
    "__proto__",
    "toString",
    "\"quotes' & <b>",
    "zero\u200bwidth \u202eturned",
    "a.b[0]",
]
TITLE = "<b>Hostile</b> &amp; <script>window.hit=1</script></title><img src=x onerror=window.hit=1>\u202e"


def picture(number: int) -> bytes:
    """Return a small picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (80 + number, 60), (number * 10 % 256, 90, 200 - number)).save(buffer, "PNG")
    return buffer.getvalue()
