/**
 * What core promises an adapter, checked call by call: the other half of the contract, beside the conformance suite.
 * A `RecordingAdapter` feeds it; tests of core expect `broken` to be empty.
 *
 * Checked:
 * - Nothing but `open` and `close` is called while the adapter is not open.
 * - At most `lanesMax` writes are under way, and no two touch the same key (I2); a clear touches what it would remove.
 * - A batch keeps the limits told at opening, and repeats a key only behind a clear, in rising version order.
 * - Once a version of a key is acknowledged, no older one is sent (I1); a clear counts for the keys it covers.
 * - A put that is sent again has the same bytes.
 * - Keys of an ambiguous write are sent again only after a close and an opening.
 */

import {
  type AdapterContext,
  type Capabilities,
  failureKind,
  type Mutation,
  type WriteResult,
} from "@leakdb/core/adapter";

type Limits = AdapterContext["limits"];
type Clear = Extract<Mutation, { type: "clear" }>;
type KeyedMutation = Exclude<Mutation, Clear>;

interface SentPut {
  readonly version: number;
  readonly value: Uint8Array;
  readonly expiresAt: number;
}

export class PromisesOfCore {
  /** One readable line for each promise broken so far. */
  readonly broken: string[] = [];
  #isOpen = false;
  #limits: Limits = { batchMax: Number.POSITIVE_INFINITY, batchBytesMax: Number.POSITIVE_INFINITY };
  readonly #underWay = new Map<number, readonly Mutation[]>();
  readonly #ambiguousKeys = new Set<string>();
  readonly #acknowledged = new Map<string, number>();
  readonly #acknowledgedClears = new Map<string, number>();
  readonly #sentPuts = new Map<string, SentPut>();

  opened(limits: Limits): void {
    this.#isOpen = true;
    this.#limits = limits;
  }

  /** Nothing sent earlier can take effect any more, so nothing is under way or ambiguous. */
  closed(): void {
    this.#isOpen = false;
    this.#underWay.clear();
    this.#ambiguousKeys.clear();
  }

  called(id: number, operation: string): void {
    if (!this.#isOpen) this.#break(id, `${operation} was called while the adapter was not open`);
  }

  /** Call before the batch is passed on; it is kept, not copied. */
  writeBegun(id: number, batch: readonly Mutation[], { lanesMax }: Capabilities): void {
    this.called(id, "write");
    if (this.#underWay.size >= lanesMax) this.#break(id, `over ${lanesMax} writes were under way at once`);
    for (const earlier of this.#underWay.values()) this.#checkApart(id, earlier, batch);
    this.#checkSize(id, batch);
    this.#checkOrder(id, batch);
    for (const mutation of batch) if (mutation.type !== "clear") this.#checkMutation(id, mutation);
    this.#underWay.set(id, batch);
  }

  writeAcknowledged(id: number, { rejected = [] }: WriteResult): void {
    const batch = this.#underWay.get(id) ?? [];
    this.#underWay.delete(id);
    const refused = new Set(rejected.map(({ index }) => index));
    for (const [index, mutation] of batch.entries()) {
      if (refused.has(index)) continue;
      const versions = mutation.type === "clear" ? this.#acknowledgedClears : this.#acknowledged;
      const name = mutation.type === "clear" ? mutation.prefix : mutation.key;
      versions.set(name, Math.max(versions.get(name) ?? 0, mutation.version));
    }
  }

  writeFailed(id: number, error: unknown): void {
    const batch = this.#underWay.get(id) ?? [];
    this.#underWay.delete(id);
    if (failureKind(error) !== "ambiguous") return;
    for (const mutation of batch) if (mutation.type !== "clear") this.#ambiguousKeys.add(mutation.key);
  }

  #checkSize(id: number, batch: readonly Mutation[]): void {
    const { batchMax, batchBytesMax } = this.#limits;
    if (batch.length > batchMax) this.#break(id, `${batch.length} mutations, where ${batchMax} are the most`);
    if (batch.length < 2) return;
    const bytes = batch.reduce((sum, one) => sum + (one.type === "put" ? one.value.byteLength : 0), 0);
    if (bytes > batchBytesMax) this.#break(id, `${bytes} bytes, where ${batchBytesMax} are the most`);
  }

  #checkOrder(id: number, batch: readonly Mutation[]): void {
    const seen = new Map<string, number>();
    const clears: Clear[] = [];
    let clearedAt = 0;
    for (const [index, mutation] of batch.entries()) {
      if (mutation.type === "clear") {
        clearedAt = index;
        clears.push(mutation);
        continue;
      }
      const { key, version } = mutation;
      if (clears.some((clear) => clear.version > version && key.startsWith(clear.prefix))) {
        this.#break(id, `${name(mutation)} stands behind a newer clear of it`);
      }
      const earlier = seen.get(key);
      seen.set(key, index);
      if (earlier === undefined) continue;
      if (earlier >= clearedAt) this.#break(id, `${name(mutation)} stands twice without a clear between`);
      if ((batch[earlier]?.version ?? 0) >= version)
        this.#break(id, `${name(mutation)} stands behind a newer one`);
    }
  }

  #checkMutation(id: number, mutation: KeyedMutation): void {
    const { key, version } = mutation;
    if (this.#ambiguousKeys.has(key)) {
      this.#break(
        id,
        `${name(mutation)} was sent before the adapter was reopened after an ambiguous write of it`,
      );
    }
    const acknowledged = this.#acknowledged.get(key) ?? 0;
    if (acknowledged > version) {
      this.#break(id, `${name(mutation)} was sent after version ${acknowledged} was acknowledged`);
    }
    for (const [prefix, cleared] of this.#acknowledgedClears) {
      if (cleared > version && key.startsWith(prefix)) {
        this.#break(id, `${name(mutation)} was sent after a clear at ${cleared} was acknowledged`);
      }
    }
    if (mutation.type === "put") this.#checkSame(id, mutation);
  }

  #checkSame(id: number, put: Extract<Mutation, { type: "put" }>): void {
    const sent = this.#sentPuts.get(put.key);
    if (sent?.version === put.version) {
      const isSame = sent.expiresAt === put.expiresAt && Buffer.compare(sent.value, put.value) === 0;
      if (!isSame) this.#break(id, `${name(put)} was sent again with other bytes or another expiry`);
    }
    const { version, value, expiresAt } = put;
    this.#sentPuts.set(put.key, { version, value, expiresAt });
  }

  /** Two batches under way at once may land in either order, so that neither may depend on it. */
  #checkApart(id: number, earlier: readonly Mutation[], batch: readonly Mutation[]): void {
    const keys = new Set(earlier.flatMap((one) => (one.type === "clear" ? [] : [one.key])));
    for (const mutation of batch) {
      if (mutation.type === "clear") {
        this.#checkClear(id, mutation, earlier);
      } else if (keys.has(mutation.key)) {
        this.#break(id, `${name(mutation)} was sent while another write of its key was under way`);
      }
    }
    for (const mutation of earlier) if (mutation.type === "clear") this.#checkClear(id, mutation, batch);
  }

  #checkClear(id: number, clear: Clear, others: readonly Mutation[]): void {
    for (const other of others) {
      if (other.type === "clear" || other.version > clear.version || !other.key.startsWith(clear.prefix))
        continue;
      this.#break(id, `${name(other)} was under way at once with a clear of it at ${clear.version}`);
    }
  }

  #break(id: number, what: string): void {
    this.broken.push(`call ${id}: ${what}`);
  }
}

function name({ type, key, version }: KeyedMutation): string {
  return `${type} ${JSON.stringify(key)}@${version}`;
}
