"""Words for digests and the signature value. As _words_envelope."""

from typing import Final

WORDS: Final[dict[str, tuple[str, str, str, str]]] = {
    # --- what was done after signing
    "white-space-added": (
        "{part}: na het ondertekenen is witruimte toegevoegd (pretty-print).",
        "{part}: white space was added after signing (pretty-printing).",
        "Zet opmaken uit in client, ESB of logging; onderteken als laatste.",
        "Switch formatting off in client, ESB or logging; sign last."),
    "white-space-removed": (
        "{part}: na het ondertekenen is witruimte tussen elementen weggehaald.",
        "{part}: white space between elements was removed after signing.",
        "Onderteken het bericht zoals het verstuurd wordt (preserveWhiteSpace aan, remove_blank_text uit).",
        "Sign the message as it is sent (preserveWhiteSpace on, remove_blank_text off)."),
    "white-space-changed": (
        "{part}: na het ondertekenen is opnieuw ingesprongen.",
        "{part}: indented anew after signing.",
        "Zet opmaken uit in client, ESB of logging; onderteken als laatste.",
        "Switch formatting off in client, ESB or logging; sign last."),
    "line-endings-lost": (
        "{part}: ondertekend met CRLF-regeleinden, verstuurd met LF.",
        "{part}: signed with CRLF line ends, sent with LF.",
        "Zet regeleinden om naar LF voordat u ondertekent; schrijf een echte CR als &#13;.",
        "Convert line ends to LF before signing; write a real CR as &#13;."),
    "line-endings-added": (
        "{part}: met &#13;-tekens die bij het ondertekenen niet meetelden.",
        "{part}: holds &#13; characters that did not count when signing.",
        "Haal CR uit de tekst voordat u ondertekent.",
        "Take CR out of the text before signing."),
    "text-trimmed": (
        "{part}: tekst is ondertekend zonder de spaties eromheen, en met die spaties verstuurd.",
        "{part}: text was signed without the spaces around it, and sent with them.",
        "Haal spaties weg vóór het bouwen van het bericht.",
        "Strip spaces before building the message."),
    "prefix-renamed": (
        "{part}: na het ondertekenen kreeg een naamruimte een andere prefix.",
        "{part}: after signing a namespace got another prefix.",
        "Laat niets de ondertekende XML opnieuw serialiseren (proxy, ESB, tweede DOM).",
        "Let nothing serialise the signed XML again (proxy, ESB, second DOM)."),
    "namespaces-lost": (
        "{part}: ondertekend met naamruimtedeclaraties die er nu niet (meer) bij horen.",
        "{part}: signed with namespace declarations that are not part of it here.",
        "Gebruik exclusieve C14N van de bibliotheek, en haal na het ondertekenen geen declaraties weg.",
        "Use the library's exclusive C14N, and remove no declarations after signing."),
    "prefix-list-differs": (
        "{part}: de InclusiveNamespaces die zijn gebruikt, staan niet zo in de Transform.",
        "{part}: the InclusiveNamespaces that were used are not the ones in the Transform.",
        "Schrijf de PrefixList die u gebruikt in de Transform, of gebruik er geen (WSS4J: addInclusivePrefixes=false).",
        "Write the PrefixList you use in the Transform, or use none (WSS4J: addInclusivePrefixes=false)."),
    "prefix-list-unresolved": (
        "{part}: de PrefixList noemt prefixen die hier nergens zijn gedeclareerd.",
        "{part}: the PrefixList names prefixes that are declared nowhere here.",
        "Haal na het ondertekenen geen declaraties van de Envelope weg, of gebruik geen PrefixList.",
        "Remove no declarations from the Envelope after signing, or use no PrefixList."),
    "to-rewritten": (
        "{part}: het adres is na het ondertekenen herschreven (proxy: schema, host of poort).",
        "{part}: the address was rewritten after signing (proxy: scheme, host or port).",
        "Laat de proxy wsa-headers met rust; onderteken met het adres van het knooppunt.",
        "Let the proxy leave wsa headers alone; sign with the hub's address."),
    "timestamp-rerendered": (
        "{part}: de tijden zijn na het ondertekenen anders geschreven (decimalen of Z).",
        "{part}: the times were written differently after signing (decimals or Z).",
        "Onderteken de Timestamp als tekst, laat niets hem als datum inlezen.",
        "Sign the Timestamp as text, let nothing read it as a date."),
    "id-added-after-signing": (
        "{part}: de wsu:Id is pas na het berekenen van de digest toegevoegd.",
        "{part}: the wsu:Id was added only after the digest was computed.",
        "Zet eerst alle wsu:Id's, bereken dan de digests.",
        "Set all wsu:Ids first, then compute the digests."),
    "characters-encoded-twice": (
        "{part}: tekens zijn na het ondertekenen nog eens naar UTF-8 omgezet (Ã© in plaats van é).",
        "{part}: characters were encoded to UTF-8 once more after signing (Ã© instead of é).",
        "Verstuur octetten, geen tekst die als Latin-1 wordt gelezen (PHP: geen utf8_encode op UTF-8).",
        "Send octets, not text that is read as Latin-1 (PHP: no utf8_encode on UTF-8)."),
    "characters-digested-twice-encoded": (
        "{part}: bij het ondertekenen zijn tekens dubbel naar UTF-8 omgezet.",
        "{part}: characters were encoded to UTF-8 twice when signing.",
        "Canonicaliseer een DOM, geen tekst die al UTF-8 was.",
        "Canonicalise a DOM, not text that was UTF-8 already."),
    "characters-digested-in-other-encoding": (
        "{part}: de digest is berekend over een andere tekenset dan UTF-8.",
        "{part}: the digest was computed in another encoding than UTF-8.",
        "Bereken de digest over de UTF-8-octetten van de canonieke vorm (Java: getBytes(UTF_8)).",
        "Digest the UTF-8 octets of the canonical form (Java: getBytes(UTF_8))."),
    "unicode-form-changed": (
        "{part}: tekens zijn na het ondertekenen in een andere Unicode-vorm gezet (NFC, NFD).",
        "{part}: characters were put in another Unicode form after signing (NFC, NFD).",
        "Normaliseer vóór het ondertekenen, daarna niet meer.",
        "Normalise before signing, not afterwards."),
    "numeric-references-digested": (
        "{part}: de digest is berekend met tekens als &#233; in plaats van é.",
        "{part}: the digest was computed with characters as &#233; instead of é.",
        "Gebruik de C14N van de bibliotheek; die schrijft tekens zelf.",
        "Use the library's C14N; it writes the characters themselves."),
    "replacement-characters": (
        "{part}: bevat het teken U+FFFD; letters zijn onderweg verloren gegaan.",
        "{part}: holds the character U+FFFD; letters were lost on the way.",
        "Zoek de stap die tekst in een verkeerde tekenset leest; alles moet UTF-8 zijn.",
        "Find the step that reads text in a wrong encoding; everything must be UTF-8."),
    # --- what was digested instead
    "inclusive-c14n": (
        "{part}: berekend met inclusieve C14N, terwijl exclusieve staat aangegeven.",
        "{part}: computed with inclusive C14N, while exclusive is stated.",
        "Bereken met xml-exc-c14n# (PHP: C14N(true); lxml: exclusive=True).",
        "Compute with xml-exc-c14n# (PHP: C14N(true); lxml: exclusive=True)."),
    "comments-digested": (
        "{part}: commentaar is meegeteld.",
        "{part}: comments were digested too.",
        "Canonicaliseer zonder commentaar, en verstuur geen commentaar.",
        "Canonicalise without comments, and send no comments."),
    "octets-as-sent": (
        "{part}: berekend over de tekst zoals verstuurd, zonder C14N.",
        "{part}: computed over the text as sent, without C14N.",
        "Canonicaliseer eerst (PHP: C14N, niet saveXML; lxml: method=\"c14n\").",
        "Canonicalise first (PHP: C14N, not saveXML; lxml: method=\"c14n\")."),
    "attribute-order": (
        "{part}: attributen staan bij het ondertekenen niet in canonieke volgorde.",
        "{part}: attributes were not in canonical order when signing.",
        "Gebruik de C14N van een bibliotheek, geen eigen tekst.",
        "Use a library's C14N, not text of your own."),
    "single-quotes": (
        "{part}: ondertekend met attributen tussen enkele aanhalingstekens.",
        "{part}: signed with attributes in single quotes.",
        "Gebruik de C14N van een bibliotheek, geen eigen tekst.",
        "Use a library's C14N, not text of your own."),
    "empty-element-tags": (
        "{part}: lege elementen zijn ondertekend als <a/> in plaats van <a></a>.",
        "{part}: empty elements were signed as <a/> instead of <a></a>.",
        "Gebruik de C14N van een bibliotheek; die schrijft begin- en eindtag.",
        "Use a library's C14N; it writes start and end tag."),
    "declaration-digested": (
        "{part}: de XML-declaratie (<?xml …?>) is meegeteld.",
        "{part}: the XML declaration (<?xml …?>) was digested too.",
        "Bereken over de canonieke octetten alleen; die hebben geen declaratie.",
        "Compute over the canonical octets only; they have no declaration."),
    "bom-digested": (
        "{part}: een byte order mark is meegeteld.",
        "{part}: a byte order mark was digested too.",
        "Schrijf zonder BOM (.NET: new UTF8Encoding(false)).",
        "Write without BOM (.NET: new UTF8Encoding(false))."),
    "newline-digested": (
        "{part}: een nieuwe regel aan het eind is meegeteld.",
        "{part}: a newline at the end was digested too.",
        "Knip die af (shell: printf in plaats van echo).",
        "Cut it off (shell: printf instead of echo)."),
    "body-content-digested": (
        "{part}: de digest is van de inhoud, niet van het element zelf.",
        "{part}: the digest is of its content, not of the element itself.",
        "Bereken over het element waarnaar de Reference wijst (soap:Body), met zijn tags.",
        "Compute over the element the Reference points at (soap:Body), with its tags."),
    "envelope-digested": (
        "{part}: de digest is van de hele Envelope.",
        "{part}: the digest is of the whole Envelope.",
        "Bereken over het element waarnaar de Reference wijst.",
        "Compute over the element the Reference points at."),
    "digest-of-other-part": (
        "{part}: deze digest is die van {other}.",
        "{part}: this digest is that of {other}.",
        "Zet elke DigestValue bij de Reference van zijn eigen deel.",
        "Put each DigestValue with the Reference of its own part."),
    "digest-hex": (
        "{part}: DigestValue is hexadecimaal geschreven.",
        "{part}: DigestValue is written in hexadecimal.",
        "Schrijf base64 van de 32 octetten.",
        "Write base64 of the 32 octets."),
    "digest-hex-base64": (
        "{part}: DigestValue is base64 van de hexadecimale tekst.",
        "{part}: DigestValue is base64 of the hexadecimal text.",
        "Neem base64 van de octetten zelf (PHP: hash('sha256', $x, true)).",
        "Take base64 of the octets themselves (PHP: hash('sha256', $x, true))."),
    "digest-other-hash": (
        "{part}: berekend met {used}, terwijl DigestMethod {stated} zegt.",
        "{part}: computed with {used}, while DigestMethod says {stated}.",
        "Maak algoritme en DigestMethod gelijk.",
        "Make algorithm and DigestMethod agree."),
    "digest-not-base64": (
        "{part}: DigestValue is geen base64.",
        "{part}: DigestValue is no base64.",
        "Schrijf base64 van de digest-octetten.",
        "Write base64 of the digest's octets."),
    "digest-length": (
        "{part}: DigestValue is {octets} octetten lang, dat past niet bij {stated}.",
        "{part}: DigestValue has {octets} octets, which does not fit {stated}.",
        "Schrijf base64 van de digest-octetten, met het algoritme van DigestMethod.",
        "Write base64 of the digest's octets, by the algorithm of DigestMethod."),
    "digest-unexplained": (
        "{part}: na het ondertekenen veranderd; op welke manier is niet gevonden.",
        "{part}: changed after signing; in which way was not found.",
        "Bewaar de canonieke octetten die u ondertekent en geef ze aan gateway explain --signed.",
        "Keep the canonical octets that you sign and give them to gateway explain --signed."),
    "search-stopped": (
        "{part}: klopt niet; het knooppunt heeft niet alles geprobeerd wat het kent.",
        "{part}: does not match; the hub has not tried everything it knows.",
        "Draai gateway explain op het bewaarde bericht: dat zoekt door.",
        "Run gateway explain on the saved message: it searches on."),
    "no-canonical-form": (
        "{part}: heeft geen canonieke vorm (een relatieve naamruimte-URI).",
        "{part}: has no canonical form (a relative namespace URI).",
        "Gebruik absolute naamruimten.",
        "Use absolute namespaces."),
    # --- SignatureValue
    "signature-not-base64": (
        "SignatureValue is geen base64.",
        "SignatureValue is no base64.",
        "Schrijf base64 van de handtekening-octetten, zonder kopregels.",
        "Write base64 of the signature's octets, without header lines."),
    "signature-key-family": (
        "SignatureMethod {stated} past niet bij een {key}-sleutel.",
        "SignatureMethod {stated} does not fit an {key} key.",
        "Kies rsa-sha256 bij een RSA-sleutel, ecdsa-sha256 bij een EC-sleutel.",
        "Choose rsa-sha256 with an RSA key, ecdsa-sha256 with an EC key."),
    "signature-pss": (
        "Ondertekend met RSA-PSS, terwijl SignatureMethod {stated} zegt.",
        "Signed with RSA-PSS, while SignatureMethod says {stated}.",
        "Onderteken met PKCS#1 v1.5 (Java: SHA256withRSA; .NET: RSASignaturePadding.Pkcs1).",
        "Sign with PKCS#1 v1.5 (Java: SHA256withRSA; .NET: RSASignaturePadding.Pkcs1)."),
    "signature-not-pss": (
        "Ondertekend met PKCS#1 v1.5, terwijl SignatureMethod {stated} (PSS) zegt.",
        "Signed with PKCS#1 v1.5, while SignatureMethod says {stated} (PSS).",
        "Schrijf rsa-sha256 als SignatureMethod, of onderteken met PSS.",
        "Write rsa-sha256 as SignatureMethod, or sign with PSS."),
    "signature-no-digest-info": (
        "De kale digest is ondertekend, zonder DigestInfo.",
        "The bare digest was signed, without DigestInfo.",
        "Gebruik een handtekeningfunctie, geen RSA-versleuteling (openssl dgst -sign, niet rsautl).",
        "Use a signing function, not RSA encryption (openssl dgst -sign, not rsautl)."),
    "signature-of-digest": (
        "De digest van SignedInfo is ondertekend: er is twee keer gehasht.",
        "The digest of SignedInfo was signed: it was hashed twice.",
        "Geef de handtekeningfunctie de octetten van SignedInfo, niet hun digest.",
        "Give the signing function the octets of SignedInfo, not their digest."),
    "signature-other-hash": (
        "Ondertekend met {used}, terwijl SignatureMethod {stated} zegt.",
        "Signed with {used}, while SignatureMethod says {stated}.",
        "Maak algoritme en SignatureMethod gelijk.",
        "Make algorithm and SignatureMethod agree."),
    "signature-ecdsa-der": (
        "De ECDSA-handtekening is DER; XML Signature wil r en s naast elkaar.",
        "The ECDSA signature is DER; XML Signature wants r and s side by side.",
        "Zet om (Java: SHA256withECDSAinP1363Format; .NET: IeeeP1363FixedFieldConcatenation).",
        "Convert it (Java: SHA256withECDSAinP1363Format; .NET: IeeeP1363FixedFieldConcatenation)."),
    "signature-reversed": (
        "De octetten van SignatureValue staan achterstevoren (CryptoAPI).",
        "The octets of SignatureValue are in reverse order (CryptoAPI).",
        "Keer ze om: CryptSignHash geeft het laagste octet eerst.",
        "Reverse them: CryptSignHash gives the lowest octet first."),
    "signature-length": (
        "SignatureValue heeft {octets} octetten; dat past niet bij het certificaat ({key}).",
        "SignatureValue has {octets} octets; that does not fit the certificate ({key}).",
        "Onderteken met de sleutel van het certificaat in het token.",
        "Sign with the key of the certificate in the token."),
    "signed-by-other-key": (
        "De handtekening is niet met de sleutel van het token gemaakt.",
        "The signature was not made with the token's key.",
        "Zet het certificaat bij deze privésleutel in het token (na vernieuwing: beide vervangen).",
        "Put the certificate of this private key in the token (after renewal: replace both)."),
    "key-of-tls-certificate": (
        "Ondertekend met de sleutel van het TLS-certificaat; het token is een ander certificaat.",
        "Signed with the key of the TLS certificate; the token is another certificate.",
        "Wissel de twee certificaten of sleutels in de configuratie om.",
        "Swap the two certificates or keys in the configuration."),
    "key-of-other-token": (
        "Ondertekend met de sleutel van een ander certificaat in het bericht.",
        "Signed with the key of another certificate in the message.",
        "Zet het certificaat van de ondertekenaar in het token waarnaar KeyInfo verwijst.",
        "Put the signer's certificate in the token that KeyInfo points at."),
    "signed-info-changed": (
        "De sleutel klopt, maar SignedInfo is na het ondertekenen veranderd.",
        "The key is right, but SignedInfo was changed after signing.",
        "Vul alle digests in en onderteken dan pas; daarna niets meer aan SignedInfo wijzigen.",
        "Fill in all digests first, then sign; change nothing in SignedInfo afterwards."),
    "signature-unexplained": (
        "SignatureValue hoort niet bij SignedInfo en de sleutel van het token.",
        "SignatureValue does not belong to SignedInfo and the token's key.",
        "Controleer of de sleutel bij het certificaat hoort, en of SignedInfo na het ondertekenen gelijk blijft.",
        "Check that the key is the certificate's, and that SignedInfo stays the same after signing."),
}
