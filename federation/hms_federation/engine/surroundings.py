"""Surroundings: what of this process's environment queries may see, which read foreign bytes with large C++ libraries.

A list of what they need, and not of what they must not have: a registry's environment holds the password of its
catalogue, every source's secrets, and whatever else somebody started it with. What a source needs of those comes with
the query that reads it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_NAMES = frozenset(
    {
        "ALL_PROXY", "BOTO_CONFIG", "CURL_CA_BUNDLE", "HOME", "HTTP_PROXY", "HTTPS_PROXY", "LANG", "LANGUAGE",
        "LD_LIBRARY_PATH", "LOGNAME", "NO_PROXY", "PATH", "REQUESTS_CA_BUNDLE", "TEMP", "TMP", "TMPDIR", "TZ", "USER",
    }
)  # fmt: skip
"""In upper case; proxies are mostly written in lower case."""
# AWS_ and PG: what boto3, Arrow and libpq take where a source states nothing, as documented for those adapters.
_BEGINNINGS = ("ARROW_", "AWS_", "KRB5", "LC_", "OPENSSL_", "PG", "PYTHON", "SSL_CERT_")
# numpy's and Arrow's allocator start a thread each when they are imported; a process with threads forks badly.
_NO_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


def surroundings(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for a zygote and its children."""
    kept = {name: value for name, value in environ.items() if _is_needed(name)}
    return {**kept, **_NO_THREADS, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _is_needed(name: str) -> bool:
    return name.upper() in _NAMES or name.startswith(_BEGINNINGS)
