/** What a scenario is and what it is given. */
import type { Contender } from './contender.ts';
import type { Options } from './options.ts';
import type { Recorder } from './results.ts';

export type Bench = {
  readonly options: Options;
  /** Those that are asked for and installed. */
  readonly contenders: readonly Contender[];
  readonly recorder: Recorder;
  /** A directory of ours. */
  readonly workspace: string;
  /** A line for the person who waits. */
  say(text: string): void;
};

export type Scenario = {
  readonly name: string;
  readonly summary: string;
  run(bench: Bench): Promise<void>;
};
