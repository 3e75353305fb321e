"""scripts/ci/aws_credentials.py with a server that vouches for jobs, and gives keys of a real S3 server for that."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from s3 import S3Server
from support import ROOT

SCRIPT = ROOT / "scripts" / "ci" / "aws_credentials.py"
ROLE = "arn:aws:iam::123456789012:role/registry"
ANSWER = """\
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{key}</AccessKeyId>
<SecretAccessKey>{secret}</SecretAccessKey><SessionToken></SessionToken><Expiration>{end}</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert self.path == "/token?api-version=2.0&audience=sts.amazonaws.com"
        given = self.headers["Authorization"] == "Bearer of-the-job"
        self._answer(200 if given else 401, json.dumps({"value": "identity-of-the-job"}))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = (form["RoleArn"], form["WebIdentityToken"]) == ([ROLE], ["identity-of-the-job"])
        key, secret = S3Server.admin
        end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        self._answer(200 if known else 403, ANSWER.format(key=key, secret=secret, end=end) if known else "<Error/>")

    def _answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def variables() -> Iterator[dict[str, str]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
            "AWS_ENDPOINT_URL_STS": url,
            "AWS_ROLE_ARN": ROLE,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        server.shutdown()


def test_clients_of_s3_get_credentials_by_themselves(variables, tmp_path: Path):
    config = tmp_path / "aws-config"
    config.write_text(f'[default]\ncredential_process = "{sys.executable}" "{SCRIPT}"\n')
    code = (
        "import botocore.session as b; c = b.get_session().get_credentials().get_frozen_credentials(); "
        "print(c.access_key, c.secret_key)"
    )
    given = variables | {"AWS_CONFIG_FILE": str(config), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [*S3Server.admin], done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "old"}, "GitHub gives no token"),
        ({"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/other"}, "AWS does not give this job the role"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "http://192.0.2.1/token?x"}, "its address does not begin with https://"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": None}, "ACTIONS_ID_TOKEN_REQUEST_URL is missing"),
    ],
)
def test_what_is_missing_is_one_message(variables, given, said):
    env = {name: value for name, value in (variables | given).items() if value is not None}
    done = subprocess.run([sys.executable, SCRIPT], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "identity-of-the-job" not in done.stdout + done.stderr
