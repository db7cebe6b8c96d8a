import { expect, it } from "vitest";
import { find, type Entry } from "./find";

const entries: Entry[] = [
  { id: "1", title: "Timeline", group: "Page" },
  { id: "2", title: "chat", group: "Pool", words: "default llama" },
  { id: "3", title: "chat · Cache", group: "Pool", words: "default llama" },
  { id: "4", title: "archive-chat", group: "Pool", words: "search" },
];
const ids = (query: string) => find(entries, query).map(({ id }) => id);

it("shows everything before anything is typed", () => expect(ids("  ")).toEqual(["1", "2", "3", "4"]));
it("puts what starts so first", () => expect(ids("chat")).toEqual(["2", "3", "4"]));
it("wants every word", () => expect(ids("llama cache")).toEqual(["3"]));
it("finds by group and further words", () => expect(ids("pool search")).toEqual(["4"]));
it("finds nothing where nothing is", () => expect(ids("zebra")).toEqual([]));
it("is bounded", () => expect(find(entries, "a", 1)).toHaveLength(1));
