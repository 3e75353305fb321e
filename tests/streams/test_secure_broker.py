"""TLS and SASL: the variables of the environment reach the broker, and what is wrong with them is said at once."""

import socket
import ssl
import subprocess
import threading
from contextlib import suppress

import pytest

from shop import numbered, produce
from support import free_ports
from tansu import Tansu

PASSWORD = "the-password-of-the-key"


def openssl(*arguments, folder):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Two authorities, and certificates of the first for a broker on loopback and for a reader, whose key is locked."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    new = ("-newkey", "rsa:2048", "-subj")
    for name in ("ca", "other"):
        out = ("-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2")
        openssl("req", "-x509", *new, f"/CN={name}", *out, folder=folder)
    for name, lock in (("broker", ["-nodes"]), ("reader", ["-passout", f"pass:{PASSWORD}"])):
        openssl("req", *new, f"/CN={name}", *lock, "-keyout", f"{name}.key", "-out", f"{name}.csr", folder=folder)
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem", folder=folder)
    return folder


class Terminator:
    """Takes TLS connections from readers with a certificate, and hands what they say to a broker that has no TLS."""

    def __init__(self, certificates, to):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates / "broker.pem", certificates / "broker.key")
        self._context.load_verify_locations(certificates / "ca.pem")
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._to = to
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            with suppress(OSError):
                reader = self._context.wrap_socket(self._listening.accept()[0], server_side=True)
                broker = socket.create_connection(self._to)
                for one, other in ((reader, broker), (broker, reader)):
                    threading.Thread(target=self._hand_on, args=(one, other), daemon=True).start()

    def _hand_on(self, one, other):
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def secure(certificates, tmp_path_factory):
    """A broker that is reached by TLS alone, and that has a topic with 30 messages."""
    folder, port = tmp_path_factory.mktemp("secure"), free_ports(1)[0]
    terminator = Terminator(certificates, ("127.0.0.1", port))
    with Tansu(folder, listens=f"127.0.0.1:{port}", address=terminator.address, settings=tls(certificates)) as broker:
        broker.create("sealed")
        broker.sent = produce(broker.address, "sealed", numbered(0, 30), **tls(certificates))
        yield broker


def tls(certificates):
    return {
        "security.protocol": "ssl",
        "ssl.ca.location": str(certificates / "ca.pem"),
        "ssl.certificate.location": str(certificates / "reader.pem"),
        "ssl.key.location": str(certificates / "reader.key"),
        "ssl.key.password": PASSWORD,
    }


@pytest.fixture
def reader(empty, secure, certificates):
    empty.listen(secure.address, topics=["sealed"])
    empty.variables |= {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in tls(certificates).items()}
    return empty


def test_a_certificate_on_each_side(reader, secure):
    reader.ingest()
    assert reader.read() == secure.sent


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KAFKA_SSL_CA_LOCATION", "other.pem", "certificate verify failed"),
        ("KAFKA_SSL_CA_LOCATION", "none.pem", "these settings cannot be used"),
        ("KAFKA_SSL_CERTIFICATE_LOCATION", None, "no broker answers"),
        ("KAFKA_SSL_KEY_PASSWORD", "the-wrong-password", "these settings cannot be used"),
        ("KAFKA_SECURITY_PROTOCOL", "plaintext", "no broker answers"),
    ],
)
def test_what_is_wrong_with_tls(reader, certificates, variable, value, said):
    reader.variables[variable] = str(certificates / value) if value and value.endswith(".pem") else value or ""
    if variable == "KAFKA_SSL_CERTIFICATE_LOCATION":
        reader.variables["KAFKA_SSL_KEY_LOCATION"] = ""
    printed = reader.ingest(code=1)
    assert said in printed and "KAFKA_" in printed
    assert printed.count("\n") == 2
    assert PASSWORD not in printed and "the-wrong-password" not in printed


def test_a_password_that_the_broker_does_not_take(empty, tmp_path):
    with Tansu(tmp_path, options=["--authentication"]) as broker:
        empty.listen(broker.address, topics=["any"])
        empty.variables |= {
            "KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
            "KAFKA_SASL_USERNAME": "reader",
            "KAFKA_SASL_PASSWORD": PASSWORD,
        }
        printed = empty.ingest(code=1)
        assert "no broker answers: " in printed and "SASL authentication error" in printed
        assert PASSWORD not in printed
