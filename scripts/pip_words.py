"""What pip says, in the words of others: its settings for uv, its lock files by the package. Pure functions."""

import ast


def uv_settings(pip: dict[str, str], environ: dict[str, str]) -> dict[str, str]:
    """pip's settings (option → value) in uv's words, for those that `environ` does not already answer.

    Extra indexes are left out: uv would prefer them to the main one, and every locked package is on the main one.
    """
    answered_by = {
        "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
        "find-links": ("UV_FIND_LINKS",),
        "no-index": ("UV_NO_INDEX",),
        "trusted-host": ("UV_INSECURE_HOST",),
        "default-timeout": ("UV_HTTP_TIMEOUT",),
        "timeout": ("UV_HTTP_TIMEOUT",),
        "cert": ("SSL_CERT_FILE",),
        "proxy": ("ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"),
    }
    settings: dict[str, str] = {}
    for option, names in answered_by.items():
        if pip.get(option) and not any(name in environ for name in names):
            value = pip[option]
            settings[names[0]] = ",".join(value.split()) if option == "find-links" else value
    return settings


def pip_settings(listing: str) -> dict[str, str]:
    """The options in the answer of `pip config list`; the environment beats [install], which beats [global]."""
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section + "."):
                found[name.removeprefix(section + ".")] = str(ast.literal_eval(value))
    return found


def block_of(package: str, lock: str) -> str:
    """The lines of a lock that pin one package: `name==version` and its hashes."""
    lines = lock.splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if line.startswith(f"{package}=="))
    end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
    return "".join(lines[start:end])
