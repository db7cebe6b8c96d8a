import { describe, expect, it } from "vitest";
import { SseParser, type SseMessage } from "./sse";

const STREAM = [
  ": heartbeat\n\n",
  "retry: 1500\n",
  'id: 7\nevent: change\ndata: {"kind":"Pool"}\n\n',
  "id: 8\r\ndata: one\r\ndata:two\r\n\r\n",
  "event: lost because it has no data\n\n",
  "data\n\n",
  "id: 9\n\n",
].join("");

const EXPECTED: SseMessage[] = [
  { id: "7", event: "change", data: '{"kind":"Pool"}' },
  { id: "8", event: "message", data: "one\ntwo" },
  { id: "8", event: "message", data: "" },
];

describe("SseParser", () => {
  it("gives the same messages however the stream is cut", () => {
    for (let size = 1; size <= STREAM.length; size += 1) {
      const parser = new SseParser();
      const messages: SseMessage[] = [];
      for (let at = 0; at < STREAM.length; at += size) messages.push(...parser.push(STREAM.slice(at, at + size)));
      expect(messages).toEqual(EXPECTED);
      expect(parser.retry).toBe(1500);
      expect(parser.lastId).toBe("9");
    }
  });

  it("goes on from the id it is given", () => {
    expect(new SseParser("41").push("data: x\n\n")).toEqual([{ id: "41", event: "message", data: "x" }]);
  });

  it("keeps an unfinished message to itself", () => {
    expect(new SseParser().push("data: x\n")).toEqual([]);
  });
});
