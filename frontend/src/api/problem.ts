/** What went wrong, as a person can act on it. The server speaks RFC 9457 `application/problem+json`. */

export interface ProblemDetail {
  pointer?: string;
  line?: number | null;
  column?: number | null;
  detail: string;
}

export class ApiError extends Error {
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly title: string;
  readonly details: ProblemDetail[];

  constructor(status: number, title: string, sentence: string, details: ProblemDetail[] = []) {
    super(sentence);
    this.name = "ApiError";
    this.status = status;
    this.title = title;
    this.details = details;
  }

  get unreachable(): boolean {
    return this.status === 0;
  }
}

const FALLBACK: Record<number, string> = {
  401: "You are not logged in, or the session has ended.",
  403: "Your role does not allow this.",
  404: "There is nothing here, or it belongs to a team you are not in.",
  429: "Too many requests; wait a moment and try again.",
  502: "The proxy in front of the control plane got no answer from it.",
  503: "The control plane is not ready; it may be starting.",
  504: "The proxy in front of the control plane waited too long for it.",
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readDetails(value: unknown): ProblemDetail[] {
  if (!Array.isArray(value)) return [];
  return value.filter(isRecord).flatMap((entry) => {
    if (typeof entry.detail !== "string") return [];
    return [
      {
        detail: entry.detail,
        pointer: typeof entry.pointer === "string" ? entry.pointer : undefined,
        line: typeof entry.line === "number" ? entry.line : null,
        column: typeof entry.column === "number" ? entry.column : null,
      },
    ];
  });
}

/** Turns an answer that is not 2xx into an error with a sentence; `body` is its text, JSON or not. */
export function problemFrom(status: number, body: string): ApiError {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    parsed = null;
  }
  const document = isRecord(parsed) ? parsed : {};
  const title = typeof document.title === "string" ? document.title : `HTTP ${status}`;
  const sentence =
    typeof document.detail === "string" && document.detail !== ""
      ? document.detail
      : (FALLBACK[status] ?? `The server answered with status ${status}.`);
  return new ApiError(status, title, sentence, readDetails(document.errors));
}

/** One sentence for any thrown value. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Error && error.message !== "") return error.message;
  return "Something unexpected happened.";
}
