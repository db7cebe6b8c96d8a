/** What the pool's pages show by default. */

import type { Range } from "../../lib/timeRange";

export const POOL_RANGE: Range = "15m";
