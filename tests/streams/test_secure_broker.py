"""TLS and SASL: the variables of the environment reach the broker, and what is wrong with them is said at once."""

import socket
import ssl
import struct
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


class Guard:
    """Hands what those say whom `admit` lets in to a broker that has neither TLS nor SASL."""

    def __init__(self, port):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._port = port
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            with suppress(OSError, struct.error):
                reader = self._listening.accept()[0]
                broker = socket.create_connection(("127.0.0.1", self._port))
                reader = self.admit(reader, broker)
                for one, other in ((reader, broker), (broker, reader)):
                    threading.Thread(target=self._hand_on, args=(one, other), daemon=True).start()

    def _hand_on(self, one, other):
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class WithCertificates(Guard):
    """Admits who comes by TLS, with a certificate."""

    def __init__(self, port, certificates):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates / "broker.pem", certificates / "broker.key")
        self._context.load_verify_locations(certificates / "ca.pem")
        self._context.verify_mode = ssl.CERT_REQUIRED
        super().__init__(port)

    def admit(self, reader, broker):
        return self._context.wrap_socket(reader, server_side=True)


class WithPasswords(Guard):
    """Admits who says by SASL that she is `reader`, and her password, as the protocol of Kafka has it."""

    HANDSHAKE, AUTHENTICATE = 17, 36
    SAID = f"\0reader\0{PASSWORD}".encode()

    def admit(self, reader, broker):
        while True:
            request = self._frame(reader)
            kind, version = struct.unpack(">hh", request[:4])
            if kind == self.HANDSHAKE:
                reader.sendall(self._framed(request[4:8] + struct.pack(">hih5s", 0, 1, 5, b"PLAIN")))
            elif kind == self.AUTHENTICATE:
                known = request.endswith(struct.pack(">i", len(self.SAID)) + self.SAID)
                lifetime = struct.pack(">q", 0) if version else b""
                reader.sendall(self._framed(request[4:8] + struct.pack(">hhi", 0 if known else 58, -1, 0) + lifetime))
                if known:
                    return reader
            else:
                broker.sendall(self._framed(request))
                reader.sendall(self._framed(self._frame(broker)))

    @staticmethod
    def _framed(frame):
        return struct.pack(">i", len(frame)) + frame

    @staticmethod
    def _frame(connection):
        def received(count):
            found = connection.recv(count, socket.MSG_WAITALL)
            if len(found) < count:
                raise OSError
            return found

        return received(*struct.unpack(">i", received(4)))


@pytest.fixture(scope="module")
def secure(certificates, tmp_path_factory):
    """A broker that is reached by TLS alone, and that has a topic with 30 messages."""
    folder, port = tmp_path_factory.mktemp("secure"), free_ports(1)[0]
    address = WithCertificates(port, certificates).address
    with Tansu(folder, listens=f"127.0.0.1:{port}", address=address, settings=tls(certificates)) as broker:
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


def test_a_user_and_her_password(empty, tmp_path):
    port = free_ports(1)[0]
    settings = {
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "reader",
        "sasl.password": PASSWORD,
    }
    address = WithPasswords(port).address
    with Tansu(tmp_path, listens=f"127.0.0.1:{port}", address=address, settings=settings) as broker:
        broker.create("guarded")
        sent = produce(broker.address, "guarded", numbered(0, 30), **settings)
        empty.listen(broker.address, topics=["guarded"])
        variables = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
        empty.variables |= variables | {"KAFKA_SASL_PASSWORD": "the-wrong-password"}
        printed = empty.ingest(code=1)
        assert "SASL authentication error" in printed and "the-wrong-password" not in printed
        empty.variables |= variables
        empty.ingest()
        assert empty.read() == sent
