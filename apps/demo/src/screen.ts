/**
 * What the demo shows. On a terminal: one line that moves while something is under way, and a little colour.
 * Anywhere else (a pipe, a file, CI): plain lines, with the way marked at each quarter.
 */

/** The part of `process.stdout` that is used. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** A line of a table: what it is, then its columns, then a remark. */
export interface Row {
  readonly label: string;
  readonly cells: readonly string[];
  readonly remark?: string | undefined;
}

const INDENT = "  ";
const BAR_WIDTH = 28;
const REDRAW_MS = 80;
const ERASE_LINE = "\r\x1b[2K";

export class Screen {
  readonly #output: Output;
  readonly #isTerminal: boolean;
  readonly #hasColor: boolean;
  #steps = 0;

  constructor(output: Output, environment: NodeJS.ProcessEnv = {}) {
    this.#output = output;
    this.#isTerminal = output.isTTY === true && environment["TERM"] !== "dumb";
    this.#hasColor = this.#isTerminal && !environment["NO_COLOR"];
  }

  /** A numbered step of the demo, and in a few words what it means. */
  step(title: string, meaning: string): void {
    this.#steps += 1;
    this.#line();
    this.#line(`${this.#paint("36", String(this.#steps))}  ${this.#paint("1", title)}`);
    this.#line(this.#paint("2", `   ${meaning}`));
  }

  title(text: string): void {
    this.#line();
    this.#line(this.#paint("1", text));
  }

  say(text = ""): void {
    this.#line(text === "" ? "" : `   ${text}`);
  }

  aside(text: string): void {
    this.#line(this.#paint("2", `   ${text}`));
  }

  good(text: string): void {
    this.#line(`${this.#paint("32", "✓")}  ${text}`);
  }

  bad(text: string): void {
    this.#line(`${this.#paint("31", "✗")}  ${text}`);
  }

  /** Labels to the left, figures to the right, remarks behind them. The first row is the head. */
  table(rows: readonly Row[]): void {
    const labelWidth = Math.max(...rows.map(({ label }) => label.length));
    const columns = Math.max(...rows.map(({ cells }) => cells.length));
    const widths = Array.from({ length: columns }, (_, column) =>
      Math.max(...rows.map(({ cells }) => (cells[column] ?? "").length)),
    );
    for (const [index, { label, cells, remark = "" }] of rows.entries()) {
      const figures = widths.map((width, column) => (cells[column] ?? "").padStart(width + 3)).join("");
      const line = `   ${label.padEnd(labelWidth)}${figures}`;
      if (index === 0) this.#line(this.#paint("2", line.trimEnd()));
      else this.#line(remark === "" ? line.trimEnd() : `${line}${this.#paint("2", `   ${remark}`)}`);
    }
  }

  /** Names with what they are, a line each. */
  list(items: readonly (readonly [name: string, meaning: string])[]): void {
    const width = Math.max(...items.map(([name]) => name.length));
    for (const [name, meaning] of items)
      this.#line(`   ${name.padEnd(width + 3)}${this.#paint("2", meaning)}`);
  }

  /** Shows how far something has come, until it is ended. */
  progress(): Progress {
    return this.#isTerminal ? new MovingProgress(this.#output) : new PlainProgress((text) => this.say(text));
  }

  #line(text = ""): void {
    this.#output.write(text === "" ? "\n" : `${INDENT}${text}\n`);
  }

  #paint(code: string, text: string): string {
    return this.#hasColor ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

export interface Progress {
  /** `fraction` from 0 to 1; `text` is asked for only when it is going to be shown. */
  update(fraction: number, text: () => string): void;
  end(): void;
}

/** A bar that is drawn over itself and leaves nothing behind. */
class MovingProgress implements Progress {
  readonly #output: Output;
  #drawnAtMs = -Infinity;

  constructor(output: Output) {
    this.#output = output;
  }

  update(fraction: number, text: () => string): void {
    const nowMs = performance.now();
    if (nowMs - this.#drawnAtMs < REDRAW_MS) return;
    this.#drawnAtMs = nowMs;
    const filled = Math.round(Math.min(1, fraction) * BAR_WIDTH);
    const bar = "━".repeat(filled) + "─".repeat(BAR_WIDTH - filled);
    const line = `${INDENT}   ${bar}  ${text()}`;
    // A line longer than the terminal would wrap, and could not be drawn over.
    this.#output.write(ERASE_LINE + line.slice(0, (this.#output.columns ?? 80) - 1));
  }

  end(): void {
    this.#output.write(ERASE_LINE);
  }
}

/** A line at each quarter of the way. */
class PlainProgress implements Progress {
  readonly #say: (text: string) => void;
  #quarter = 0;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  update(fraction: number, text: () => string): void {
    const quarter = Math.min(4, Math.floor(fraction * 4));
    if (quarter <= this.#quarter) return;
    this.#quarter = quarter;
    this.#say(`${String(quarter * 25).padStart(3)} %  ${text()}`);
  }

  end(): void {
    this.#quarter = 4;
  }
}
