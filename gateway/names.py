"""Every namespace, algorithm and fixed URI of the wire, once. No literal URI stands anywhere else.

Sources: SOAP 1.1; WS-Addressing 1.0 Core; WSS 1.1.1; XML Signature 1.1 §6; RFC 9231 §2; Digikoppeling WUS 3.8.1.
"""

from typing import Final

# --- namespaces ----------------------------------------------------------------------------------------------
SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
WSA: Final = "http://www.w3.org/2005/08/addressing"
WSAM: Final = "http://www.w3.org/2007/05/addressing/metadata"
_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE: Final = _WSS + "wssecurity-secext-1.0.xsd"
WSU: Final = _WSS + "wssecurity-utility-1.0.xsd"
WSSE11: Final = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
EC: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"
XSD: Final = "http://www.w3.org/2001/XMLSchema"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
XML: Final = "http://www.w3.org/XML/1998/namespace"
WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
WSDL_SOAP: Final = "http://schemas.xmlsoap.org/wsdl/soap/"
SOAP_HTTP: Final = "http://schemas.xmlsoap.org/soap/http"
XOP: Final = "http://www.w3.org/2004/08/xop/include"
SCHEMATRON: Final = "http://purl.oclc.org/dsdl/schematron"
XSLT: Final = "http://www.w3.org/1999/XSL/Transform"
BASE: Final = "urn:schuldenknooppunt"
KN: Final = BASE + ":knooppunt:1.0"

# --- WS-Addressing -------------------------------------------------------------------------------------------
ANONYMOUS: Final = WSA + "/anonymous"
NO_ADDRESS: Final = WSA + "/none"
FAULT_ACTION: Final = WSA + "/fault"
SOAP_FAULT_ACTION: Final = WSA + "/soap/fault"
ANSWER_SUFFIX: Final = ":antwoord"

# --- WS-Security ---------------------------------------------------------------------------------------------
X509V3: Final = _WSS + "x509-token-profile-1.0#X509v3"
BASE64_BINARY: Final = _WSS + "soap-message-security-1.0#Base64Binary"
SKI: Final = _WSS + "x509-token-profile-1.0#X509SubjectKeyIdentifier"
_WSS11: Final = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"
THUMBPRINT: Final = _WSS11 + "#ThumbprintSHA1"
ENCRYPTED_KEY: Final = _WSS11 + "#EncryptedKey"

# --- algorithms (XML Signature 1.1 §6, RFC 9231 §2) ----------------------------------------------------------
EXC_C14N: Final = EC
_DSIG_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
SHA256: Final = XENC + "sha256"
SHA384: Final = _DSIG_MORE + "sha384"
SHA512: Final = XENC + "sha512"
RSA_SHA256: Final = _DSIG_MORE + "rsa-sha256"
RSA_SHA384: Final = _DSIG_MORE + "rsa-sha384"
RSA_SHA512: Final = _DSIG_MORE + "rsa-sha512"
ECDSA_SHA256: Final = _DSIG_MORE + "ecdsa-sha256"
ECDSA_SHA384: Final = _DSIG_MORE + "ecdsa-sha384"
ECDSA_SHA512: Final = _DSIG_MORE + "ecdsa-sha512"
RSA_PSS_SHA256: Final = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"

# --- known, to name them in an explanation; never taken ------------------------------------------------------
SOAP12: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA_OLD: Final = ("http://schemas.xmlsoap.org/ws/2004/08/addressing", "http://schemas.xmlsoap.org/ws/2003/03/addressing")
_C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_C14N11: Final = "http://www.w3.org/2006/12/xml-c14n11"
STR_TRANSFORM: Final = _WSS + "soap-message-security-1.0#STR-Transform"
ENVELOPED: Final = DS + "enveloped-signature"
X509PKIPATH: Final = _WSS + "x509-token-profile-1.0#X509PKIPathv1"
PKCS7: Final = _WSS + "x509-token-profile-1.0#PKCS7"
ALGORITHM_NAMES: Final = {
    EXC_C14N: "exc-c14n", EXC_C14N + "WithComments": "exc-c14n#WithComments",
    _C14N: "c14n", _C14N + "#WithComments": "c14n#WithComments",
    _C14N11: "c14n11", _C14N11 + "#WithComments": "c14n11#WithComments", "http://www.w3.org/2010/xml-c14n2": "c14n2",
    ENVELOPED: "enveloped-signature", STR_TRANSFORM: "STR-Transform", DS + "base64": "base64",
    "http://www.w3.org/TR/1999/REC-xpath-19991116": "XPath", "http://www.w3.org/TR/1999/REC-xslt-19991116": "XSLT",
    "http://www.w3.org/2002/06/xmldsig-filter2": "XPath-Filter2",
    DS + "sha1": "SHA-1", _DSIG_MORE + "md5": "MD5", _DSIG_MORE + "sha224": "SHA-224",
    SHA256: "SHA-256", SHA384: "SHA-384", SHA512: "SHA-512",
    DS + "rsa-sha1": "rsa-sha1", DS + "dsa-sha1": "dsa-sha1", DS + "hmac-sha1": "hmac-sha1",
    _DSIG_MORE + "hmac-sha256": "hmac-sha256", _DSIG_MORE + "rsa-md5": "rsa-md5",
    _DSIG_MORE + "ecdsa-sha1": "ecdsa-sha1", _DSIG_MORE + "rsa-ripemd160": "rsa-ripemd160",
    RSA_SHA256: "rsa-sha256", RSA_SHA384: "rsa-sha384", RSA_SHA512: "rsa-sha512",
    ECDSA_SHA256: "ecdsa-sha256", ECDSA_SHA384: "ecdsa-sha384", ECDSA_SHA512: "ecdsa-sha512",
    RSA_PSS_SHA256: "sha256-rsa-MGF1",
}
# --- encryption (XML Encryption 1.1 §5) ----------------------------------------------------------------------
AES128_GCM: Final = XENC11 + "aes128-gcm"
AES256_GCM: Final = XENC11 + "aes256-gcm"
RSA_OAEP: Final = XENC11 + "rsa-oaep"
MGF1_SHA256: Final = XENC11 + "mgf1sha256"
CONTENT: Final = XENC + "Content"

# --- profiles (Digikoppeling WUS 3.8 §2.3) --------------------------------------------------------------------
ENCRYPTED_PROFILE: Final = "2W-be-SE"  # what it adds to 2W-be-S: the Body is encrypted

# --- the prefixes we write -----------------------------------------------------------------------------------
PREFIXES: Final = {
    "soap": SOAP, "wsa": WSA, "wsse": WSSE, "wsu": WSU, "wsse11": WSSE11, "ds": DS, "ec": EC, "kn": KN,
    "xenc": XENC, "xenc11": XENC11, "xop": XOP,
}


def clark(namespace: str, local: str) -> str:
    """The name of an element or attribute in Clark form, `{namespace}local`."""
    return f"{{{namespace}}}{local}"


def set_namespace(module: str, version: str) -> str:
    """The namespace of a message set (docs/contract.md §5)."""
    return f"{BASE}:{module}:{version}"


def action(namespace: str, operation: str) -> str:
    """The wsa:Action of a request; the answer's is this plus `ANSWER_SUFFIX` (docs/contract.md §5)."""
    return f"{namespace}:{operation}"


def answer_action(request_action: str) -> str:
    """The wsa:Action of the answer to a request with that Action."""
    return request_action + ANSWER_SUFFIX
