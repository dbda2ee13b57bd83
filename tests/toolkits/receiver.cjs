// A party's receiving service in another stack: Node for HTTPS, xmlsec1 for signatures, xmllint for canonical form.
// Shares no code with gateway/, and is no example to copy: what it reads from the XML it finds by pattern.
// Usage: node receiver.cjs PKI-FOLDER SLUG PARTY-ID HUB-OIN FOLDER. Prints its URL, then a JSON line per message.
const { createHash, randomUUID, X509Certificate, createPrivateKey } = require("node:crypto");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const https = require("node:https");
const path = require("node:path");

const [pki, slug, partyId, hubOin, folder] = process.argv.slice(2);
const file = (name) => path.join(pki, name);
const read = (name) => fs.readFileSync(file(name));

const SOAP = "http://schemas.xmlsoap.org/soap/envelope/";
const WSA = "http://www.w3.org/2005/08/addressing";
const DS = "http://www.w3.org/2000/09/xmldsig#";
const EXC = "http://www.w3.org/2001/10/xml-exc-c14n#";
const OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
const WSSE = `${OASIS}wssecurity-secext-1.0.xsd`;
const WSU = `${OASIS}wssecurity-utility-1.0.xsd`;
const WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd";
const X509V3 = `${OASIS}x509-token-profile-1.0#X509v3`;
const BASE64 = `${OASIS}soap-message-security-1.0#Base64Binary`;
const IDS = ["To", "Action", "MessageID", "RelatesTo", "From", "ReplyTo"].map((name) => `${WSA}:${name}`)
  .concat([`${WSSE}:BinarySecurityToken`, `${WSU}:Timestamp`, `${WSSE11}:SignatureConfirmation`, `${SOAP}:Body`])
  .flatMap((node) => ["--id-attr:Id", node]);

const ca = new X509Certificate(read("ca.pem"));
const token = new X509Certificate(read(`${slug}-sign.pem`));
const family = createPrivateKey(read(`${slug}-sign.key`)).asymmetricKeyType === "rsa" ? "rsa" : "ecdsa";
const oinOf = (certificate) => (certificate.subject.match(/^serialNumber=(.*)$/m) || [])[1];

function element(xml, name) {
  const found = xml.match(new RegExp(`<(?:[\\w.-]+:)?${name}(?:\\s[^>]*)?>([^<]*)</`));
  if (!found) throw new Error(`there is no ${name}`);
  return found[1].trim();
}

// Signed by the hub: the token leads to the CA, has the hub's OIN, and the signature that holds covers the Body.
function verify(xml, work) {
  const signer = new X509Certificate(Buffer.from(element(xml, "BinarySecurityToken"), "base64"));
  if (!signer.verify(ca.publicKey) || oinOf(signer) !== hubOin) throw new Error("not the hub's certificate");
  const [, body] = xml.match(/<soap:Body[^>]* wsu:Id="([^"]+)"/);
  if (!xml.includes(`<ds:Reference URI="#${body}">`)) throw new Error("the Body is not signed");
  const request = path.join(work, "request.xml");
  const key = path.join(work, "signer.pem");
  fs.writeFileSync(request, xml);
  fs.writeFileSync(key, signer.toString());
  execFileSync("xmlsec1", ["--verify", ...IDS, "--pubkey-cert-pem", key, request], { stdio: "pipe" });
}

function canonical(xml) {
  return execFileSync("xmllint", ["--exc-c14n", "-"], { input: xml });
}

function reference(id) {
  return `<ds:Reference URI="#${id}"><ds:Transforms><ds:Transform Algorithm="${EXC}"/></ds:Transforms>`
    + '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference>';
}

