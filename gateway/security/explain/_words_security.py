"""Words for the security header, algorithms, references and Timestamp. As _words_envelope."""

from typing import Final

WORDS: Final[dict[str, tuple[str, str, str, str]]] = {
    # --- layout
    "security-missing": (
        "Er is geen wsse:Security-header: het bericht is niet ondertekend.",
        "There is no wsse:Security header: the message is not signed.",
        "Zet WS-Security met X.509-handtekening aan (profiel 2W-be-S).",
        "Switch WS-Security with an X.509 signature on (profile 2W-be-S)."),
    "signature-missing": (
        "In wsse:Security staat geen ds:Signature.",
        "There is no ds:Signature in wsse:Security.",
        "Zet ondertekenen aan: Body, alle wsa-headers, Timestamp en token.",
        "Switch signing on: Body, all wsa headers, Timestamp and token."),
    "signature-outside-security": (
        "De handtekening staat buiten wsse:Security.",
        "The signature stands outside wsse:Security.",
        "Zet ds:Signature in wsse:Security (xmlsec1: zet het sjabloon daar neer).",
        "Put ds:Signature inside wsse:Security (xmlsec1: place the template there)."),
    "signature-twice": (
        "Er staan {count} handtekeningen in wsse:Security.",
        "There are {count} signatures in wsse:Security.",
        "Onderteken één keer, met een Reference per deel.",
        "Sign once, with one Reference for each part."),
    "token-missing": (
        "Er is geen BinarySecurityToken met het certificaat.",
        "There is no BinarySecurityToken with the certificate.",
        "Stuur het certificaat mee (WSS4J: DirectReference; WCF: MutualCertificate met AlwaysToRecipient).",
        "Send the certificate along (WSS4J: DirectReference; WCF: MutualCertificate with AlwaysToRecipient)."),
    "token-twice": (
        "Er staan {count} BinarySecurityTokens.",
        "There are {count} BinarySecurityTokens.",
        "Stuur alleen het certificaat van de ondertekenaar.",
        "Send the signer's certificate only."),
    "token-after-signature": (
        "Het token staat na de handtekening die ernaar verwijst.",
        "The token stands after the signature that refers to it.",
        "Zet BinarySecurityToken vóór ds:Signature (zeep: BinarySignature doet het andersom).",
        "Put BinarySecurityToken before ds:Signature (zeep: BinarySignature does the reverse)."),
    "timestamp-missing": (
        "Er is geen wsu:Timestamp.",
        "There is no wsu:Timestamp.",
        "Voeg een Timestamp toe en onderteken die (wse-php: addTimestamp; zeep: zelf toevoegen).",
        "Add a Timestamp and sign it (wse-php: addTimestamp; zeep: add it yourself)."),
    "timestamp-twice": (
        "Er staan {count} Timestamps.",
        "There are {count} Timestamps.",
        "Laat één laag de Timestamp maken.",
        "Let one layer make the Timestamp."),
    "confirmation-in-request": (
        "SignatureConfirmation staat in een verzoek.",
        "SignatureConfirmation stands in a request.",
        "Laat het weg; dat hoort in het antwoord.",
        "Leave it out; it belongs in the answer."),
    "username-token": (
        "Er staat een UsernameToken.",
        "There is a UsernameToken.",
        "Laat het weg: het certificaat zegt wie u bent.",
        "Leave it out: the certificate says who you are."),
    "security-child-unknown": (
        "In wsse:Security staat iets dat het profiel niet kent.",
        "wsse:Security holds something that the profile does not know.",
        "Alleen BinarySecurityToken, Timestamp en Signature; zet SAML, Kerberos en losse sleutels uit.",
        "Only BinarySecurityToken, Timestamp and Signature; switch SAML, Kerberos and loose keys off."),
    "ids-not-unique": (
        "Een Id komt twee keer voor in het bericht.",
        "An Id occurs twice in the message.",
        "Geef elk deel een eigen, willekeurige Id; ook hoofdletters en xml:id tellen mee.",
        "Give each part an Id of its own, at random; capitals and xml:id count too."),
    "token-encoding-type": (
        "EncodingType van het token is niet Base64Binary.",
        "EncodingType of the token is not Base64Binary.",
        "Gebruik …soap-message-security-1.0#Base64Binary of laat het attribuut weg.",
        "Use …soap-message-security-1.0#Base64Binary or leave the attribute out."),
    "token-private-key": (
        "In het token staat een privésleutel. Die is nu niet meer geheim.",
        "The token holds a private key. It is no longer secret.",
        "Trek het certificaat in, vraag een nieuw aan, en zet alleen het certificaat in het token.",
        "Have the certificate revoked, order a new one, and put the certificate only in the token."),
    "token-pem": (
        "Het token is een PEM-bestand, met BEGIN- en END-regels.",
        "The token is a PEM file, with BEGIN and END lines.",
        "Zet alleen de base64 tussen die regels in het token.",
        "Put only the base64 between those lines in the token."),
    "token-not-base64": (
        "Het token is geen base64.",
        "The token is no base64.",
        "Zet base64 van de DER-octetten van het certificaat in het token.",
        "Put base64 of the certificate's DER octets in the token."),
    "token-pkipath": (
        "Het token is een PKIPath ({count} certificaten) in plaats van één certificaat.",
        "The token is a PKIPath ({count} certificates) instead of one certificate.",
        "Stuur alleen het eigen certificaat als X509v3 (WSS4J: useSingleCertificate=true).",
        "Send your own certificate only, as X509v3 (WSS4J: useSingleCertificate=true)."),
    "token-pkcs7": (
        "Het token is een PKCS#7-bundel ({count} certificaten) in plaats van één certificaat.",
        "The token is a PKCS#7 bundle ({count} certificates) instead of one certificate.",
        "Stuur alleen het eigen certificaat als X509v3.",
        "Send your own certificate only, as X509v3."),
    "token-not-certificate": (
        "In het token staat geen leesbaar X.509-certificaat.",
        "The token holds no readable X.509 certificate.",
        "Zet base64 van het DER-certificaat in het token, niet de publieke sleutel of een vingerafdruk.",
        "Put base64 of the DER certificate in the token, not the public key or a fingerprint."),
    "token-value-type": (
        "ValueType van het token is niet X509v3.",
        "ValueType of the token is not X509v3.",
        "Gebruik …x509-token-profile-1.0#X509v3.",
        "Use …x509-token-profile-1.0#X509v3."),
    "signature-object": (
        "In ds:Signature staat een ds:Object.",
        "ds:Signature holds a ds:Object.",
        "Onderteken de delen op hun plaats (detached), niet een kopie in de handtekening.",
        "Sign the parts in their place (detached), not a copy inside the signature."),
    "signature-layout": (
        "ds:Signature bevat niet SignedInfo, SignatureValue en KeyInfo zoals XML Signature ze wil.",
        "ds:Signature does not hold SignedInfo, SignatureValue and KeyInfo as XML Signature has them.",
        "Laat een bibliotheek de handtekening maken.",
        "Let a library make the signature."),
    "signature-words": (
        "Tussen de elementen van wsse:Security of ds:Signature staat losse tekst.",
        "Loose text stands between the elements of wsse:Security or ds:Signature.",
        "Haal de tekst weg; tussen de elementen mag alleen witruimte staan.",
        "Remove the text; only white space may stand between the elements."),
    "key-info-missing": (
        "ds:KeyInfo ontbreekt in de handtekening.",
        "ds:KeyInfo is missing in the signature.",
        "Verwijs met SecurityTokenReference/Reference naar het BinarySecurityToken.",
        "Point at the BinarySecurityToken with SecurityTokenReference/Reference."),
    "key-identifier": (
        "De sleutel wordt aangewezen met een KeyIdentifier (SKI of vingerafdruk).",
        "The key is pointed at by a KeyIdentifier (SKI or thumbprint).",
        "Gebruik een directe verwijzing (WSS4J: signatureKeyIdentifier=DirectReference; WCF: AlwaysToRecipient).",
        "Use a direct reference (WSS4J: signatureKeyIdentifier=DirectReference; WCF: AlwaysToRecipient)."),
    "key-issuer-serial": (
        "De sleutel wordt aangewezen met uitgever en serienummer.",
        "The key is pointed at by issuer and serial number.",
        "Gebruik een directe verwijzing (WSS4J: DirectReference; IssuerSerial is daar de standaard).",
        "Use a direct reference (WSS4J: DirectReference; IssuerSerial is its default)."),
    "key-embedded": (
        "Het certificaat zit in de SecurityTokenReference zelf (Embedded).",
        "The certificate sits inside the SecurityTokenReference itself (Embedded).",
        "Zet het als BinarySecurityToken in wsse:Security en verwijs ernaar.",
        "Put it in wsse:Security as BinarySecurityToken and refer to it."),
    "key-name": (
        "De sleutel wordt alleen bij naam genoemd (KeyName).",
        "The key is only named (KeyName).",
        "Stuur het certificaat mee als BinarySecurityToken en verwijs ernaar.",
        "Send the certificate as BinarySecurityToken and refer to it."),
    "key-info-x509-data": (
        "KeyInfo bevat X509Data, zonder SecurityTokenReference.",
        "KeyInfo holds X509Data, without SecurityTokenReference.",
        "Zet er een SecurityTokenReference met Reference in (xmlsec1 en SignedXml doen dat niet vanzelf).",
        "Put a SecurityTokenReference with Reference there (xmlsec1 and SignedXml do not do so by themselves)."),
    "key-info-form": (
        "KeyInfo is niet één SecurityTokenReference met één Reference.",
        "KeyInfo is not one SecurityTokenReference with one Reference.",
        "Zet er precies die twee in, niets ernaast.",
        "Put exactly those two there, nothing beside them."),
    "key-reference-broken": (
        "De verwijzing in KeyInfo wijst naar geen token in deze header.",
        "The reference in KeyInfo points at no token in this header.",
        "URI moet # en de wsu:Id van het BinarySecurityToken zijn.",
        "URI must be # and the wsu:Id of the BinarySecurityToken."),
    "key-reference-type": (
        "ValueType van de verwijzing in KeyInfo is niet X509v3.",
        "ValueType of the reference in KeyInfo is not X509v3.",
        "Gebruik …x509-token-profile-1.0#X509v3 of laat het attribuut weg.",
        "Use …x509-token-profile-1.0#X509v3 or leave the attribute out."),
    "encryption-not-agreed": (
        "De Body is versleuteld, maar 2W-be-SE is voor deze dienst niet afgesproken.",
        "The Body is encrypted, but 2W-be-SE is not agreed for this service.",
        "Zet versleutelen uit, of laat het profiel vastleggen in het adresboek.",
        "Switch encryption off, or have the profile registered in the address book."),
    "encryption-missing": (
        "De Body is niet versleuteld, maar 2W-be-SE is voor deze dienst afgesproken.",
        "The Body is not encrypted, but 2W-be-SE is agreed for this service.",
        "Versleutel de inhoud van de Body voor het knooppunt (AES-256-GCM, RSA-OAEP), na het ondertekenen.",
        "Encrypt the Body's content to the hub (AES-256-GCM, RSA-OAEP), after signing."),
    # --- algorithms
    "c14n-inclusive": (
        "De canonicalisatie is inclusief ({algorithm}).",
        "The canonicalisation is inclusive ({algorithm}).",
        "Gebruik exclusieve C14N, http://…/2001/10/xml-exc-c14n#, overal.",
        "Use exclusive C14N, http://…/2001/10/xml-exc-c14n#, throughout."),
    "c14n-with-comments": (
        "De canonicalisatie neemt commentaar mee ({algorithm}).",
        "The canonicalisation takes comments along ({algorithm}).",
        "Gebruik xml-exc-c14n# zonder WithComments.",
        "Use xml-exc-c14n# without WithComments."),
    "c14n-unknown": (
        "De canonicalisatie is niet bekend.",
        "The canonicalisation is not known.",
        "Gebruik xml-exc-c14n#.",
        "Use xml-exc-c14n#."),
    "prefix-list-long": (
        "De PrefixList is langer dan 32 prefixen.",
        "The PrefixList is longer than 32 prefixes.",
        "Laat InclusiveNamespaces weg of noem alleen de prefixen die in tekst staan.",
        "Leave InclusiveNamespaces out, or name only the prefixes that stand in text."),
    "signature-sha1": (
        "De handtekening is {algorithm}; SHA-1 mag niet.",
        "The signature is {algorithm}; SHA-1 is not taken.",
        "Kies rsa-sha256 (zeep en WSS4J: stel signature_method of signatureAlgorithm in).",
        "Choose rsa-sha256 (zeep and WSS4J: set signature_method or signatureAlgorithm)."),
    "signature-hmac": (
        "De handtekening is {algorithm}: een gedeelde sleutel bewijst niet wie tekende.",
        "The signature is {algorithm}: a shared key does not prove who signed.",
        "Onderteken met de privésleutel van uw certificaat (rsa-sha256 of ecdsa-sha256).",
        "Sign with the private key of your certificate (rsa-sha256 or ecdsa-sha256)."),
    "signature-method": (
        "SignatureMethod ({algorithm}) staat niet op de lijst, of heeft parameters.",
        "SignatureMethod ({algorithm}) is not on the list, or has parameters.",
        "Kies rsa-sha256, -sha384, -sha512 of ecdsa-sha256, -sha384, -sha512.",
        "Choose rsa-sha256, -sha384, -sha512 or ecdsa-sha256, -sha384, -sha512."),
    "signature-pss-not-agreed": (
        "De handtekening is RSASSA-PSS; dat is met deze deelnemer niet afgesproken.",
        "The signature is RSASSA-PSS; that is not agreed with this party.",
        "Kies rsa-sha256, of laat PSS vastleggen in het adresboek (agreements).",
        "Choose rsa-sha256, or have PSS registered in the address book (agreements)."),
    "digest-sha1": (
        "DigestMethod is SHA-1; dat mag niet.",
        "DigestMethod is SHA-1; that is not taken.",
        "Kies xmlenc#sha256 (ook bij rsa-sha256 staat de digest vaak nog op SHA-1).",
        "Choose xmlenc#sha256 (beside rsa-sha256 too the digest often stays at SHA-1)."),
    "digest-method": (
        "DigestMethod ({algorithm}) staat niet op de lijst.",
        "DigestMethod ({algorithm}) is not on the list.",
        "Kies xmlenc#sha256, xmldsig-more#sha384 of xmlenc#sha512.",
        "Choose xmlenc#sha256, xmldsig-more#sha384 or xmlenc#sha512."),
    "transform-missing": (
        "Een Reference heeft geen Transform.",
        "A Reference has no Transform.",
        "Geef elke Reference precies één Transform: xml-exc-c14n#.",
        "Give each Reference exactly one Transform: xml-exc-c14n#."),
    "transform-several": (
        "Een Reference heeft {count} Transforms.",
        "A Reference has {count} Transforms.",
        "Geef elke Reference precies één Transform: xml-exc-c14n#.",
        "Give each Reference exactly one Transform: xml-exc-c14n#."),
    "transform-enveloped": (
        "Een Reference gebruikt enveloped-signature.",
        "A Reference uses enveloped-signature.",
        "Haal die Transform weg: de delen bevatten de handtekening niet (signxml: method=detached).",
        "Remove that Transform: the parts do not hold the signature (signxml: method=detached)."),
    "transform-str": (
        "Een Reference gebruikt STR-Transform.",
        "A Reference uses STR-Transform.",
        "Onderteken het BinarySecurityToken zelf (CXF: verwijder STRTransform uit signatureParts; Token).",
        "Sign the BinarySecurityToken itself (CXF: take STRTransform out of signatureParts; Token)."),
    "transform-unknown": (
        "Een Reference gebruikt een Transform ({algorithm}) die niet mag.",
        "A Reference uses a Transform ({algorithm}) that is not taken.",
        "Alleen xml-exc-c14n#.",
        "Only xml-exc-c14n#."),
    # --- references
    "references-many": (
        "Er zijn meer dan 12 References.",
        "There are more than 12 References.",
        "Eén per deel: Body, wsa-headers, Timestamp en token.",
        "One for each part: Body, wsa headers, Timestamp and token."),
    "part-not-signed": (
        "Niet ondertekend: {part}.",
        "Not signed: {part}.",
        "Voeg een Reference toe voor {part} (zeep tekent alleen Body en Timestamp).",
        "Add a Reference for {part} (zeep signs Body and Timestamp only)."),
    "part-without-id": (
        "Niet ondertekend en zonder wsu:Id: {part}.",
        "Not signed, and without wsu:Id: {part}.",
        "Geef elk deel een wsu:Id en voeg een Reference toe.",
        "Give each part a wsu:Id and add a Reference."),
    "part-signed-twice": (
        "Twee keer ondertekend: {part}.",
        "Signed twice: {part}.",
        "Eén Reference per deel.",
        "One Reference for each part."),
    "reference-whole-document": (
        "Een Reference heeft geen URI of een lege: het hele document.",
        "A Reference has no URI or an empty one: the whole document.",
        "Verwijs per deel met # en de wsu:Id (SignedXml en xmlsec1 tekenen anders alles).",
        "Refer to each part by # and its wsu:Id (SignedXml and xmlsec1 else sign everything)."),
    "reference-external": (
        "Een Reference wijst buiten het bericht, of met xpointer.",
        "A Reference points outside the message, or by xpointer.",
        "Gebruik alleen # en een wsu:Id.",
        "Use only # and a wsu:Id."),
    "reference-target-missing": (
        "Een Reference wijst naar een Id die niet in het bericht staat.",
        "A Reference points at an Id that is not in the message.",
        "Onderteken als laatste; daarna mogen delen en hun Id niet meer veranderen.",
        "Sign last; after that parts and their Ids may not change."),
    "reference-body-content": (
        "De Reference wijst naar het element in de Body, niet naar de Body zelf.",
        "The Reference points at the element in the Body, not at the Body itself.",
        "Zet wsu:Id op soap:Body en onderteken die (WSS4J: {{Element}} in plaats van {{Content}}).",
        "Put wsu:Id on soap:Body and sign that (WSS4J: {{Element}} instead of {{Content}})."),
    "reference-other-id": (
        "Aangewezen met Id, ID of xml:id in plaats van wsu:Id: {part}.",
        "Pointed at by Id, ID or xml:id instead of wsu:Id: {part}.",
        "Gebruik wsu:Id op elk deel (SignedXml: overschrijf GetIdElement).",
        "Use wsu:Id on each part (SignedXml: override GetIdElement)."),
    "reference-elsewhere": (
        "Een Reference wijst naar een element dat geen deel van het profiel is, of niet op zijn plaats staat.",
        "A Reference points at an element that is no part of the profile, or not in its place.",
        "Onderteken Body, wsa-headers, Timestamp en token, waar ze staan.",
        "Sign Body, wsa headers, Timestamp and token, where they stand."),
    # --- Timestamp
    "timestamp-layout": (
        "De Timestamp bevat niet Created en daarna hoogstens één Expires.",
        "The Timestamp does not hold Created and then at most one Expires.",
        "Created eerst, dan Expires, niets anders.",
        "Created first, then Expires, nothing else."),
    "timestamp-attributes": (
        "Created of Expires heeft een attribuut (ValueType) of een element.",
        "Created or Expires has an attribute (ValueType) or an element.",
        "Schrijf alleen de tijd.",
        "Write the time only."),
    "timestamp-form": (
        "Een tijd in de Timestamp is geen geldige datum en tijd.",
        "A time in the Timestamp is no valid date and time.",
        "Schrijf UTC als 2026-01-31T10:00:00.000Z.",
        "Write UTC as 2026-01-31T10:00:00.000Z."),
    "timestamp-no-zone": (
        "Een tijd in de Timestamp heeft geen Z.",
        "A time in the Timestamp has no Z.",
        "Zet om naar UTC en schrijf Z erachter (Python: datetime.now(UTC); PHP: gmdate).",
        "Convert to UTC and write Z after it (Python: datetime.now(UTC); PHP: gmdate)."),
    "timestamp-offset": (
        "Een tijd in de Timestamp heeft een tijdzone (+01:00) in plaats van Z.",
        "A time in the Timestamp has an offset (+01:00) instead of Z.",
        "Zet om naar UTC en schrijf Z.",
        "Convert to UTC and write Z."),
    "timestamp-decimals": (
        "Een tijd in de Timestamp heeft meer dan drie decimalen.",
        "A time in the Timestamp has more than three decimals.",
        "Kap af op milliseconden (.NET: \"yyyy-MM-ddTHH:mm:ss.fffZ\").",
        "Cut at milliseconds (.NET: \"yyyy-MM-ddTHH:mm:ss.fffZ\")."),
    "timestamp-expires-before-created": (
        "Expires ligt niet na Created.",
        "Expires is not after Created.",
        "Expires = Created + 300 seconden, beide in UTC.",
        "Expires = Created + 300 seconds, both in UTC."),
    "timestamp-lifetime": (
        "De Timestamp is {seconds} s geldig; hoogstens {most} s.",
        "The Timestamp is valid for {seconds} s; at most {most} s.",
        "Maak Expires = Created + 300 seconden (WSS4J: timeToLive; WCF: TimestampValidityDuration).",
        "Make Expires = Created + 300 seconds (WSS4J: timeToLive; WCF: TimestampValidityDuration)."),
    "timestamp-ahead": (
        "Uw klok loopt {seconds} s voor.",
        "Your clock is {seconds} s ahead.",
        "Zet de klok gelijk met NTP.",
        "Set the clock by NTP."),
    "timestamp-expired": (
        "Het bericht was {seconds} s oud, de Timestamp {lifetime} s geldig.",
        "The message was {seconds} s old, the Timestamp valid for {lifetime} s.",
        "Onderteken vlak voor het versturen, ook bij een tweede poging, en zet de klok gelijk met NTP.",
        "Sign right before sending, also when trying again, and set the clock by NTP."),
    "timestamp-time-zone": (
        "De tijd is {sign}{hours} uur verschoven: lokale tijd met een Z erachter.",
        "The time is shifted by {sign}{hours} hours: local time with a Z after it.",
        "Zet om naar UTC voordat u Z schrijft.",
        "Convert to UTC before writing Z."),
}
