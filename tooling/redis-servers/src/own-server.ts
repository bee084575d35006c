/**
 * A server that we started: on a free port of the loopback interface, in a folder of its own below the system's
 * folder for temporary files, under a supervisor that ends it when this process dies.
 */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificates, makeCertificates } from "./certificates.js";
import { type Argument, command, type Endpoint, urlOf } from "./endpoint.js";
import type { ServerProgram } from "./found-server.js";
import { freePort, HOST } from "./free-ports.js";
import type { RedisServer } from "./redis-server.js";
import { type Administrator, type Place, type ServerOptions, serverConfig } from "./server-options.js";
import { SupervisedProcess } from "./supervised-process.js";
import { Unreachable, until } from "./until.js";

const LOG = "server.log";
const CONFIG = "server.conf";
const LOG_TAIL_CHARACTERS = 4_000;
/** Tries with another port, when somebody took the one that was free. */
const PORT_TRIES = 10;
const PORT_TAKEN = /Address already in use|Could not create server TCP listening socket|Failed listening on/;

export interface OwnServerOptions extends ServerOptions {
  /** Shared by servers that talk to each other. Default: made for this one. */
  readonly administrator?: Administrator;
  /** Default: made for this one, where `tls` asks for it. */
  readonly certificates?: Certificates;
  /** Further arguments of the program, such as `--sentinel`. */
  readonly args?: readonly string[];
  /** Whether the server knows the administrator. Default true; a Sentinel has no users. */
  readonly hasAdministrator?: boolean;
  /** In place of the configuration that {@link serverConfig} makes. */
  readonly configText?: (place: Place) => string;
}

export function newAdministrator(): Administrator {
  return { username: "leakdb-administrator", password: randomBytes(16).toString("hex") };
}

export class OwnServer implements RedisServer {
  readonly host = HOST;
  readonly port: number;
  readonly ca: string | undefined;
  readonly whyNotOurs = undefined;
  /** How this package, and servers among each other, are let in. */
  readonly administrator: Administrator;
  readonly folder: string;
  readonly #hasAdministrator: boolean;
  readonly #password: string | undefined;
  readonly #program: ServerProgram;
  readonly #args: readonly string[];
  #process: SupervisedProcess | undefined;

  private constructor(program: ServerProgram, folder: string, port: number, options: OwnServerOptions) {
    this.#program = program;
    this.#args = options.args ?? [];
    this.#password = options.password;
    this.#hasAdministrator = options.hasAdministrator ?? true;
    this.folder = folder;
    this.port = port;
    this.administrator = options.administrator ?? newAdministrator();
    this.ca = options.certificates?.ca;
  }

  /** Resolves when the server answers. @throws Error with the end of its log, where it does not. */
  static async start(program: ServerProgram, options: OwnServerOptions = {}): Promise<OwnServer> {
    const certificates = options.certificates ?? (options.tls === true ? makeCertificates() : undefined);
    const settings = { ...options, ...(certificates === undefined ? {} : { certificates }) };
    for (let tries = 1; ; tries++) {
      const folder = await mkdtemp(join(tmpdir(), "leakdb-redis-"));
      const server = new OwnServer(program, folder, await freePort(), settings);
      try {
        await server.#writeFiles(settings);
        await server.#run();
        return server;
      } catch (error) {
        const isPortTaken = PORT_TAKEN.test(server.logTail());
        await server.stop();
        if (!isPortTaken || tries === PORT_TRIES) throw error;
      }
    }
  }

  get url(): string {
    return urlOf({ host: this.host, port: this.port, password: this.#password, ca: this.ca });
  }

  get pid(): number | undefined {
    return this.#process?.isRunning === true ? this.#process.pid : undefined;
  }

  get endpoint(): Endpoint {
    const { host, port, ca } = this;
    return { host, port, ca, ...(this.#hasAdministrator ? this.administrator : {}) };
  }

  command(name: string, ...args: readonly Argument[]): Promise<unknown> {
    return command(this.endpoint, name, ...args);
  }

  async kill(): Promise<void> {
    await this.#process?.signal("SIGKILL");
  }

  async pause(): Promise<void> {
    await this.#process?.signal("SIGSTOP");
  }

  async resume(): Promise<void> {
    await this.#process?.signal("SIGCONT");
  }

  async restart(): Promise<void> {
    // One that was paused would not hear of its end.
    await this.resume();
    await this.#process?.signal("SIGTERM");
    await this.#run();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  logTail(): string {
    try {
      return readFileSync(join(this.folder, LOG), "utf8").slice(-LOG_TAIL_CHARACTERS);
    } catch {
      return "(there is no log)";
    }
  }

  async #writeFiles(options: OwnServerOptions): Promise<void> {
    const { host, port, folder, administrator } = this;
    const place = { host, port, folder, administrator };
    const text = options.configText?.(place) ?? serverConfig(this.#program, place, options);
    const { ca, certificate, key } = options.certificates ?? {};
    const files = { [CONFIG]: text, "ca.pem": ca, "certificate.pem": certificate, "key.pem": key };
    for (const [name, content] of Object.entries(files)) {
      if (content !== undefined) await writeFile(join(folder, name), content, { mode: 0o600 });
    }
  }

  async #run(): Promise<void> {
    const { folder } = this;
    const started = await SupervisedProcess.start({
      command: [...this.#program.command, join(folder, CONFIG), ...this.#args],
      folder,
      log: join(folder, LOG),
    });
    this.#process = started;
    const isReady = async (): Promise<boolean> => {
      if (!started.isRunning) throw new Unreachable(`a server ended as it started\n${this.logTail()}`);
      return (await this.command("PING")) === "PONG";
    };
    await until(isReady, { what: "a server that answers PING", detail: () => this.logTail() });
  }
}
