import { autocompletion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { basicSetup } from "codemirror";
import { useEffect, useLayoutEffect, useRef } from "react";
import type { ProblemDetail } from "../../api/problem";
import { keysFor, pathAt, schemaAt, valuesFor, type Components } from "./complete";
import { lineOf } from "./draft";
import styles from "./Change.module.css";

interface Props {
  value: string;
  onChange: (text: string) => void;
  problems: readonly ProblemDetail[];
  /** Of the OpenAPI document; the editor completes by them once they are there. */
  components: Components | undefined;
  kind: string;
  label: string;
}

const COLOURS = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.string, tags.content, tags.literal], color: "var(--text)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--muted)" },
]);

const THEME = EditorView.theme({
  // the editor's own class comes a moment after the focus
  "&.cm-focused, &:focus-within": { outline: "2px solid var(--focus)", outlineOffset: "-2px" },
  "&": { minHeight: "20rem", backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "var(--size-1)" },
  ".cm-scroller": { fontFamily: "var(--mono)" },
  ".cm-gutters": { borderColor: "var(--border)", backgroundColor: "var(--raised)", color: "var(--muted)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--raised) 60%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--info) 30%, transparent)",
  },
  ".cm-tooltip": { borderColor: "var(--border-strong)", backgroundColor: "var(--surface)", color: "var(--text)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--raised)", color: "var(--text)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
});

function complete({ state, pos, explicit }: CompletionContext, components: Components, kind: string): CompletionResult | null {
  const line = state.doc.lineAt(pos);
  const before = line.text.slice(0, pos - line.from);
  const lines = state.doc.toString().split("\n");
  const root = { $ref: `#/components/schemas/${kind}` };
  const path = pathAt(lines, line.number - 1);
  const value = /^\s*(?:- )?([\w.-]+):\s+(\S*)$/.exec(before);
  if (value !== null) {
    const options = valuesFor(schemaAt(root, components, [...path, value[1] ?? ""])).map((label) => ({ label, type: "enum" }));
    return options.length === 0 ? null : { from: pos - (value[2]?.length ?? 0), options };
  }
  const key = /^\s*(?:- )?([\w-]*)$/.exec(before);
  if (key === null || (!explicit && key[1] === "")) return null;
  const options = keysFor(schemaAt(root, components, path), components).map(({ label, detail, info }) => ({
    label,
    detail,
    info: info === "" ? undefined : info,
    type: "property",
    apply: `${label}: `,
  }));
  return options.length === 0 ? null : { from: pos - (key[1]?.length ?? 0), options };
}

function diagnostics(state: EditorState, problems: readonly ProblemDetail[]): Diagnostic[] {
  return problems.map(({ line, column, pointer, detail }) => {
    const at = Math.min(state.doc.lines, Math.max(1, line ?? lineOf(state.doc.toString(), pointer ?? "")));
    const { from, to, text } = state.doc.line(at);
    const start = Math.min(to, from + (column == null ? text.search(/\S|$/) : column - 1));
    return { from: start, to, severity: "error", message: detail };
  });
}

const KEYS = "Escape, then Tab leaves the editor. Ctrl-Space completes, F8 goes to the next thing that is wrong, Ctrl-] and Ctrl-[ move a line in and out.";

/**
 * CodeMirror with our colours. It lives in a shadow root, where its styles are adopted sheets: the page's policy allows
 * no inline styles. Tab leaves it, as it leaves any other field.
 */
export function YamlEditor({ value, onChange, problems, components, kind, label }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const newest = useRef({ onChange, components, kind, value });
  // texts that were told and have not come back: what comes back late is older than what is written since
  const told = useRef(new Set<string>());
  const isTaking = useRef(false);
  useLayoutEffect(() => {
    newest.current = { onChange, components, kind, value };
  });

  useEffect(() => {
    if (place.current === null) return undefined;
    const shadow = place.current.shadowRoot ?? place.current.attachShadow({ mode: "open" });
    const made = new EditorView({
      parent: shadow,
      root: shadow,
      state: EditorState.create({
        doc: newest.current.value,
        extensions: [
          basicSetup,
          yaml(),
          lintGutter(),
          THEME,
          syntaxHighlighting(COLOURS),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label, "aria-description": KEYS }),
          autocompletion({
            override: [
              (context) => {
                const { components: known, kind: wanted } = newest.current;
                return known === undefined ? null : complete(context, known, wanted);
              },
            ],
          }),
          EditorView.updateListener.of(({ docChanged, state }) => {
            if (!docChanged) return;
            if (!isTaking.current) told.current.add(state.doc.toString());
            newest.current.onChange(state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, [label]);

  useEffect(() => {
    const made = view.current;
    if (made === undefined) return;
    const isThere = made.state.doc.toString() === value;
    if (!isThere && told.current.has(value)) return;
    told.current.clear();
    if (isThere) return;
    isTaking.current = true;
    made.dispatch({ changes: { from: 0, to: made.state.doc.length, insert: value } });
    isTaking.current = false;
  }, [value]);

  useEffect(() => {
    const made = view.current;
    if (made !== undefined) made.dispatch(setDiagnostics(made.state, diagnostics(made.state, problems)));
  }, [problems, value]);

  return (
    <div>
      <div ref={place} className={styles.editor} />
      {/* the editor says it as well: nothing in a shadow root can point out of it */}
      <p className={styles.keys}>{KEYS}</p>
    </div>
  );
}
