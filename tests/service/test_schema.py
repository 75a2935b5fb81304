"""What the description says is what is answered, whatever is sent: schemathesis against a service that
runs."""

from __future__ import annotations

import base64
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")
pytest.importorskip("schemathesis", reason="not installed: schemathesis")

import httpx
import jsonschema_rs
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from served import ADA, BOB, photo
from serving_process import Process

JPEG, OTHER = photo(ADA, 240), photo(BOB, 240)
SEEDED = ("Ada", "Bob")
EXAMPLES = int(os.environ.get("LINEAMENT_SCHEMA_EXAMPLES", "6"))
_NOT_CHECKED = ("ignored_auth", "missing_required_header", "unsupported_method", "positive_data_acceptance")
"""Of its checks, those that send requests of their own, as keys are tested in test_access.py; and one that
cannot know which pictures hold a face."""


class Seeded:
    """A service with two people, and its client."""

    def __init__(self, process: Process) -> None:
        self.url, self.key = process.told["address"], process.key_file.read_text().strip()
        self.client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60
        )
        self.description: dict[str, Any] = self.client.get("/openapi.json").json()
        self.sample = ""

    def seed(self) -> None:
        """Let the two be there, each with a sample."""
        for name, picture in zip(SEEDED, (JPEG, OTHER), strict=True):
            url = f"/v1/subjects/{name}/samples"
            answer = self.client.post(url, content=picture, headers={"Content-Type": "image/jpeg"})
            if answer.status_code not in (200, 201):  # enrolled under a name that was made up
                for one in self.client.get("/v1/subjects").json()["subjects"]:
                    self.client.delete(f"/v1/subjects/{quote(one['subject'], safe='')}")
                return self.seed()
            self.sample = answer.json()["pictures"][0]["sample"]
        return None


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    folder = tmp_path_factory.mktemp("schema")
    process = Process(folder, "--key-file", str(folder / "admin.key"))
    try:
        process.wait_until_ready()
        yield Seeded(process)
    finally:
        process.end()


def operations() -> list[tuple[str, str]]:
    """Every operation of the description, for one test each."""
    from lineament.service.access import WithoutKeys
    from lineament.service.app import create_service
    from lineament.service.settings import ServiceSettings

    app = create_service(ServiceSettings(), WithoutKeys(1))
    paths = app._app.openapi()["paths"]  # type: ignore[attr-defined]
    return [(method.upper(), path) for path in paths for method in paths[path]]


def test_the_description_is_openapi_3_1_and_shows_examples(seeded: Seeded) -> None:
    """Every body of JSON has an example that fits its schema, every write takes an Idempotency-Key, every
    operation has a summary, and nothing of CompreFace's interface, health or figures is among them."""
    told = seeded.description
    assert told["openapi"].startswith("3.1") and set(told["paths"]) == {path for _, path in operations()}
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            assert one["summary"] and path.startswith("/v1/")
            names = {parameter["name"] for parameter in one.get("parameters", ())}
            writes = (
                method != "get" and ("/subjects" in path or "/samples" in path) and "/verify" not in path
            )
            assert ("Idempotency-Key" in names) == writes, (method, path)
            if "requestBody" in one:
                sent = one["requestBody"]["content"]["application/json"]
                jsonschema_rs.validate(sent["schema"], sent["example"])
    for name, schema in told["components"]["schemas"].items():
        if "example" in schema:
            whole = {"$ref": f"#/components/schemas/{name}", "components": told["components"]}
            jsonschema_rs.validate(whole, schema["example"])


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), operations(), ids=[" ".join(one) for one in operations()])
def test_every_answer_is_as_described(seeded: Seeded, method: str, path: str) -> None:
    """Generated requests end in no 5xx and in no answer that the description does not know. With people
    that are there and real JPEGs in their place, three in ten requests of an operation succeed at least."""
    schemathesis.openapi.format("binary", st.sampled_from([JPEG, OTHER]))
    schemathesis.openapi.format("byte", st.just(base64.b64encode(JPEG).decode()))
    for kind in ("image/jpeg", "image/png", "application/octet-stream"):
        schemathesis.openapi.media_type(kind, st.just(JPEG))
    schema = schemathesis.openapi.from_dict(seeded.description)
    checks = [one for one in schemathesis.checks.CHECKS.get_all() if one.__name__ not in _NOT_CHECKED]
    statuses: Counter[int] = Counter()

    def send(case: Any) -> None:
        answer = case.call(base_url=seeded.url, headers={"Authorization": f"Bearer {seeded.key}"})
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=checks)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schema[path][method].as_strategy())
    def run(case: Any) -> None:
        send(case)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = uuid.uuid4().hex
        case.path_parameters.update({"subject": "Ada", "sample": seeded.sample})
        case.path_parameters = {
            name: value for name, value in case.path_parameters.items() if f"{{{name}}}" in path
        }
        for name in ("face", "face_a", "face_b", "after"):
            case.query.pop(name, None)
        if path.endswith(("/merge", "{subject}")) and isinstance(case.body, dict):
            case.body = dict.fromkeys(case.body, "Bob" if path.endswith("/merge") else uuid.uuid4().hex)
        if path.endswith("/disputes"):
            case.path_parameters["subject"] = "Bob"
        if changes:
            seeded.seed()
        before = sum(statuses[one] for one in (200, 201))
        send(case)
        good.append(sum(statuses[one] for one in (200, 201)) > before)

    changes = method != "GET" and ("subjects" in path or "samples" in path)
    good: list[bool] = []
    seeded.seed()
    run()
    assert sum(good) >= 0.3 * len(good), (statuses, good)
