import { expect, test } from "vitest";
import { layoutOf, readClusterView } from "./cluster-view.js";

const VIEW = `
aaa 127.0.0.1:11000@21000 myself,master - 0 1700000000000 1 connected 0-5460 7000 [93->-bbb]
bbb 127.0.0.1:11001@21001,host.name master - 0 1700000000000 2 connected 5461-6999
ccc 127.0.0.1:11002@21002 slave aaa 0 1700000000000 1 connected
ddd 127.0.0.1:11003@21003 master,fail? - 0 1700000000000 3 connected 7001-16383
`;

test("each line is a member, with its slots; those under way stay with their owner", () => {
  const [first, second, third, fourth] = readClusterView(VIEW);
  expect(first).toEqual({
    id: "aaa",
    port: 11_000,
    isMyself: true,
    isMaster: true,
    isFailing: false,
    masterId: undefined,
    slots: [
      [0, 5_460],
      [7_000, 7_000],
    ],
  });
  expect(second).toMatchObject({ port: 11_001, isMyself: false, slots: [[5_461, 6_999]] });
  expect(third).toMatchObject({ isMaster: false, masterId: "aaa", slots: [] });
  expect(fourth).toMatchObject({ isFailing: true });
});

test("two nodes agree whatever the order, and whichever of them speaks", () => {
  const lines = VIEW.trim().split("\n");
  const other = lines.map((line) => line.replace("myself,", "")).reverse();
  expect(layoutOf(readClusterView(other.join("\n")))).toBe(layoutOf(readClusterView(VIEW)));
  expect(layoutOf(readClusterView(lines.slice(1).join("\n")))).not.toBe(layoutOf(readClusterView(VIEW)));
});
