// Plays a Node programmer: reads [contract, operation, values] from a JSON file, makes each message anew from plain
// values by the package soap, and prints what would have gone over the wire, one JSON line each.
// Usage: node client.cjs CALLS.json PATH-OF-THE-PACKAGE
const fs = require("node:fs");

const soap = require(process.argv[3]);

// The package takes xs:base64Binary as text.
function native(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(native);
  if ("base64" in value) return value.base64;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, native(one)]));
}

async function exchange([contract, operation, values]) {
  const client = await soap.createClientAsync(contract);
  const port = Object.values(Object.values(client.describe())[0])[0];
  const line = { operations: Object.keys(port) };
  client.httpClient = {
    request(url, body, callback) {
      line.sent = body;
      callback(new Error("recorded"));
    },
  };
  await client[`${operation}Async`](native(values)).catch(() => undefined);
  return line;
}

(async () => {
  for (const call of JSON.parse(fs.readFileSync(process.argv[2], "utf8"))) {
    const line = await exchange(call).catch((error) => ({ error: String(error) }));
    console.log(JSON.stringify(line));
  }
})();
