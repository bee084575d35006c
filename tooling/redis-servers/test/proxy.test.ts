import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startProxy, type TcpProxy, until } from "../src/index.js";

/** Answers each line with the same in capitals, and notes what it got. */
class Echo {
  readonly sockets: Socket[] = [];
  received = "";
  ends = 0;
  readonly #server: Server = createServer((socket) => {
    this.sockets.push(socket);
    socket.on("data", (chunk) => {
      this.received += String(chunk);
      socket.write(String(chunk).toUpperCase());
    });
    socket.on("end", () => this.ends++);
    socket.on("error", () => {});
  });

  async start(): Promise<number> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return (this.#server.address() as { port: number }).port;
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }
}

/** Notes what it got, and how its connection ended. */
class Client {
  received = "";
  end: string | undefined;
  readonly socket: Socket;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (chunk) => {
      this.received += String(chunk);
    });
    this.socket.on("end", () => {
      this.end ??= "end";
    });
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.end ??= error.code;
    });
  }

  gets(text: string): Promise<boolean> {
    return until(async () => this.received === text, { what: `"${text}", not "${this.received}"` });
  }

  endsBy(end: string): Promise<boolean> {
    return until(async () => this.end === end, { what: `the end by ${end}, not ${this.end}` });
  }
}

let echo: Echo;
let proxy: TcpProxy;
let clients: Client[];

function client(): Client {
  const made = new Client(proxy.port);
  clients.push(made);
  return made;
}

async function connected(): Promise<Client> {
  const made = client();
  made.socket.write("hi ");
  await made.gets("HI ");
  return made;
}

beforeEach(async () => {
  echo = new Echo();
  clients = [];
  proxy = await startProxy(await echo.start());
});
afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  await proxy.stop();
  echo.stop();
});

describe("a proxy", () => {
  test("passes bytes and ends, and counts", async () => {
    const a = await connected();
    expect(proxy.counts).toEqual({ accepted: 1, open: 1, requestBytes: 3, replyBytes: 3, droppedBytes: 0 });
    a.socket.end();
    await a.endsBy("end");
    await until(async () => proxy.counts.open === 0, { what: "the connection to be gone" });
    expect(echo.ends).toBe(1);
  });

  test("passes a megabyte whole, to a reader that rests", async () => {
    const a = await connected();
    a.socket.pause();
    a.socket.write("x".repeat(1 << 20));
    await until(async () => proxy.counts.requestBytes > 1 << 16, { what: "some of it to pass" });
    a.socket.resume();
    await a.gets(`HI ${"X".repeat(1 << 20)}`);
  });

  test("delays, and keeps the order when the delay ends", async () => {
    const a = await connected();
    proxy.delay(120, "replies");
    const before = performance.now();
    a.socket.write("a");
    await until(async () => echo.received === "hi a", { what: "the request" });
    proxy.delay(0);
    a.socket.write("b");
    await a.gets("HI AB");
    expect(performance.now() - before).toBeGreaterThan(110);
  });

  test("refuses new connections alone, and admits them again on the same port", async () => {
    const a = await connected();
    await proxy.refuse();
    await client().endsBy("ECONNREFUSED");
    a.socket.write("x");
    await a.gets("HI X");
    await proxy.admit();
    await connected();
  });

  test("resets the client where there is no server", async () => {
    await using lonely = await startProxy(1);
    const a = new Client(lonely.port);
    await a.endsBy("ECONNRESET");
  });
});

describe("on command, a proxy", () => {
  test.each(["requests", "replies"] as const)("drops %s, until it is healed", async (way) => {
    const a = await connected();
    proxy.drop(way);
    a.socket.write("lost ");
    const b = client();
    b.socket.write("lost ");
    await until(async () => proxy.counts.droppedBytes === 10, { what: "both to be thrown away" });
    expect(echo.received).toBe(way === "requests" ? "hi " : "hi lost lost ");
    proxy.heal();
    a.socket.write("x");
    b.socket.write("y");
    await a.gets("HI X");
    await b.gets("Y");
  });

  test("freezes without loss", async () => {
    const a = await connected();
    proxy.freeze();
    a.socket.write("kept ");
    const b = client();
    b.socket.write("kept ");
    await once(b.socket, "connect");
    expect(echo.received).toBe("hi ");
    proxy.heal();
    await a.gets("HI KEPT ");
    await b.gets("KEPT ");
  });

  test.each([
    ["reset", "ECONNRESET"],
    ["end", "end"],
  ] as const)("cuts by %s, on both sides", async (how, end) => {
    const a = await connected();
    proxy.cut(how);
    await a.endsBy(end);
    await until(async () => echo.ends === 1, { what: "the server to see it" });
    await connected();
  });

  test("leaves a connection half-open, and no other", async () => {
    const a = await connected();
    proxy.halfOpen();
    a.socket.write("lost");
    echo.sockets[0]!.end("lost");
    const b = await connected();
    b.socket.write("x");
    await b.gets("HI X");
    expect([a.received, a.end, echo.received]).toEqual(["HI ", undefined, "hi hi x"]);
    a.socket.end();
    b.socket.write("y");
    await b.gets("HI XY");
    expect(echo.ends).toBe(0);
  });
});

describe("at an armed place, a proxy", () => {
  test("cuts after some bytes of a request, which the server still gets", async () => {
    const a = await connected();
    const cut = proxy.arm({ on: "requests", bytes: 4, effect: "reset" });
    a.socket.write("abcdef");
    await cut;
    await a.endsBy("ECONNRESET");
    await until(async () => echo.ends === 1, { what: "the server to see it" });
    expect([echo.received, a.received]).toEqual(["hi abcd", "HI "]);
  });

  test("cuts before a marker", async () => {
    const a = await connected();
    const cut = proxy.arm({ on: "requests", marker: "set", side: "before", effect: "end" });
    a.socket.write("get set ");
    await cut;
    await a.endsBy("end");
    await until(async () => echo.ends === 1, { what: "the server to see it" });
    expect(echo.received).toBe("hi get ");
  });

  test("loses the reply of what was applied", async () => {
    const a = await connected();
    const b = await connected();
    const lost = proxy.arm({ on: "requests", marker: "incr", effect: "drop-replies" });
    a.socket.write("incr");
    await lost;
    b.socket.write("get");
    await b.gets("HI GET");
    await until(async () => echo.received.includes("incr"), { what: "the request" });
    expect(a.received).toBe("HI ");
    proxy.heal();
    a.socket.write("x");
    await a.gets("HI X");
  });

  test("swallows replies after some bytes", async () => {
    const a = await connected();
    const lost = proxy.arm({ on: "replies", bytes: 2, effect: "drop-replies" });
    a.socket.write("abcd");
    await lost;
    await a.gets("HI AB");
  });

  test("freezes in the middle of a request, and loses none of it", async () => {
    const a = await connected();
    const frozen = proxy.arm({ on: "requests", bytes: 2, effect: "freeze" });
    a.socket.write("abcd");
    await frozen;
    await until(async () => echo.received === "hi ab", { what: "the first half" });
    proxy.heal();
    await a.gets("HI ABCD");
  });

  test("does it once, to the connection that comes there first, and one way at a time", async () => {
    const a = await connected();
    const b = await connected();
    const cut = proxy.arm({ on: "replies", bytes: 0, effect: "reset" });
    expect(() => proxy.arm({ on: "replies", bytes: 1, effect: "reset" })).toThrow("armed");
    b.socket.write("x");
    await cut;
    await b.endsBy("ECONNRESET");
    a.socket.write("y");
    await a.gets("HI Y");
    await connected();
  });
});
