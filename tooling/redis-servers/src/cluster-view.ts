/** What one node of a cluster says of all of them: the answer of `CLUSTER NODES`, read. Pure. */

export interface ClusterMember {
  readonly id: string;
  readonly port: number;
  readonly isMyself: boolean;
  readonly isMaster: boolean;
  /** Held to be down, by this node or by most. */
  readonly isFailing: boolean;
  /** Of a replica, the id of its master. */
  readonly masterId: string | undefined;
  /** First and last slot of each range, in order; those that are migrating stay with their owner. */
  readonly slots: readonly (readonly [first: number, last: number])[];
}

/** A line: `<id> <ip:port@bus,name> <flags> <master> <ping> <pong> <epoch> <link> <slot> <slot-slot> [slot->-id] …`. */
export function readClusterView(text: string): ClusterMember[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [id = "", address = "", flags = "", master = "-", , , , , ...slots] = line.trim().split(" ");
      const names = flags.split(",");
      return {
        id,
        port: Number(/:(\d+)/.exec(address)?.[1]),
        isMyself: names.includes("myself"),
        isMaster: names.includes("master"),
        isFailing: names.some((name) => ["fail", "fail?", "handshake", "noaddr"].includes(name)),
        masterId: master === "-" ? undefined : master,
        slots: slots.filter((range) => !range.startsWith("[")).map(readRange),
      };
    });
}

/** Who owns what and who copies whom, as one text: two nodes agree when theirs are equal. */
export function layoutOf(view: readonly ClusterMember[]): string {
  return view
    .filter(({ isFailing }) => !isFailing)
    .map(({ id, masterId, slots }) => `${id} ${masterId ?? "master"} ${slots.join(" ")}`)
    .sort()
    .join("\n");
}

function readRange(range: string): readonly [number, number] {
  const [first, last] = range.split("-").map(Number);
  return [first!, last ?? first!];
}
