/**
 * A backend in memory that survives its process wholly, and a power cut as far as its last sync: what came after it is
 * there up to some batch, and lost from there on. Each life has an adapter of its own, which never answers again once
 * that life is over.
 *
 *     batch 1 ─ batch 2 ─ sync ─ batch 3 ─ batch 4        a power cut leaves 2, 3 or 4
 */

import type {
  Adapter,
  AdapterContext,
  AdapterState,
  Capabilities,
  Mutation,
  StoredRecord,
  WriteResult,
} from "@leakdb/core/adapter";
import { ReferenceBackend, referenceAdapter, type SeededRandom } from "@leakdb/testkit";

interface Image {
  readonly records: ReadonlyMap<string, StoredRecord>;
  readonly highVersion: number;
}

export interface MortalOptions {
  readonly lanesMax: number;
  /** `sync` is a promise of its own; else each batch is on the disk. */
  readonly isSyncedApart: boolean;
}

export class MortalBackend {
  readonly state = new ReferenceBackend();
  readonly #isSyncedApart: boolean;
  readonly #capabilities: Partial<Capabilities>;
  /** What was stored since the last sync; the first is what is on the disk. */
  #images: Image[] = [];
  /** The number of the first image. */
  #synced = 0;

  constructor({ lanesMax, isSyncedApart }: MortalOptions) {
    this.#isSyncedApart = isSyncedApart;
    this.#capabilities = { lanesMax, levels: isSyncedApart ? ["stored", "synced"] : ["stored"] };
    this.stored();
  }

  /** Everything stored is on the disk. */
  get isSynced(): boolean {
    return this.#images.length === 1;
  }

  get lastImage(): number {
    return this.#synced + this.#images.length - 1;
  }

  adapter(): MortalAdapter {
    const inner = referenceAdapter({ backend: this.state, capabilities: this.#capabilities });
    return new MortalAdapter(this, inner);
  }

  stored(): void {
    const { records, highVersion } = this.state;
    this.#images.push({ records: new Map(records), highVersion });
    if (!this.#isSyncedApart) this.synced(this.lastImage);
  }

  synced(image: number): void {
    this.#images.splice(0, image - this.#synced);
    this.#synced = Math.max(this.#synced, image);
  }

  kill(): void {
    this.state.owner = undefined;
  }

  cut(random: SeededRandom): void {
    this.kill();
    const left = random.pick(this.#images);
    for (const key of [...this.state.records.keys()]) this.state.remove(key);
    for (const record of left.records.values()) this.state.put(record);
    this.state.highVersion = left.highVersion;
    this.#images = [left];
  }
}

export class MortalAdapter implements Adapter {
  readonly name = "mortal";
  readonly capabilities: Capabilities;
  readonly #backend: MortalBackend;
  readonly #inner: Adapter;
  #isDead = false;
  #closes = 0;

  constructor(backend: MortalBackend, inner: Adapter) {
    this.#backend = backend;
    this.#inner = inner;
    this.capabilities = inner.capabilities;
  }

  /** Its process is no more. */
  end(): void {
    this.#isDead = true;
  }

  open(context: AdapterContext): Promise<AdapterState> {
    return this.#living(() => this.#inner.open(context));
  }

  async write(batch: readonly Mutation[], options: { readonly signal: AbortSignal }): Promise<WriteResult> {
    const closes = this.#closes;
    const result = await this.#living(async () => {
      // The inner one would take it, were it open again by now.
      if (closes !== this.#closes) throw new Error("closed meanwhile");
      const answer = await this.#inner.write(batch, options);
      this.#backend.stored();
      return answer;
    });
    return this.#living(async () => result);
  }

  load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return this.#living(() => this.#inner.load(keys));
  }

  async *scan(range: {
    readonly prefix?: string;
    readonly after?: string;
  }): AsyncIterable<readonly StoredRecord[]> {
    for await (const page of this.#inner.scan(range)) yield await this.#living(async () => page);
  }

  async sync(): Promise<void> {
    const image = this.#backend.lastImage;
    await this.#living(() => this.#inner.sync());
    await this.#living(async () => this.#backend.synced(image));
  }

  close(): Promise<void> {
    this.#closes += 1;
    return this.#living(() => this.#inner.close());
  }

  async #living<T>(work: () => Promise<T>): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#isDead) return new Promise(() => undefined);
    return work();
  }
}
