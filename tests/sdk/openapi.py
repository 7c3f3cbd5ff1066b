"""The OpenAPI document against the rules of OpenAPI 3.1, by openapi-spec-validator.

usage: openapi.py PATH-OF-HOMEROOM
"""

from homeroom import check, witness
from openapi_spec_validator import OpenAPIV31SpecValidator


async def job(session):
    document = (await session.http.get(f"{session.base}/openapi.json")).json()
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in OpenAPIV31SpecValidator(document).iter_errors()]
    check("/openapi.json is OpenAPI 3.1", not errors, errors[:3])
    check("it has every collection of the API", len(document["paths"]) > 80, len(document["paths"]))


witness(job)
