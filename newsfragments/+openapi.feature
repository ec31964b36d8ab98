`GET /api/openapi.json` describes the whole API by OpenAPI 3.1, for programs that are made from such documents; it needs no key.
