/** Starts several servers at once, all or none. */

/**
 * The results of `start`, called `count` times.
 *
 * @throws the first failure, after those that did start were stopped.
 */
export async function startAll<T extends { stop(): Promise<void> }>(
  count: number,
  start: () => Promise<T>,
): Promise<T[]> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, start));
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  const started = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  if (failure === undefined) return started;
  await Promise.all(started.map((server) => server.stop()));
  throw failure.reason;
}
