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

const HASH_TAG = /\{[^}]+\}/;

export class Layout {
  readonly partitions: number;
  readonly #keyPrefix: string;
  /** By partition: what stands before its keys, which is the name of its mark as well. */
  readonly #heads: readonly string[];

  constructor(keyPrefix: string, isCluster: boolean) {
    this.#keyPrefix = keyPrefix;
    this.partitions = isCluster && !HASH_TAG.test(keyPrefix) ? CLUSTER_PARTITIONS : 1;
    this.#heads =
      this.partitions === 1
        ? [keyPrefix]
        : Array.from({ length: this.partitions }, (_, partition) => `${keyPrefix}{${partition}}`);
  }

  partitionOf(key: string): number {
    return this.partitions === 1 ? 0 : calculateSlot(key) % this.partitions;
  }

  /** The slot of a Cluster in which the partition is. */
  slotOf(partition: number): number {
    return calculateSlot(this.markOf(partition));
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
