/** An adapter's thread that ends in the middle of a transaction. */

import type { Adapter } from "@leakdb/core/adapter";

/**
 * The adapter that `make` makes, for `serveAdapter`, but that its thread ends in the middle of the batch that holds
 * the key `die here`, when it has written some of it.
 */
export function dyingInWrite<Settings>(
  make: (settings: Settings) => Adapter,
): (settings: Settings) => Adapter {
  return (settings) => {
    const adapter = make(settings);
    const write = adapter.write.bind(adapter);
    adapter.write = (batch, options) => {
      const fatal = batch.findIndex((mutation) => mutation.type !== "clear" && mutation.key === "die here");
      // The records are written in the order of their keys: some thousand before this one.
      const last = batch[fatal - 1];
      if (last !== undefined) Object.defineProperty(last, "value", { get: () => process.exit(7) });
      return write(batch, options);
    };
    return adapter;
  };
}
