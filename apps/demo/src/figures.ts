/** Numbers as a person reads them: grouped, with their unit, no more digits than were measured. */

const GROUPED = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function count(value: number): string {
  return GROUPED.format(value);
}

export function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
}

export function seconds(ms: number): string {
  return ms < 1_000 ? milliseconds(ms) : `${(ms / 1_000).toFixed(1)} s`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** How many a second, of `value` in `ms`. */
export function rate(value: number, ms: number): string {
  return ms > 0 ? count((value * 1_000) / ms) : "–";
}
