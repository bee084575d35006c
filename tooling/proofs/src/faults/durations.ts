/** The defaults that tests wait for, in milliseconds of the manual clock. */

/** `flushTimeout`. */
export const FLUSH_TIMEOUT_MS = 60_000;
/** `writeTimeout`. */
export const WRITE_TIMEOUT_MS = 30_000;
/** `openTimeout`. */
export const OPEN_TIMEOUT_MS = 60_000;
/** `writeDelay`. */
export const WRITE_DELAY_MS = 100;
/** The longest pause between two tries of a backend that is down: `retry.maxBackoff`. */
export const BACKOFF_MAX_MS = 30_000;
