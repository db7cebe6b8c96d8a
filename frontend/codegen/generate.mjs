// node generate.mjs OPENAPI.json TARGET.d.ts: the console's types of the API, with the digest of the schema they are of.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const [, , source, target] = argv;
const digest = createHash("sha256")
  .update(await readFile(source))
  .digest("hex");
// A field with a default may be left out when it is sent; the console types both ways with the same type.
const nodes = await openapiTS(pathToFileURL(source), { defaultNonNullable: false, alphabetize: true });
await writeFile(
  target,
  `// Made by \`make schema\` of the server's OpenAPI schema; never edited by hand.\n// schema-sha256: ${digest}\n\n${astToString(nodes)}`,
);
