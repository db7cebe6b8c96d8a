import { EditorView } from "@codemirror/view";
import { render } from "@testing-library/react";
import { expect, it } from "vitest";
import { YamlEditor } from "./YamlEditor";

function editor(container: HTMLElement): EditorView {
  const shadow = [...container.querySelectorAll("*")].map((one) => one.shadowRoot).find((root) => root !== null);
  const view = EditorView.findFromDOM(shadow?.querySelector(".cm-content") as HTMLElement);
  if (view === null) throw new Error("there is no editor");
  return view;
}

it("keeps what is written while an earlier text is on its way back", () => {
  const told: string[] = [];
  const at = (value: string) => <YamlEditor value={value} onChange={(text) => told.push(text)} problems={[]} components={undefined} kind="Pool" label="Declaration" />;
  const { container, rerender } = render(at("a: 1\n"));
  const view = editor(container);
  const write = (text: string) => view.dispatch({ changes: { from: view.state.doc.length, insert: text } });
  write("b");
  write("c");
  expect(told).toEqual(["a: 1\nb", "a: 1\nbc"]);
  rerender(at("a: 1\nb"));
  expect(view.state.doc.toString()).toBe("a: 1\nbc");
  rerender(at("a: 1\nbc"));
  expect(view.state.doc.toString()).toBe("a: 1\nbc");
  // what comes from elsewhere is taken, also one that was written once
  rerender(at("a: 1\n"));
  expect(view.state.doc.toString()).toBe("a: 1\n");
  rerender(at("a: 1\nb"));
  expect(view.state.doc.toString()).toBe("a: 1\nb");
});
