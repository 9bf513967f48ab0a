"""The sentences of messages about changes, in English and Turkish."""

from __future__ import annotations

from typing import Final

from hunter.core.advice import Language
from hunter.core.channels import Kind

#: {who} stays in the nominative, so that no suffix has to fit a name
SENTENCES: Final[dict[Language, dict[Kind, str]]] = {
    Language.EN: {
        Kind.MX_CHANGED: "{who} receives its mail at other servers now.",
        Kind.PROVIDER_CHANGED: "{who} moved its mailboxes to another provider.",
        Kind.GATEWAY_CHANGED: "{who} changed the filter in front of its mail.",
        Kind.GATEWAY_REMOVED: "{who} has no filter in front of its mail any more.",
        Kind.SPF_CHANGED: "{who} changed who may send mail in its name (SPF).",
        Kind.DKIM_CHANGED: "{who} changed its mail signatures (DKIM).",
        Kind.DKIM_KEY_ROTATED: "{who} renewed its key for mail signatures (DKIM).",
        Kind.DMARC_ADDED: "{who} published a DMARC policy.",
        Kind.DMARC_REMOVED: "{who} took its DMARC policy away.",
        Kind.DMARC_STRENGTHENED: "{who} made its DMARC policy stricter.",
        Kind.DMARC_WEAKENED: "{who} made its DMARC policy weaker.",
        Kind.PRODUCT_ADDED: "{who} began to use a product.",
        Kind.PRODUCT_REMOVED: "{who} stopped using a product.",
        Kind.SCORE_CHANGED: "{who} has another score now.",
        Kind.SEGMENT_CHANGED: "{who} belongs to another segment now.",
        Kind.TENANT_STATE_CHANGED: "{who} changed its standing with Microsoft 365.",
        Kind.NAMESERVER_CHANGED: "{who} moved its domain to other name servers.",
        Kind.EXPIRE_SOON: "{who} has a domain registration that ends soon.",
        Kind.EXPIRED: "{who} has let its domain registration end.",
        Kind.DOMAIN_GONE: "{who} is no longer in DNS.",
        Kind.DANE_READY: "{who} can receive mail over verified TLS (DANE) now.",
    },
    Language.TR: {
        Kind.MX_CHANGED: "{who} artık postasını başka sunucularda alıyor.",
        Kind.PROVIDER_CHANGED: "{who} posta kutularını başka bir sağlayıcıya taşıdı.",
        Kind.GATEWAY_CHANGED: "{who} postasının önündeki filtreyi değiştirdi.",
        Kind.GATEWAY_REMOVED: "{who} artık postasının önünde filtre kullanmıyor.",
        Kind.SPF_CHANGED: "{who} adına kimlerin posta gönderebileceği değişti (SPF).",
        Kind.DKIM_CHANGED: "{who} posta imzalarını değiştirdi (DKIM).",
        Kind.DKIM_KEY_ROTATED: "{who} posta imzası anahtarını yeniledi (DKIM).",
        Kind.DMARC_ADDED: "{who} bir DMARC politikası yayımladı.",
        Kind.DMARC_REMOVED: "{who} DMARC politikasını kaldırdı.",
        Kind.DMARC_STRENGTHENED: "{who} DMARC politikasını sıkılaştırdı.",
        Kind.DMARC_WEAKENED: "{who} DMARC politikasını gevşetti.",
        Kind.PRODUCT_ADDED: "{who} yeni bir ürün kullanmaya başladı.",
        Kind.PRODUCT_REMOVED: "{who} bir ürünü kullanmayı bıraktı.",
        Kind.SCORE_CHANGED: "{who} için puan değişti.",
        Kind.SEGMENT_CHANGED: "{who} artık başka bir segmentte.",
        Kind.TENANT_STATE_CHANGED: "{who} için Microsoft 365 durumu değişti.",
        Kind.NAMESERVER_CHANGED: "{who} alan adını başka ad sunucularına taşıdı.",
        Kind.EXPIRE_SOON: "{who} için alan adı kaydı yakında sona eriyor.",
        Kind.EXPIRED: "{who} için alan adı kaydı sona erdi.",
        Kind.DOMAIN_GONE: "{who} artık DNS'te yok.",
        Kind.DANE_READY: "{who} artık doğrulanmış TLS ile posta alabiliyor (DANE).",
    },
}

TITLES: Final[dict[Language, dict[str, str]]] = {
    Language.EN: {
        "digest": "{count} changes on {day} ({rule})",
        "more": "and {count} more",
        "test": "This is a test: alerts of Hunter arrive here.",
        "footer": "Sent by Hunter for the rule: {rule}",
        "open": "Open",
        "unsubscribe": "To end these messages, ask whoever runs Hunter to change the rule.",
    },
    Language.TR: {
        "digest": "{day}: {count} değişiklik ({rule})",
        "more": "ve {count} tane daha",
        "test": "Bu bir deneme: Hunter uyarıları buraya ulaşıyor.",
        "footer": "Hunter bu kural için gönderdi: {rule}",
        "open": "Aç",
        "unsubscribe": "Bu iletileri durdurmak için Hunter'ı yöneten kişiden kuralı değiştirmesini isteyin.",
    },
}

#: a record that is not there
NOTHING: Final = {Language.EN: "nothing", Language.TR: "yok"}
YES: Final = {Language.EN: "yes", Language.TR: "evet"}
NO: Final = {Language.EN: "no", Language.TR: "hayır"}

#: fields of a change in words; others are told by their name
FIELDS: Final[dict[Language, dict[str, str]]] = {
    Language.EN: {
        "mx": "MX",
        "mx_hosts": "MX hosts",
        "spf": "SPF",
        "dkim": "DKIM",
        "dmarc": "DMARC",
        "dmarc_policy": "DMARC policy",
        "ns": "name servers",
    },
    Language.TR: {
        "mx": "MX",
        "mx_hosts": "MX sunucuları",
        "spf": "SPF",
        "dkim": "DKIM",
        "dmarc": "DMARC",
        "dmarc_policy": "DMARC politikası",
        "ns": "ad sunucuları",
        "nameservers": "ad sunucuları",
        "provider": "sağlayıcı",
        "gateway": "filtre",
        "mx_operator": "postayı alan",
        "products": "ürünler",
        "product": "ürün",
        "score": "puan",
        "segment": "segment",
        "priority": "öncelik",
        "tenant_state": "Microsoft 365 durumu",
        "tenant_name": "kiracı adı",
        "mail_state": "posta durumu",
        "expires": "bitiş",
    },
}
