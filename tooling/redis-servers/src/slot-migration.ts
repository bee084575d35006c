/**
 * A slot on its way from one master to another, step by step, so that a test can hold it at each:
 *
 *     begin ─▶ between the two ──moveKeys──▶ … ─▶ finish: the other one owns it
 *                     └──────── abandon ────────▶ the first one keeps it
 */

import type { OwnServer } from "./own-server.js";
import type { RedisServer } from "./redis-server.js";

const KEYS_AT_ONCE = 100;
const MIGRATE_TIMEOUT_MS = 5_000;

export class SlotMigration {
  readonly slot: number;
  readonly from: RedisServer;
  readonly to: RedisServer;
  readonly #administrator: OwnServer["administrator"];
  readonly #toId: string;
  readonly #masters: readonly RedisServer[];
  readonly #untilStable: () => Promise<void>;

  private constructor(
    slot: number,
    from: RedisServer,
    to: OwnServer,
    toId: string,
    masters: readonly RedisServer[],
    untilStable: () => Promise<void>,
  ) {
    this.slot = slot;
    this.from = from;
    this.to = to;
    this.#administrator = to.administrator;
    this.#toId = toId;
    this.#masters = masters;
    this.#untilStable = untilStable;
  }

  /** @throws the server's error, where `from` does not own the slot or `to` does. */
  static async begin(
    slot: number,
    from: RedisServer,
    to: OwnServer,
    masters: readonly RedisServer[],
    untilStable: () => Promise<void>,
  ): Promise<SlotMigration> {
    const fromId = String(await from.command("CLUSTER", "MYID"));
    const toId = String(await to.command("CLUSTER", "MYID"));
    // In this order, since nobody may be sent on to a node that does not expect it yet.
    await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId);
    await from.command("CLUSTER", "SETSLOT", slot, "MIGRATING", toId);
    return new SlotMigration(slot, from, to, toId, masters, untilStable);
  }

  /** Moves at most `countMax` keys, default all that are there now. Resolves with how many it moved. */
  async moveKeys(countMax = Number.POSITIVE_INFINITY): Promise<number> {
    let moved = 0;
    while (moved < countMax) {
      const count = Math.min(KEYS_AT_ONCE, countMax - moved);
      const keys = (await this.from.command("CLUSTER", "GETKEYSINSLOT", this.slot, count)) as string[];
      if (keys.length === 0) break;
      await this.moveTheseKeys(keys);
      moved += keys.length;
    }
    return moved;
  }

  /** Moves these keys, each of which must be of the slot. */
  async moveTheseKeys(keys: readonly string[]): Promise<void> {
    const { username, password } = this.#administrator;
    const { host, port } = this.to;
    const where = [host, port, "", 0, MIGRATE_TIMEOUT_MS] as const;
    await this.from.command("MIGRATE", ...where, "AUTH2", username, password, "KEYS", ...keys);
  }

  /** Moves what is left and gives the slot to its new owner. Resolves when all nodes agree. */
  async finish(): Promise<void> {
    await this.moveKeys();
    // The new owner first: the old one, told first, would send clients to one that sends them back.
    const rest = this.#masters.filter((master) => master !== this.to);
    for (const master of [this.to, ...rest]) {
      await master.command("CLUSTER", "SETSLOT", this.slot, "NODE", this.#toId);
    }
    await this.#untilStable();
  }

  /** Leaves the slot with its owner. Keys that were moved stay where they are, unseen: move none before. */
  async abandon(): Promise<void> {
    for (const master of [this.from, this.to]) {
      await master.command("CLUSTER", "SETSLOT", this.slot, "STABLE");
    }
  }
}
