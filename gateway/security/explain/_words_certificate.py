"""Words for the certificate and the three identities. As _words_envelope."""

from typing import Final

WORDS: Final[dict[str, tuple[str, str, str, str]]] = {
    # --- certificate
    "certificate-expired": (
        "Het certificaat is {days} dag(en) verlopen, op {until}.",
        "The certificate expired {days} day(s) ago, at {until}.",
        "Installeer het nieuwe certificaat met zijn sleutel.",
        "Install the new certificate with its key."),
    "certificate-not-yet-valid": (
        "Het certificaat is pas over {days} dag(en) geldig, vanaf {since}.",
        "The certificate is not valid for another {days} day(s), until {since}.",
        "Gebruik tot dan het vorige certificaat; controleer ook uw klok.",
        "Use the former certificate until then; check your clock too."),
    "certificate-self-signed": (
        "Het certificaat is zelf ondertekend.",
        "The certificate is self-signed.",
        "Vraag een certificaat aan bij een CA die het knooppunt vertrouwt (PKIoverheid Private).",
        "Order a certificate from a CA that the hub trusts (PKIoverheid Private)."),
    "certificate-issuer-unknown": (
        "De uitgever is niet bekend bij het knooppunt: {issuer}",
        "The issuer is not known to the hub: {issuer}",
        "Gebruik een certificaat van: {known}",
        "Use a certificate of: {known}"),
    "certificate-issuer-other-key": (
        "De uitgever ({issuer}) is bekend, maar met een andere sleutel: dit is een andere generatie of een namaak.",
        "The issuer ({issuer}) is known, but with another key: another generation of it, or a counterfeit.",
        "Vraag de beheerder of de huidige generatie van deze CA is ingesteld.",
        "Ask the operator whether the present generation of this CA is configured."),
    "certificate-intermediate-missing": (
        "De tussenliggende CA is niet ingesteld bij het knooppunt: {issuer}",
        "The intermediate CA is not configured at the hub: {issuer}",
        "De beheerder voegt die CA toe aan [trust] anchors; meesturen helpt niet.",
        "The operator adds that CA to [trust] anchors; sending it along does not help."),
    "certificate-test-hierarchy": (
        "Dit is een testcertificaat ({issuer}); het knooppunt neemt productie.",
        "This is a test certificate ({issuer}); the hub takes production.",
        "Gebruik het productiecertificaat, of stuur naar de testomgeving.",
        "Use the production certificate, or send to the test environment."),
    "certificate-ca-refused": (
        "De uitgever ({issuer}) is bij dit knooppunt uitgesloten.",
        "The issuer ({issuer}) is excluded at this hub.",
        "Gebruik een certificaat van de lijn voor systemen (Private Services), niet die voor personen.",
        "Use a certificate of the line for systems (Private Services), not the one for persons."),
    "certificate-policy": (
        "Het certificaat noemt geen beleid dat het knooppunt neemt ({policies}).",
        "The certificate names no policy that the hub takes ({policies}).",
        "Vraag een certificaat aan voor systemen onder dat beleid.",
        "Order a certificate for systems under that policy."),
    "certificate-revoked": (
        "Het certificaat is ingetrokken door {issuer} ({by}).",
        "The certificate was revoked by {issuer} ({by}).",
        "Vraag een nieuw certificaat aan.",
        "Order a new certificate."),
    "crl-missing": (
        "Het knooppunt heeft geen intrekkingslijst van {issuer}",
        "The hub has no revocation list of {issuer}",
        "Niets aan uw kant: de beheerder stelt de lijst in ([trust] crls).",
        "Nothing on your side: the operator configures the list ([trust] crls)."),
    "crl-stale": (
        "De intrekkingslijst van {issuer} was geldig tot {until}",
        "The revocation list of {issuer} was valid until {until}",
        "Niets aan uw kant: de beheerder haalt een verse lijst op. Probeer het later opnieuw.",
        "Nothing on your side: the operator fetches a fresh list. Try again later."),
    "crl-too-old": (
        "De intrekkingslijst van {issuer} is langer dan {hours} uur geleden voor het laatst bevestigd.",
        "The revocation list of {issuer} was last proven current more than {hours} hours ago.",
        "Niets aan uw kant. Probeer het later opnieuw.",
        "Nothing on your side. Try again later."),
    "certificate-of-ca": (
        "Dit is het certificaat van een CA, niet van uw systeem.",
        "This is the certificate of a CA, not of your system.",
        "Zet uw eigen certificaat in het token (in een ketenbestand staat dat vooraan).",
        "Put your own certificate in the token (in a chain file it stands first)."),
    "certificate-key-usage": (
        "Het certificaat mag niet ondertekenen (keyUsage zonder digitalSignature).",
        "The certificate may not sign (keyUsage without digitalSignature).",
        "Gebruik het certificaat voor ondertekening, niet dat voor versleuteling.",
        "Use the certificate for signing, not the one for encryption."),
    "certificate-no-key-usage": (
        "Het certificaat zegt niet waarvoor het is (geen keyUsage).",
        "The certificate does not say what it is for (no keyUsage).",
        "Vraag een certificaat aan met keyUsage digitalSignature.",
        "Order a certificate with keyUsage digitalSignature."),
    "certificate-purpose": (
        "Het certificaat is voor iets anders: {purposes}",
        "The certificate is for something else: {purposes}",
        "Gebruik het certificaat voor berichten, niet dat van de webserver.",
        "Use the certificate for messages, not the web server's."),
    "certificate-key-weak": (
        "De RSA-sleutel heeft {bits} bits of een andere exponent; 2048 tot 8192 met e = 65537.",
        "The RSA key has {bits} bits or another exponent; 2048 to 8192 with e = 65537.",
        "Vraag een certificaat aan met RSA-3072 of P-256.",
        "Order a certificate with RSA-3072 or P-256."),
    "certificate-key-kind": (
        "De sleutel is geen RSA en geen P-256, P-384 of P-521.",
        "The key is neither RSA nor P-256, P-384 or P-521.",
        "Vraag een certificaat aan met RSA-3072 of P-256.",
        "Order a certificate with RSA-3072 or P-256."),
    "certificate-weak-signature": (
        "Het certificaat zelf is ondertekend met {algorithm}; SHA-256 is het minste.",
        "The certificate itself is signed with {algorithm}; SHA-256 is the least.",
        "Vraag een nieuw certificaat aan.",
        "Order a new certificate."),
    "certificate-extension": (
        "Het certificaat heeft een kritieke extensie die het knooppunt niet verwerkt.",
        "The certificate has a critical extension that the hub does not process.",
        "Vraag een gewoon systeemcertificaat aan bij uw CA.",
        "Order an ordinary system certificate from your CA."),
    "certificate-unreadable": (
        "Het certificaat is geen X.509 versie 3 in DER, beschadigd, of groter dan 16 KB.",
        "The certificate is no X.509 version 3 in DER, damaged, or larger than 16 KB.",
        "Exporteer het opnieuw uit de sleutelopslag, of vraag een nieuw aan.",
        "Export it again from the key store, or order a new one."),
    "certificate-not-pinned": (
        "Dit certificaat ({sha256}) is niet geregistreerd voor {oin}, of nu niet in gebruik.",
        "This certificate ({sha256}) is not registered for {oin}, or not in use now.",
        "Meld het nieuwe certificaat bij het knooppunt voordat u het gebruikt.",
        "Register the new certificate with the hub before using it."),
    "certificate-refused": (
        "Het knooppunt neemt dit certificaat niet.",
        "The hub does not take this certificate.",
        "Geef de beheerder het ticket; het journaal noemt de regel.",
        "Give the operator the ticket; the journal names the rule."),
    "oin-missing": (
        "Het certificaat heeft geen OIN (subject serialNumber).",
        "The certificate has no OIN (subject serialNumber).",
        "Vraag een PKIoverheid-certificaat aan met de OIN in serialNumber.",
        "Order a PKIoverheid certificate with the OIN in serialNumber."),
    "oin-twice": (
        "Het certificaat heeft {count} keer serialNumber in het subject.",
        "The certificate has serialNumber {count} times in its subject.",
        "Vraag een certificaat aan met precies één OIN.",
        "Order a certificate with exactly one OIN."),
    "oin-elsewhere": (
        "De OIN staat in {attribute} in plaats van in serialNumber.",
        "The OIN stands in {attribute} instead of serialNumber.",
        "Vraag een certificaat aan met de OIN in subject serialNumber (2.5.4.5).",
        "Order a certificate with the OIN in subject serialNumber (2.5.4.5)."),
    "oin-form": (
        "serialNumber heeft {length} tekens; een OIN heeft er 20, met voorloopnullen.",
        "serialNumber has {length} characters; an OIN has 20, leading zeros included.",
        "Vraag een certificaat aan met de hele OIN, niet het KvK- of RSIN-nummer.",
        "Order a certificate with the whole OIN, not the KvK or RSIN number."),
    # --- identities
    "caller-not-registered": (
        "De OIN van het TLS-certificaat ({oin}) is geen actieve deelnemer.",
        "The OIN of the TLS certificate ({oin}) is no active party.",
        "Laat de organisatie aansluiten, of gebruik het certificaat van de aangesloten organisatie.",
        "Have the organisation connected, or use the connected organisation's certificate."),
    "signer-not-registered": (
        "De ondertekenaar ({signer}) is geen actieve deelnemer. Aanroeper {caller}, afzender {sender}.",
        "The signer ({signer}) is no active party. Caller {caller}, sender {sender}.",
        "Onderteken met het certificaat van de afzender of van de aanroeper.",
        "Sign with the certificate of the sender or of the caller."),
    "sender-not-registered": (
        "De afzender in het bericht is geen actieve deelnemer. Aanroeper {caller}, ondertekenaar {signer}.",
        "The sender in the message is no active party. Caller {caller}, signer {signer}.",
        "Zet in Afzender de id uit het adresboek (ZoekDeelnemer).",
        "Put the id from the address book in Afzender (ZoekDeelnemer)."),
    "identities-differ": (
        "Aanroeper {caller} (TLS), ondertekenaar {signer} en afzender {sender} horen niet bij elkaar.",
        "Caller {caller} (TLS), signer {signer} and sender {sender} do not go together.",
        "Gebruik certificaten van één organisatie, of laat een mandaat (acts_for) vastleggen.",
        "Use certificates of one organisation, or have a mandate (acts_for) registered."),
    "from-other-oin": (
        "De OIN in wsa:From is niet die van afzender {sender} of aanroeper {caller}.",
        "The OIN in wsa:From is not that of sender {sender} or caller {caller}.",
        "Schrijf ?OIN={sender} in wsa:From, of laat ?OIN= weg.",
        "Write ?OIN={sender} in wsa:From, or leave ?OIN= out."),
}
