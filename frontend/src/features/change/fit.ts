/** Does a model fit an accelerator, and how much context is left for its KV cache. Arithmetic of vLLM's memory, no more. Pure. */

export interface Shape {
  parameters?: number | null;
  layers: number;
  kvHeads: number;
  headDim: number;
  dtype?: string | null;
}

const WIDTHS: Record<string, number> = { float32: 4, bfloat16: 2, float16: 2, fp8: 1, int8: 1 };

/** vLLM's default of --gpu-memory-utilization, and what activations and CUDA graphs take of it (1 GiB and a little). */
const UTILIZATION = 0.92;
const OVERHEAD = 1.5 * 1024 ** 3;

export interface Fit {
  fits: boolean;
  /** Bytes of weights on each accelerator; null where the model's size is not declared. */
  weights: number | null;
  /** Tokens of KV cache of one replica; null where it is not known. */
  tokens: number | null;
  /** Requests of `context` tokens that one replica holds at once. */
  requests: number | null;
}

export function fit(shape: Shape, memory: number, tensor: number, context: number): Fit {
  const width = WIDTHS[shape.dtype ?? "bfloat16"] ?? 2;
  if (shape.parameters == null) return { fits: true, weights: null, tokens: null, requests: null };
  const weights = (shape.parameters * width) / tensor;
  const left = memory * UTILIZATION - OVERHEAD - weights;
  // Keys and values of every layer; heads are shared out, but never split below one a rank.
  const perToken = (2 * shape.layers * Math.max(shape.kvHeads, tensor) * shape.headDim * width) / tensor;
  const tokens = Math.max(0, Math.floor(left / perToken));
  return { fits: tokens >= context, weights, tokens, requests: Math.floor(tokens / context) };
}

export interface Offer {
  accelerator: string;
  tensor: number;
  fit: Fit;
  /** Of one replica; null where no price is listed. */
  costPerHour: number | null;
  currency: string | null;
}

const SIZES = [1, 2, 4, 8];

function price(text: string | null | undefined): { amount: number; currency: string } | null {
  const found = /^([\d.]+) ([A-Z]{3})\/h$/.exec(text ?? "");
  return found === null ? null : { amount: Number(found[1]), currency: found[2] ?? "" };
}

/**
 * For each accelerator the smallest tensor parallelism on which the model fits, the cheapest replica first; those on
 * which it never fits come last, as they are on eight.
 */
export function offers(
  shape: Shape,
  accelerators: readonly { name?: string; memoryBytes?: number; price?: string | null; resource?: string | null }[],
  context: number,
): Offer[] {
  const found = accelerators
    .filter(({ resource, memoryBytes }) => resource != null && memoryBytes !== undefined)
    .map(({ name = "", memoryBytes = 0, price: listed }): Offer => {
      const size = SIZES.find((tensor) => fit(shape, memoryBytes, tensor, context).fits) ?? 8;
      const money = price(listed);
      return {
        accelerator: name,
        tensor: size,
        fit: fit(shape, memoryBytes, size, context),
        costPerHour: money === null ? null : money.amount * size,
        currency: money?.currency ?? null,
      };
    });
  return found.toSorted(
    (a, b) => Number(b.fit.fits) - Number(a.fit.fits) || (a.costPerHour ?? Infinity) - (b.costPerHour ?? Infinity) || a.accelerator.localeCompare(b.accelerator),
  );
}
