"""The line about throughput that vLLM logs every ten seconds while there is something to say."""

from __future__ import annotations

import asyncio

from apps.embedded.engine.loop import EngineLoop

INTERVAL_S = 10.0


async def report_forever(loop: EngineLoop) -> None:
    """Log throughput, queue and cache for as long as requests come; silent in idle times."""
    prompt = generated = queries = hits = 0
    was_busy = False
    while True:
        await asyncio.sleep(INTERVAL_S)
        counters, gauges = loop.engine.counters, loop.engine.gauges()
        new_prompt, new_generated = counters.prompt_tokens - prompt, counters.generation_tokens - generated
        new_queries, new_hits = counters.prefix_cache_queries - queries, counters.prefix_cache_hits - hits
        prompt, generated = counters.prompt_tokens, counters.generation_tokens
        queries, hits = counters.prefix_cache_queries, counters.prefix_cache_hits
        busy = bool(new_prompt or new_generated or gauges.running or gauges.waiting)
        if busy or was_busy:
            print(
                f"INFO:     Engine 000: Avg prompt throughput: {new_prompt / INTERVAL_S:.1f} tokens/s, "
                f"Avg generation throughput: {new_generated / INTERVAL_S:.1f} tokens/s, "
                f"Running: {gauges.running} reqs, Waiting: {gauges.waiting} reqs, "
                f"GPU KV cache usage: {gauges.kv_usage * 100:.1f}%, "
                f"Prefix cache hit rate: {new_hits / new_queries * 100 if new_queries else 0.0:.1f}%",
                flush=True,
            )
        was_busy = busy
