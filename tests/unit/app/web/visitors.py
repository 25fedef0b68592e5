"""People who use the pages, in tests without a browser."""

from fastapi.testclient import TestClient
from httpx2 import Response

OURS = {"sec-fetch-site": "same-origin"}
"""What a browser says of a form on one of our pages."""
PASSWORD = "correct horse battery"


def log_in(client: TestClient, name: str, password: str = PASSWORD, **fields: str) -> Response:
    """What is answered to the form."""
    data = {"name": name, "password": password, **fields}
    return client.post("/login", data=data, headers=OURS, follow_redirects=False)
