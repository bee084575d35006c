import { describe, expect, it } from "vitest";
import { CLUSTER_PARTITIONS, Layout } from "./layout.js";

const KEYS = ["a", "{x}", "{17}a", "}", "", "é😀", "a*b", "__proto__", "\u0000"].filter((key) => key !== "");

describe("on one server", () => {
  const layout = new Layout("leakdb:", false);

  it("each key stands below the mark, under its own name", () => {
    expect(layout.partitions).toBe(1);
    expect(layout.markOf(0)).toBe("leakdb:");
    for (const key of KEYS) {
      expect(layout.partitionOf(key)).toBe(0);
      expect(layout.nameOf(0, key)).toBe(`leakdb:${key}`);
      expect(layout.keyOf(`leakdb:${key}`)).toBe(key);
    }
  });

  it("neither the mark nor what is of others is a key", () => {
    for (const name of ["leakdb:", "leakdb", "other:a", "xleakdb:a"])
      expect(layout.keyOf(name)).toBeUndefined();
  });

  it("a pattern means itself, whatever a server would make of it", () => {
    expect(new Layout("a*[b]?^\\", false).pattern("*")).toBe("a\\*\\[b\\]\\?\\^\\\\\\**");
    expect(layout.pattern("")).toBe("leakdb:*");
  });
});

describe("in a Cluster", () => {
  const layout = new Layout("leakdb:", true);

  it("each key stands beside the mark of its partition, in its slot", () => {
    expect(layout.partitions).toBe(CLUSTER_PARTITIONS);
    for (const key of KEYS) {
      const partition = layout.partitionOf(key);
      const name = layout.nameOf(partition, key);
      expect(name).toBe(`leakdb:{${partition}}${key}`);
      expect(layout.keyOf(name)).toBe(key);
    }
  });

  it("a name in a partition that is not its own is of others", () => {
    const partition = (layout.partitionOf("a") + 1) % CLUSTER_PARTITIONS;
    expect(layout.keyOf(`leakdb:{${partition}}a`)).toBeUndefined();
    for (const name of ["leakdb:{1}", "leakdb:a", "leakdb:{1", "other:{1}a"]) {
      expect(layout.keyOf(name)).toBeUndefined();
    }
  });

  it("partitions are spread over the slots", () => {
    const slots = new Set(Array.from({ length: CLUSTER_PARTITIONS }, (_, each) => layout.slotOf(each)));
    expect(slots.size).toBe(CLUSTER_PARTITIONS);
  });

  it("a prefix with a hash tag keeps the store in one slot, under plain names", () => {
    const own = new Layout("{cart}:", true);
    expect(own.partitions).toBe(1);
    expect(own.nameOf(0, "42")).toBe("{cart}:42");
    expect(new Layout("{}:", true).partitions).toBe(CLUSTER_PARTITIONS);
  });
});
