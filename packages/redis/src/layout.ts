/**
 * Where the records of a store stand among the keys of a server.
 *
 *     on one server          leakdb:cart:42            the mark: leakdb:
 *     in a Cluster           leakdb:{17}cart:42        the marks: leakdb:{0} … leakdb:{255}
 *
 * A Cluster runs a script over keys of one slot alone. So the records stand in partitions, each in a slot of its own by its
 * hash tag, beside a mark that its scripts check. A key prefix that has a hash tag itself keeps the whole store in
 * one slot, under plain names. Keys are never empty, so that no record has the name of a mark.
 */

import calculateSlot from "cluster-key-slot";

/** Enough for balance among some thirty masters, few enough that a batch puts dozens of records into each. */
export const CLUSTER_PARTITIONS = 256;

/** What stands in the first braces, if it is anything, decides on the slot alone. */
const HASH_TAG = /^[^{]*\{[^}]+\}/;
/** With nothing in the first braces no later ones count. */
const NO_HASH_TAGS = /^[^{]*\{\}/;

/** Whether the records of such a store can be kept together, by partition, in a Cluster. */
export function suitsCluster(keyPrefix: string): boolean {
  return !NO_HASH_TAGS.test(keyPrefix);
}

/** What names the mark of the same store's other form, on one server or in a Cluster; `undefined` where both are one. */
export function markOfOtherForm(keyPrefix: string, isCluster: boolean): string | undefined {
  if (HASH_TAG.test(keyPrefix)) return undefined;
  return isCluster ? keyPrefix : `${keyPrefix}{0}`;
}

export class Layout {
  readonly partitions: number;
  readonly #keyPrefix: string;
  /** By partition: what stands before its keys, which is the name of its mark as well. */
  readonly #heads: readonly string[];
  readonly #slots: readonly number[];

  constructor(keyPrefix: string, isCluster: boolean) {
    this.#keyPrefix = keyPrefix;
    this.partitions = isCluster && !HASH_TAG.test(keyPrefix) ? CLUSTER_PARTITIONS : 1;
    this.#heads =
      this.partitions === 1
        ? [keyPrefix]
        : Array.from({ length: this.partitions }, (_, partition) => `${keyPrefix}{${partition}}`);
    this.#slots = this.#heads.map((head) => calculateSlot(head));
  }

  partitionOf(key: string): number {
    return this.partitions === 1 ? 0 : calculateSlot(key) % this.partitions;
  }

  /** The slot of a Cluster in which the partition is. */
  slotOf(partition: number): number {
    return this.#slots[partition] as number;
  }

  /** All slots of a Cluster in which the store is. */
  get slots(): readonly number[] {
    return this.#slots;
  }

  markOf(partition: number): string {
    return this.#heads[partition] as string;
  }

  nameOf(partition: number, key: string): string {
    return (this.#heads[partition] as string) + key;
  }

  /** The key of a record's name; `undefined` for a mark, and for what the pattern took by mistake. */
  keyOf(name: string): string | undefined {
    if (!name.startsWith(this.#keyPrefix)) return undefined;
    const rest = name.slice(this.#keyPrefix.length);
    if (this.partitions === 1) return rest === "" ? undefined : rest;
    const end = rest.indexOf("}") + 1;
    const key = rest.slice(end);
    if (key === "" || end === 0) return undefined;
    return this.nameOf(this.partitionOf(key), key) === name ? key : undefined;
  }

  /** For `SCAN`: every name of a key that starts with `prefix`, and perhaps some others. */
  pattern(prefix: string): string {
    const tag = this.partitions === 1 ? "" : "{*}";
    return `${globEscaped(this.#keyPrefix)}${tag}${globEscaped(prefix)}*`;
  }
}

function globEscaped(text: string): string {
  return text.replace(/[\\*?[\]^]/g, "\\$&");
}
