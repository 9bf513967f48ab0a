"""Why a text is not a company's domain: reasons with their fix, and the names that never are."""

from __future__ import annotations

from typing import Final

from hunter.core.errors import InvalidDomain

#: reason code → what is wrong and how to put it right
REASONS: Final[dict[str, str]] = {
    "empty": "The field is empty. Give a domain name such as contoso.com.",
    "no_domain": "This says that there is no domain. Give a domain name such as contoso.com, or leave the row out.",
    "single_label": "A company's domain has at least two parts. Add the ending, as in contoso.com.",
    "public_suffix": "This is an ending under which names are registered, not a company's name. Give the whole domain, as in contoso.com.tr.",
    "special_use": "Names under this ending are reserved and never exist in the public DNS. Give the company's public domain (test names need HUNTER_ALLOW_TEST_NAMES=true).",
    "ip_literal": "This is an IP address. Give the domain name instead.",
    "numeric_tld": "The last part of a domain is never a number. Give a domain name such as contoso.com.",
    "bad_character": "A domain has only letters, digits, hyphens and dots. Remove spaces and other characters.",
    "bad_idn": "This international name is not valid (IDNA 2008). Write it in its own letters, or correct the part that begins with xn--.",
    "empty_label": "There is nothing between two dots, or before the first. Remove the extra dot.",
    "hyphen_edge": "A part of the name begins or ends with a hyphen. Remove that hyphen.",
    "label_too_long": "A part of the name has more than 63 characters. Check the spelling.",
    "name_too_long": "The name has more than 253 characters. Give only the domain, one name in a field.",
    "several_names": "There is more than one name in this field. Put each name on a line of its own.",
    "bad_scheme": "Only web and mail addresses are read here. Give the domain name, or an http, https or mailto address.",
    "formula": "This begins like a spreadsheet formula. Export the cell as plain text, then send it again.",
    "free_mail": "This is a free-mail or internet provider's domain, not a company's. Give the company's own domain.",
    "relay_domain": "This is a mail relay that hides the real address. Give the company's own domain.",
    "suppressed": "This name was deleted and is not to be scanned or stored again. An administrator can lift that.",
    "provider_domain": "This name belongs to a cloud provider, given to every customer. Give the company's own domain.",
}


def refusal(reason: str) -> InvalidDomain:
    """The error for a reason code, with its sentence."""
    return InvalidDomain(REASONS[reason], reason=reason)


_JUNK_WORDS = """
    nan n/a n.a. na n\\a #n/a #na none null nil undefined unknown empty blank no tbd tba x xx xxx
    false true #ref! #value! #name? #null! #div/0! (null) (none) (empty) <na> [none] -none-
    yok yoktur yok. #yok bilinmiyor belirtilmemiş belirtilmedi belirsiz boş hayır bulunamadı
    #değer! #ad? #başv! #sayı/0! keine kein k.a. unbekannt aucun aucune inconnu néant ninguno
    desconocido nessuno geen onbekend brak ingen нет website domain url email e-mail web
"""
_JUNK_PHRASES = (
    "not available|not applicable|no website|no domain|no web|to be confirmed|web sitesi yok|"
    "site yok|web yok|mail yok|mevcut değil|nicht vorhanden"
)
#: cell contents that mean "nothing", casefolded (Python's own rules; no locale)
JUNK: Final = frozenset(_JUNK_WORDS.split() + _JUNK_PHRASES.split("|"))

