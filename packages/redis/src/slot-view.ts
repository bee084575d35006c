/**
 * Which master has which slots of the store, as each of them says of itself: what it says of others may be old. Slots
 * that the store is not in may move as they like.
 */

import type { Session } from "./session.js";

export interface SlotView {
  /** Equal when none of the slots has moved, and no other node was promoted. */
  readonly text: string;
  /** A slot is on its way from one node to another. */
  readonly isMoving: boolean;
  /** Each slot is with one of the nodes that were asked. */
  readonly isWhole: boolean;
}

const ONE_SERVER: SlotView = { text: "", isMoving: false, isWhole: true };
/** `0-5460`, `7000`; and `[93->-<id>]` or `[93-<-<id>]` for one that leaves or comes. */
const RANGE = /^(\[?)(\d+)(?:-(\d+))?/;

export async function slotView(session: Session): Promise<SlotView> {
  if (!session.topology.isCluster) return ONE_SERVER;
  const { slots } = session.layout;
  const views = await Promise.all(
    (await session.masters()).map(async (master) => {
      const nodes = String(await master.call("CLUSTER", "NODES")).split("\n");
      return ownView(nodes.find((line) => line.includes("myself")) ?? "", slots);
    }),
  );
  const held = new Set(views.flatMap((view) => view.held));
  return {
    text: views
      .map(({ id, held, moving }) => `${id} ${held} ${moving}`)
      .sort()
      .join("\n"),
    isMoving: views.some(({ moving }) => moving.length > 0),
    isWhole: slots.every((slot) => held.has(slot)),
  };
}

interface OwnView {
  readonly id: string;
  readonly held: readonly number[];
  readonly moving: readonly string[];
}

/** Of `<id> <address> <flags> <master> <ping> <pong> <epoch> <link> <slot> <slot> …`. A replica holds none. */
function ownView(line: string, slots: readonly number[]): OwnView {
  const [id = "", , flags = "", , , , , , ...ranges] = line.split(" ");
  const held = new Set<number>();
  const moving: string[] = [];
  for (const range of flags.includes("master") ? ranges : []) {
    const [, bracket, from, to = from] = RANGE.exec(range) ?? [];
    const within = slots.filter((slot) => Number(from) <= slot && slot <= Number(to));
    if (bracket === "") for (const slot of within) held.add(slot);
    else if (within.length > 0) moving.push(range);
  }
  return { id, held: [...held], moving };
}