// An envelope that xmlsec1 fills in: digests and signature value.
function template(action, relatesTo, confirmed, body) {
  const now = new Date();
  const until = new Date(now.getTime() + 300_000);
  const parts = ["to", "act", "mid", "rel", "tok", "ts", "sc", "body"];
  const header = (name, id, value) => `<wsa:${name} wsu:Id="${id}">${value}</wsa:${name}>`;
  return `<soap:Envelope xmlns:soap="${SOAP}" xmlns:wsa="${WSA}" xmlns:wsu="${WSU}" xmlns:ds="${DS}"><soap:Header>`
    + header("To", "to", `${WSA}/anonymous`) + header("Action", "act", `${action}:antwoord`)
    + header("MessageID", "mid", `urn:uuid:${randomUUID()}`) + header("RelatesTo", "rel", relatesTo)
    + `<wsse:Security xmlns:wsse="${WSSE}" xmlns:wsse11="${WSSE11}" soap:mustUnderstand="1">`
    + `<wsse:BinarySecurityToken wsu:Id="tok" ValueType="${X509V3}" EncodingType="${BASE64}">`
    + `${token.raw.toString("base64")}</wsse:BinarySecurityToken><wsu:Timestamp wsu:Id="ts">`
    + `<wsu:Created>${now.toISOString()}</wsu:Created><wsu:Expires>${until.toISOString()}</wsu:Expires></wsu:Timestamp>`
    + `<wsse11:SignatureConfirmation wsu:Id="sc" Value="${confirmed}"/><ds:Signature><ds:SignedInfo>`
    + `<ds:CanonicalizationMethod Algorithm="${EXC}"/>`
    + `<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#${family}-sha256"/>`
    + parts.map(reference).join("") + "</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><wsse:SecurityTokenReference>"
    + `<wsse:Reference URI="#tok" ValueType="${X509V3}"/></wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>`
    + `</wsse:Security></soap:Header><soap:Body wsu:Id="body">${body}</soap:Body></soap:Envelope>`;
}

function sign(xml, work) {
  const unsigned = path.join(work, "answer.xml");
  const signed = path.join(work, "signed.xml");
  fs.writeFileSync(unsigned, xml);
  execFileSync("xmlsec1", ["--sign", ...IDS, "--privkey-pem", file(`${slug}-sign.key`), "--output", signed, unsigned],
    { stdio: "pipe" });
  return fs.readFileSync(signed);
}

// Keeps a message once, durably, and gives when that was.
function keep(number, message) {
  const name = path.join(folder, `${number}.xml`);
  if (fs.existsSync(name)) return [fs.statSync(name).mtime, true];
  const written = fs.openSync(`${name}.new`, "w");
  fs.writeSync(written, message);
  fs.fsyncSync(written);
  fs.closeSync(written);
  fs.renameSync(`${name}.new`, name);
  return [fs.statSync(name).mtime, false];
}

function answer(xml) {
  const work = fs.mkdtempSync(path.join(folder, "work-"));
  try {
    verify(xml, work);
    const message = canonical(xml.match(/<soap:Body[^>]*>([^]*)<\/soap:Body>/)[1]);
    const number = element(xml, "Referentienummer");
    const [at, repeated] = keep(number, message);
    console.log(JSON.stringify({ event: repeated ? "repeated" : "received", referentienummer: number }));
    const receipt = '<kn:Ontvangstbevestiging xmlns:kn="urn:schuldenknooppunt:knooppunt:1.0">'
      + `<kn:Referentienummer>${number}</kn:Referentienummer><kn:ConversatieReferentienummer>`
      + `${element(xml, "ConversatieReferentienummer")}</kn:ConversatieReferentienummer>`
      + `<kn:Ontvanger>${partyId}</kn:Ontvanger><kn:TijdstipOntvangst>${at.toISOString()}</kn:TijdstipOntvangst>`
      + `<kn:BerichtDigest>${createHash("sha256").update(message).digest("base64")}</kn:BerichtDigest>`
      + "</kn:Ontvangstbevestiging>";
    return sign(template(element(xml, "Action"), element(xml, "MessageID"),
      element(xml, "SignatureValue").replace(/\s/g, ""), receipt), work);
  } finally {
    fs.rmSync(work, { recursive: true });
  }
}

const server = https.createServer({
  cert: read(`${slug}-tls.pem`), key: read(`${slug}-tls.key`), ca: read("ca.pem"), crl: read("ca.crl"),
  requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.2", ecdhCurve: "P-256",
}, (request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    try {
      if (oinOf(request.socket.getPeerX509Certificate()) !== hubOin) throw new Error("the caller is not the hub");
      const octets = answer(Buffer.concat(chunks).toString("utf8"));
      response.writeHead(200, { "Content-Type": "text/xml; charset=utf-8", "Content-Length": octets.length });
      response.end(octets);
    } catch (error) {
      console.log(JSON.stringify({ event: "refused", reason: String(error.message).split("\n")[0] }));
      response.writeHead(500).end();
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(`https://localhost:${server.address().port}/ontvangst`));
