"""Post COMMENT on the pull request PULL_REQUEST, or replace what this has posted there before."""

import os
import sys
import urllib.error
from typing import Any

import https

MARKER = "<!-- registry-preview -->"
PAGE = 100


def ask(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Ask GitHub's API about this repository."""
    url = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/issues/{path}"
    headers = {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}", "Accept": "application/vnd.github+json"}
    return https.ask(url, headers, body, method)


def posted(number: int) -> int | None:
    """Return the id of the comment that was posted before. Others may write the marker, too, but not as a bot.

    GitHub knows no user of a comment whose account is gone.
    """
    page = 1
    while found := ask("GET", f"{number}/comments?per_page={PAGE}&page={page}"):
        for one in found:
            if (one["user"] or {}).get("type") == "Bot" and (one["body"] or "").startswith(MARKER):
                return one["id"]
        page += 1
    return None


def main() -> None:
    """Do it for what the environment says."""
    number, body = int(os.environ["PULL_REQUEST"]), {"body": f"{MARKER}\n{os.environ['COMMENT']}"}
    before = posted(number)
    ask("POST", f"{number}/comments", body) if before is None else ask("PATCH", f"comments/{before}", body)


if __name__ == "__main__":
    try:
        main()
    except urllib.error.HTTPError as error:
        sys.exit(f"GitHub answers {error.code}: the job needs permissions: pull-requests: write")
    except (OSError, ValueError) as error:
        sys.exit(f"GitHub's API does not answer: {error}")
