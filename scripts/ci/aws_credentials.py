"""Print credentials of the role AWS_ROLE_ARN for the job that GitHub Actions runs, as AWS has its `credential_process`.

GitHub vouches for the job with a token that is good for minutes. A client that calls this again when its credentials
run out may work for as long as the job does. The job needs the permission `id-token: write`.
"""

import json
import os
import sys
import urllib.error
import urllib.parse

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from https import ask

AUDIENCE = "sts.amazonaws.com"


def identity_token() -> str:
    """Return the token with which GitHub vouches for this job."""
    url = f"{os.environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&{urllib.parse.urlencode({'audience': AUDIENCE})}"
    headers = {"Authorization": f"Bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    return ask(url, headers)["value"]


def main() -> None:
    """Do it for what the environment says."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    # Named, though nothing is signed: botocore would look for credentials otherwise, and call this again.
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    unsigned = Config(signature_version=UNSIGNED)
    sts = botocore.session.get_session().create_client("sts", region_name=region, config=unsigned, **keys)
    session = f"registry-{os.environ.get('GITHUB_RUN_ID', 'run')}"
    given = sts.assume_role_with_web_identity(
        RoleArn=os.environ["AWS_ROLE_ARN"], RoleSessionName=session, WebIdentityToken=identity_token()
    )["Credentials"]
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    json.dump(
        {"Version": 1, **{name: given[name] for name in names}, "Expiration": given["Expiration"].isoformat()},
        sys.stdout,
    )


if __name__ == "__main__":
    try:
        main()
    except KeyError as error:
        sys.exit(
            f"{error.args[0]} is missing: the job needs permissions: id-token: write, and the variable AWS_ROLE_ARN"
        )
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        sys.exit(f"GitHub gives no token for this job: {error}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS does not give this job the role: {error}")
