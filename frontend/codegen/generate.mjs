// node generate.mjs OPENAPI.json TARGET.d.ts: the console's types of the API, and beside them TARGET.sums: a digest of
// every path and component that they are of, one a line, so that two changes of the API merge like the types do.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const [, , source, target] = argv;

/** With the keys of every object in order: the same text whoever writes it. */
function ordered(value) {
  if (Array.isArray(value)) return value.map(ordered);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, ordered(value[key])]),
  );
}

function* sums({ paths, components }) {
  for (const [place, members] of Object.entries({ paths, ...components })) {
    for (const [name, value] of Object.entries(members)) {
      yield `${place} ${name} ${createHash("sha256").update(JSON.stringify(ordered(value))).digest("hex").slice(0, 16)}`;
    }
  }
}

// A field with a default may be left out when it is sent; the console types both ways with the same type.
const nodes = await openapiTS(pathToFileURL(source), { defaultNonNullable: false, alphabetize: true });
await writeFile(
  target,
  `// Made by \`make schema\` of the server's OpenAPI schema; never edited by hand.\n\n${astToString(nodes)}`,
);
const lines = [...sums(JSON.parse(await readFile(source, "utf8")))].toSorted();
await writeFile(target.replace(/\.d\.ts$/, ".sums"), `${lines.join("\n")}\n`);
