"""Values of the document's own formats: what no general tool can make up."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

#: in the prepared database, and not
KNOWN = "contoso.com"

schemathesis.openapi.format("domain", st.sampled_from([KNOWN, "fabrikam.com.tr", "a.test"]))
# the first page has none; others are made by the server, and an invented one is refused
schemathesis.openapi.format("cursor", st.just(""))
