/** What a question to the server tells of itself; the answer of `useQuery` fits. */
export interface Read {
  /** Of the newest try; null where that went well or is still on its way. */
  error: unknown;
  /** When the newest good answer came: milliseconds since 1970 by this computer's clock, 0 before the first. */
  dataUpdatedAt: number;
  refetch: () => unknown;
}