_FREE_MAIL = """
    gmail.com googlemail.com hotmail.com hotmail.co.uk hotmail.com.tr hotmail.de hotmail.fr hotmail.it
    hotmail.es hotmail.nl hotmail.be hotmail.se hotmail.dk hotmail.no hotmail.fi hotmail.gr
    hotmail.com.br hotmail.com.ar hotmail.ca hotmail.co.jp outlook.com outlook.com.tr outlook.de
    outlook.fr outlook.it outlook.es outlook.at outlook.be outlook.dk outlook.ie outlook.pt outlook.cz
    outlook.hu outlook.com.gr outlook.com.br outlook.com.ar outlook.com.au outlook.jp outlook.sa
    outlook.in outlook.co.id outlook.co.th windowslive.com live.com live.com.tr live.co.uk live.de
    live.fr live.it live.nl live.be live.at live.se live.dk live.no live.ca live.com.au live.com.mx
    msn.com passport.com yahoo.com yahoo.com.tr yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es
    yahoo.co.in yahoo.in yahoo.co.jp yahoo.com.br yahoo.com.ar yahoo.com.mx yahoo.ca yahoo.com.au
    yahoo.gr yahoo.ro yahoo.pl yahoo.se yahoo.no yahoo.dk yahoo.ie yahoo.com.sg yahoo.com.hk
    yahoo.com.tw yahoo.co.id yahoo.co.th yahoo.com.vn yahoo.com.ph ymail.com rocketmail.com
    myyahoo.com aol.com aol.de aol.fr aol.co.uk aim.com icloud.com me.com mac.com
    yandex.com yandex.com.tr yandex.ru yandex.by yandex.kz yandex.ua ya.ru narod.ru
    mail.ru inbox.ru list.ru bk.ru internet.ru rambler.ru lenta.ru ukr.net i.ua meta.ua bigmir.net
    mynet.com mynet.com.tr ttmail.com ttnet.net.tr ttnet.com.tr superonline.com e-kolay.net
    ekolay.net turk.net kablonet.com.tr uyduset.com.tr smileadsl.com isnet.net.tr doruk.net.tr
    gmx.com gmx.de gmx.net gmx.at gmx.ch gmx.us gmx.co.uk gmx.fr web.de freenet.de t-online.de
    arcor.de online.de mail.de email.de posteo.de aon.at chello.at utanet.at inode.at bluewin.ch
    hispeed.ch sunrise.ch orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr
    numericable.fr libero.it virgilio.it tin.it alice.it tiscali.it fastwebnet.it inwind.it
    telefonica.net terra.es sapo.pt clix.pt ziggo.nl kpnmail.nl planet.nl home.nl hetnet.nl xs4all.nl
    telenet.be skynet.be proximus.be seznam.cz email.cz centrum.cz atlas.cz post.cz volny.cz
    azet.sk zoznam.sk centrum.sk wp.pl o2.pl onet.pl interia.pl op.pl poczta.onet.pl vp.pl tlen.pl
    gazeta.pl freemail.hu citromail.hu indamail.hu abv.bg mail.bg dir.bg otenet.gr forthnet.gr
    btinternet.com btopenworld.com virginmedia.com ntlworld.com blueyonder.co.uk sky.com talktalk.net
    tiscali.co.uk eircom.net telia.com bredband.net online.no start.no mail.dk jubii.dk kolumbus.fi
    comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net
    optonline.net juno.com netzero.net windstream.net frontier.com rogers.com shaw.ca sympatico.ca
    telus.net bigpond.com bigpond.net.au optusnet.com.au iinet.net.au xtra.co.nz uol.com.br bol.com.br
    terra.com.br ig.com.br globo.com rediffmail.com sify.com qq.com foxmail.com 163.com 126.com yeah.net
    sina.com sina.cn sohu.com aliyun.com 139.com 189.cn naver.com hanmail.net daum.net nate.com
    walla.co.il walla.com proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de
    tuta.io tuta.com tutamail.com hushmail.com fastmail.com fastmail.fm zohomail.com zohomail.eu
    mail.com email.com usa.com post.com inbox.com inbox.lv lycos.com excite.com mailinator.com
    guerrillamail.com 10minutemail.com yopmail.com tempmail.com trashmail.com sharklasers.com
    hey.com runbox.com mailfence.com disroot.org riseup.net
"""
_RELAY = """
    privaterelay.appleid.com mozmail.com relay.firefox.com duck.com simplelogin.com simplelogin.co
    simplelogin.io slmail.me slmails.com anonaddy.com anonaddy.me addy.io users.noreply.github.com
    passmail.net passmail.com passinbox.com marketplace.amazon.com marketplace.amazon.com.tr
    marketplace.amazon.de marketplace.amazon.co.uk members.ebay.com guest.booking.com
    reply.facebook.com reply.linkedin.com mail.airbnb.com
"""
_PROVIDER = """
    onmicrosoft.com onmicrosoft.us onmicrosoft.de partner.onmschina.cn onmschina.cn sharepoint.com
    mail.protection.outlook.com protection.outlook.com mx.microsoft test-google-a.com gappssmtp.com
    awsapps.com azurewebsites.net cloudapp.net cloudapp.azure.com trafficmanager.net windows.net
    amazonaws.com cloudfront.net herokuapp.com appspot.com web.app firebaseapp.com netlify.app
    vercel.app pages.dev workers.dev blogspot.com wixsite.com godaddysites.com myshopify.com
    jimdosite.com jimdofree.com business.site mystrikingly.com zohosites.com my.salesforce.com
"""
#: domain → reason; holds for every name below it too
NEVER_COMPANIES: Final[dict[str, str]] = (
    dict.fromkeys(_FREE_MAIL.split(), "free_mail")
    | dict.fromkeys(_RELAY.split(), "relay_domain")
    | dict.fromkeys(_PROVIDER.split(), "provider_domain")
)

#: top-level labels and suffixes that are never delegated to a company: RFC 6761, 6762, 7686,
#: 8375, 9476, ICANN's .internal, and the ones private networks took (RFC 6762 appendix G)
SPECIAL_USE: Final = frozenset(
    {"test", "example", "invalid", "localhost", "local", "onion", "alt", "internal", "arpa"}
    | {"lan", "home", "corp", "localdomain", "intranet", "private", "domain", "workgroup"}
)
#: those of them that tests and `hunter demo` may use
TEST_NAMES: Final = frozenset({"test", "example", "invalid"})
#: registrable by the list's rules, yet shared by many organisations
SHARED_NAMES: Final = frozenset({"meb.k12.tr"})
