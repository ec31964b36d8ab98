"""Bodies of requests. How they come in through a route is tested with the routes."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlencode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from dsmr_tw.api.bodies import FIELDS, JSON, MULTIPART, URLENCODED, Number, form, parse
from dsmr_tw.api.problems import Problem


def request(body: bytes, kind: str | None) -> Any:
    """A request with this body."""
    made: Any = DummyRequest([b""])
    made.content = BytesIO(body)
    if kind is not None:
        made.requestHeaders.setRawHeaders("Content-Type", [kind])
    return made


class UrlencodedTests(SynchronousTestCase):
    """Forms as curl and browsers send them."""

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=30)), min_size=1, max_size=5))
    def test_any_bytes(self, pairs: list[tuple[bytes, bytes]]) -> None:
        """Whatever the bytes are, they come out as they went in; of a name that comes twice the last value counts."""
        self.assertEqual(form(request(urlencode(pairs).encode(), URLENCODED)), dict(pairs))

    @settings(max_examples=200, deadline=None)
    @given(st.text(alphabet="%20283AaDd/(:*+&=\r\n", max_size=20))
    def test_as_the_standard_library(self, body: str) -> None:
        """Odd escapes are undone as the standard library undoes them."""
        expected = {name: values[-1] for name, values in parse_qs(f"a={body}", keep_blank_values=True).items()}
        found = form(request(f"a={body}".encode(), URLENCODED))
        self.assertEqual(
            {n.decode("utf-8", "replace"): v.decode("utf-8", "replace") for n, v in found.items() if n},
            {name: value for name, value in expected.items() if name},
        )

    def test_how_clients_escape(self) -> None:
        """Spaces as plus or as ``%20``, hexadecimal digits in either case."""
        text = "/XXX5 a\r\n\r\n1-0:1.8.1(1*kWh)\r\n!"
        for quoted in (
            quote_plus(text),
            quote(text),
            quote_plus(text, safe="/():*!"),
            quote_plus(text).replace("%0D", "%0d"),
        ):
            self.assertEqual(form(request(f"telegram={quoted}".encode(), None))[b"telegram"], text.encode())

    def test_very_many_fields(self) -> None:
        """A form of thousands of fields is refused."""
        error = self.assertRaises(Problem, parse, request(b"&" * FIELDS, URLENCODED))
        self.assertEqual((error.status, error.body), (400, f"Form parse error - more than {FIELDS} fields"))

    def test_no_utf_8(self) -> None:
        """Fields of version 2 are text."""
        self.assertEqual(self.assertRaises(Problem, parse, request(b"a=%FF", URLENCODED)).status, 400)


class MultipartTests(SynchronousTestCase):
    """Forms as programs send them."""

    def parts(self, *parts: tuple[str, bytes]) -> bytes:
        """The body of a multipart form."""
        return (
            b"".join(
                b"--B\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (head.encode(), value)
                for head, value in parts
            )
            + b"--B--\r\n"
        )

    def test_fields(self) -> None:
        """Each part is a field; the last of a name counts; files are none."""
        body = self.parts(
            ('name="a"', b"1"), ('name="a"', b"\xff\r\n2"), ('name="f"; filename="x"', b"3"), ('name="c"', b"")
        )
        self.assertEqual(form(request(body, f"{MULTIPART}; boundary=B")), {b"a": b"\xff\r\n2", b"c": b""})

    def test_what_is_none(self) -> None:
        """What is not well-formed is refused in words."""
        for body, kind in (
            (self.parts(('name="a"', b"1")), MULTIPART),
            (self.parts(('name="a"', b"1")), f"{MULTIPART}; boundary=\xe9"),
            (b"--B\r\nnonsense", f"{MULTIPART}; boundary=B"),
            (self.parts(("size=1", b"1")), f"{MULTIPART}; boundary=B"),
            (self.parts(*[('name="a"', b"1")] * (FIELDS + 1)), f"{MULTIPART}; boundary=B"),
        ):
            error = self.assertRaises(Problem, parse, request(body, kind))
            self.assertEqual(error.status, 400)
            self.assertIn("Form parse error - ", error.body)


class JsonTests(SynchronousTestCase):
    """JSON."""

    def test_numbers_stay_text(self) -> None:
        """Numbers stay as they were written, but for zeros at the end of a fraction, which say nothing."""
        body = b'{"a": 1.50000, "b": 100, "c": 2.0, "d": 1e3, "e": -0.10, "f": NaN, "g": true}'
        values = parse(request(body, JSON))
        numbers = {"a": "1.5", "b": "100", "c": "2", "d": "1e3", "e": "-0.1", "f": "NaN"}
        self.assertEqual(values, {**numbers, "g": True})
        self.assertIsInstance(values["a"], Number)

    def test_the_last_of_a_name(self) -> None:
        """Of a name that comes twice the last value counts."""
        self.assertEqual(parse(request(b'{"a": "1", "a": "2"}', JSON)), {"a": "2"})

    def test_nothing(self) -> None:
        """An empty body holds no fields, of whatever kind it says it is."""
        for kind in (JSON, URLENCODED, f"{MULTIPART}; boundary=B", None):
            self.assertEqual(parse(request(b"", kind)), {})
