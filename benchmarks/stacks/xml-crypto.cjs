// Verify a request, sign an answer, with xml-crypto on Node. Usage: node xml-crypto.cjs FOLDER SECONDS, NODE_PATH set to
// the folder that has xml-crypto; see run.py.
const fs = require("node:fs");
const path = require("node:path");
const { DOMParser } = require("@xmldom/xmldom");
const { SignedXml } = require("xml-crypto");

const [folder, seconds] = [process.argv[2], Number(process.argv[3])];
const read = (name) => fs.readFileSync(path.join(folder, name), "utf-8");
const [request, answer, theirs, ours] = ["request.xml", "answer.xml", "party.pem", "hub.key"].map(read);

const DS = "http://www.w3.org/2000/09/xmldsig#";
const EXC = "http://www.w3.org/2001/10/xml-exc-c14n#";
const OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
const WSSE = `${OASIS}wssecurity-secext-1.0.xsd`;
const local = (name) => `//*[local-name(.)='${name}']`;
const token = answer.match(/<wsse:BinarySecurityToken[^>]* wsu:Id="([^"]+)"/)[1];
const parts = ["To", "Action", "MessageID", "RelatesTo", "BinarySecurityToken", "Timestamp", "SignatureConfirmation",
  "Body"].filter((name) => answer.includes(`:${name} `));
let signed = "";

function verify() {
  const signature = new DOMParser().parseFromString(request, "text/xml").getElementsByTagNameNS(DS, "Signature")[0];
  const check = new SignedXml({ publicCert: theirs, idMode: "wssecurity", getCertFromKeyInfo: () => null });
  check.loadSignature(signature);
  if (!check.checkSignature(request)) throw new Error("not valid");
}

function sign() {
  const made = new SignedXml({
    privateKey: ours, idMode: "wssecurity", canonicalizationAlgorithm: EXC,
    signatureAlgorithm: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    getKeyInfoContent: () => `<wsse:SecurityTokenReference xmlns:wsse="${WSSE}"><wsse:Reference URI="#${token}" `
      + `ValueType="${OASIS}x509-token-profile-1.0#X509v3"/></wsse:SecurityTokenReference>`,
  });
  for (const name of parts) {
    made.addReference({ xpath: local(name), transforms: [EXC], digestAlgorithm: "http://www.w3.org/2001/04/xmlenc#sha256" });
  }
  made.computeSignature(answer, { prefix: "ds", location: { reference: local("Security"), action: "append" } });
  signed = made.getSignedXml();
}

function measured(step) {
  const waits = [];
  let begin = performance.now();
  while (performance.now() - begin < seconds * 1000) step(); // the compiler needs its time
  for (begin = performance.now(); performance.now() - begin < seconds * 1000;) {
    const before = performance.now();
    step();
    waits.push((performance.now() - before) * 1000);
  }
  return waits;
}

const version = `Node ${process.versions.node}, xml-crypto ${require("xml-crypto/package.json").version}`;
console.log(JSON.stringify({ version, verify_us: measured(verify), sign_us: measured(sign) }));
fs.writeFileSync(path.join(folder, "signed.xml"), signed);
