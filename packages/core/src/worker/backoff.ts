/**
 * How long to wait before the next try: exponential, with full jitter on the upper half, so that lanes that failed
 * together do not return together (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export function backoffDelay(
  failures: number,
  backoffMs: number,
  backoffMaxMs: number,
  random = Math.random,
): number {
  const doublings = Math.min(Math.max(failures - 1, 0), 52);
  const fullMs = Math.min(backoffMs * 2 ** doublings, backoffMaxMs);
  return fullMs / 2 + (random() * fullMs) / 2;
}
