"""HTTP and WHOIS out, behind one guard against connections to places that are not the Internet's."""
