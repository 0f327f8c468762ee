/** What a command sees of the world it was called from: made of `process` by `main.ts`, of arrays by a test. */

export type Terminal = {
  /** Resolves when the text is taken; rejects where nobody reads any more. */
  write(text: string): Promise<void>;
  /** One or more lines for a person, on standard error. */
  complain(text: string): void;
  /** Shows the question on standard error and gives the line that was typed. */
  ask(question: string): Promise<string>;
  /** Called at each SIGHUP. */
  onHangup(handler: () => void): void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** There is somebody to ask. */
  readonly inIsTerminal: boolean;
  /** Of the terminal now; a person may pull at it. */
  size(): { readonly columns: number; readonly rows: number };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly uid: number;
  readonly userHome: string;
  readonly nodeVersion: string;
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
};
