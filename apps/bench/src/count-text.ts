/** Counts as labels have them: 1k, 1.5M. Pure. */

export function countText(count: number): string {
  if (count >= 1e6) return `${count / 1e6}M`;
  return count >= 1e3 ? `${count / 1e3}k` : String(count);
}
