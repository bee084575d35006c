/**
 * Draining at the end of the process, opt-in: Node runs no exit hook on a signal that could wait for a backend.
 */

import { asError } from "../thrown.js";
import { checkOptions, SIGNAL_OPTIONS } from "./call-options.js";

export interface CloseOnSignalOptions {
  /** Default `["SIGTERM", "SIGINT"]`. */
  signals?: readonly NodeJS.Signals[] | undefined;
  /** Milliseconds for draining, as of `close`. */
  timeout?: number | undefined;
  /** Called after the close and before the signal ends the process; awaited. `error` is that of an incomplete close. */
  onClosed?: ((error: unknown) => void | Promise<void>) | undefined;
}

/** Anything that closes: a storage, or several behind one object. */
export interface Closable {
  close(options?: { timeout?: number | undefined }): Promise<void>;
}

/**
 * Closes the storage at the first of the signals, then lets the signal end the process as it would have. A close
 * that is incomplete is a process warning. Returns what takes the listeners back.
 */
export function closeOnSignal(storage: Closable, options: CloseOnSignalOptions = {}): () => void {
  checkOptions(options, SIGNAL_OPTIONS);
  if (typeof storage?.close !== "function")
    throw new TypeError("closeOnSignal takes a storage, or another object with a close method");
  const { signals = ["SIGTERM", "SIGINT"], timeout, onClosed } = options;
  const remove = (): void => {
    for (const signal of signals) process.off(signal, onSignal);
  };
  const warn = (error: unknown): void => process.emitWarning(asError(error));
  let isClosing = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isClosing) return;
    isClosing = true;
    void closeAndEnd(signal);
  };
  const closeAndEnd = async (signal: NodeJS.Signals): Promise<void> => {
    let failure: unknown;
    try {
      await storage.close({ timeout });
    } catch (error) {
      failure = error;
      warn(error);
    }
    try {
      await onClosed?.(failure);
    } catch (error) {
      warn(error);
    }
    // A warning is written in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    remove();
    process.kill(process.pid, signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return remove;
}
