/** What may be written at a place of a draft, by the JSON schema of its kind. Pure. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  allOf?: Schema[];
  description?: string;
  default?: unknown;
}

export type Components = Record<string, Schema>;

export function resolve(schema: Schema | undefined, components: Components): Schema | undefined {
  const name = schema?.$ref?.split("/").at(-1);
  const found = name === undefined ? schema : components[name];
  const part = found?.anyOf?.find((one) => one.type !== "null") ?? found?.allOf?.[0];
  return part === undefined ? found : { ...found, ...resolve(part, components) };
}

/** The schema at a path of keys; list positions are skipped by "[]". */
export function schemaAt(root: Schema, components: Components, path: readonly string[]): Schema | undefined {
  let schema = resolve(root, components);
  for (const key of path) schema = resolve(key === "[]" ? schema?.items : schema?.properties?.[key], components);
  return schema;
}

/** The keys that lead to a line of block YAML, by indentation. Flow collections are not looked into. */
export function pathAt(lines: readonly string[], at: number): string[] {
  const own = lines[at] ?? "";
  let indent = own.search(/\S|$/);
  const path: string[] = [];
  const dash = /^(\s*)- /.exec(own);
  if (dash !== null) path.unshift("[]");
  for (let line = at - 1; line >= 0 && indent > 0; line -= 1) {
    const text = lines[line] ?? "";
    if (/^\s*(#|$)/.test(text)) continue;
    const depth = text.search(/\S/);
    const item = /^(\s*)- (.*)$/.exec(text);
    if (item !== null && depth + 2 === indent && path[0] !== "[]") {
      path.unshift("[]");
      indent = depth;
      continue;
    }
    // A list may stand as deep as the key that holds it.
    const isParent = depth < indent || (depth === indent && path[0] === "[]" && item === null);
    const key = /^\s*(?:- )?([\w.-]+):\s*(#.*)?$/.exec(text);
    if (!isParent || key === null) continue;
    path.unshift(key[1] ?? "");
    indent = depth;
    if (item !== null) path.unshift("[]");
  }
  return path;
}

export interface Suggestion {
  label: string;
  detail: string;
  info: string;
}

export function keysFor(schema: Schema | undefined, components: Components): Suggestion[] {
  return Object.entries(schema?.properties ?? {}).map(([label, property]) => {
    const resolved = resolve(property, components);
    const kind = resolved?.enum !== undefined ? "choice" : Array.isArray(resolved?.type) ? resolved.type.join(" | ") : (resolved?.type ?? "");
    return { label, detail: kind, info: resolved?.description ?? property.description ?? "" };
  });
}

export function valuesFor(schema: Schema | undefined): string[] {
  if (schema?.const !== undefined) return [String(schema.const)];
  return (schema?.enum ?? (schema?.type === "boolean" ? ["true", "false"] : [])).map(String);
}
