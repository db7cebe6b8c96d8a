/** What the address of a pool's loads says, what their form asks for, and what is said of one. Pure. */

import type { Load, LoadWish } from "../../api/loads";
import type { IconName } from "../../ui/Icon";
import type { Tone } from "../../ui/Status";

export interface LoadView {
  /** The load that is shown; without it the one under way, else the newest. */
  load?: string;
  /** The earlier one that it stands beside. */
  beside?: string;
}

const ID = /^[0-9a-f-]{36}$/;

export function readLoads(search: Record<string, unknown>): LoadView {
  const view: LoadView = {};
  if (typeof search.load === "string" && ID.test(search.load)) view.load = search.load;
  if (typeof search.beside === "string" && ID.test(search.beside)) view.beside = search.beside;
  return view;
}

export interface Form {
  label: string;
  by: "rate" | "users";
  rate: number;
  users: number;
  pause: string;
  pattern: "steady" | "ramp" | "burst";
  duration: string;
  shape: "chat" | "questions" | "documents";
  /** Empty: the shape's own. */
  promptTokens: string;
  outputTokens: string;
}

export const START: Form = {
  label: "",
  by: "rate",
  rate: 5,
  users: 10,
  pause: "0s",
  pattern: "steady",
  duration: "2m",
  shape: "chat",
  promptTokens: "",
  outputTokens: "",
};

/** As an earlier load was asked for, to send the same again. */
export function formOf({ request, label }: Pick<Load, "request" | "label">): Form {
  return {
    label,
    by: request.users === undefined ? "rate" : "users",
    rate: request.rate ?? 2,
    users: request.users ?? START.users,
    pause: request.pause ?? START.pause,
    pattern: request.pattern ?? "steady",
    duration: request.duration ?? "1m",
    shape: request.shape ?? "chat",
    promptTokens: request.promptTokens === undefined ? "" : String(request.promptTokens),
    outputTokens: request.outputTokens === undefined ? "" : String(request.outputTokens),
  };
}

export function wishOf(form: Form): LoadWish {
  const { label, by, rate, users, pause, pattern, duration, shape, promptTokens, outputTokens } = form;
  return {
    ...(label.trim() === "" ? {} : { label: label.trim() }),
    ...(by === "rate" ? { rate, pattern } : { users, pause: pause.trim() || "0s" }),
    duration: duration.trim(),
    shape,
    ...(promptTokens === "" ? {} : { promptTokens: Number(promptTokens) }),
    ...(outputTokens === "" ? {} : { outputTokens: Number(outputTokens) }),
  };
}

export const LOOKS: Record<Load["status"], { icon: IconName; tone: Tone; word: string }> = {
  queued: { icon: "hollow", tone: "none", word: "Queued" },
  running: { icon: "half", tone: "info", word: "Running" },
  done: { icon: "check", tone: "ok", word: "Done" },
  stopped: { icon: "pause", tone: "none", word: "Stopped" },
  failed: { icon: "triangle", tone: "bad", word: "Failed" },
  lost: { icon: "question", tone: "bad", word: "Lost" },
};

export const VERDICTS: Record<"met" | "missed" | "unknown", { icon: IconName; tone: Tone; word: string }> = {
  met: { icon: "check", tone: "ok", word: "Met" },
  missed: { icon: "triangle", tone: "bad", word: "Missed" },
  unknown: { icon: "question", tone: "none", word: "Nothing to judge by" },
};

export const nameOf = ({ label, id }: Pick<Load, "label" | "id">) => label || `unnamed ${id.slice(0, 8)}`;

/** The newest earlier load that went to its end, else one that was stopped, else what there is of another: what a
 * finished one is held against unless somebody chooses. */
export function earlierThan(shown: Pick<Load, "id" | "createdAt">, loads: readonly Load[]): Load | undefined {
  const answered = loads.filter(({ id, createdAt, status, measured }) => id !== shown.id && createdAt < shown.createdAt && status !== "queued" && status !== "running" && (measured?.ok ?? 0) > 0);
  return answered.find(({ status }) => status === "done") ?? answered.find(({ status }) => status === "stopped") ?? answered[0];
}

const CODES: Record<string, string> = {
  timeout: "no whole answer in time",
  connect: "no connection",
  cut: "the answer was cut",
  shed: "not sent: too many were unanswered",
  other: "other reasons",
};

/** What a kind of failure is called; a number is a status of HTTP. */
export const codeInWords = (code: string) => CODES[code] ?? `HTTP ${code}`;
