"""The address of a repository, as all who cloned it know it."""

from urllib.parse import urlsplit

from registry.shown import public_url


def public_address(origin: str | None) -> str | None:
    """Return the address of a repository on a server, the same by HTTPS and by SSH; None for a folder, and for none."""
    clean = public_url((origin or "").strip())
    if "://" not in clean:
        host, colon, path = clean.rpartition("@")[2].partition(":")
        clean = f"ssh://{host}/{path}" if colon and "/" not in host else ""
    try:
        parts = urlsplit(clean)
        host = parts.hostname
    except ValueError:
        return None
    if not host or parts.scheme == "file":
        return None
    return f"https://{host}/{parts.path.strip('/').removesuffix('.git')}"
