/** Says to the other members how this agent's share stands, when it changes and every now and then. */
import { statementDelayMs, statementIntervalMs, statementPauseMsPerMember } from '../base/limits.ts';
import type { KeyPair } from '../core/keys.ts';
import { type SignedStatement, type Statement, signStatement } from '../core/statement.ts';

export type SpeakerOptions = {
  readonly keyPair: KeyPair;
  readonly statement: () => Omit<Statement, 'timeMs'>;
  readonly members: () => number;
  readonly say: (statement: SignedStatement) => void;
};

export type Speaker = {
  /** Something others want to know may have changed; said soon, where it is so then and the last one is long enough ago. */
  changed(): void;
  /** Our latest, for one who has just come. */
  latest(): SignedStatement;
  stop(): void;
};

export function createSpeaker(options: SpeakerOptions): Speaker {
  // Changes while running.
  let saidMs = Number.NEGATIVE_INFINITY;
  let lastTimeMs = 0;
  let said = '';
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const interval = setInterval(say, statementIntervalMs);
  interval.unref();

  function latest(): SignedStatement {
    // Of two statements the later holds: two within one millisecond must differ.
    lastTimeMs = Math.max(Date.now(), lastTimeMs + 1);
    return signStatement({ ...options.statement(), timeMs: lastTimeMs }, options.keyPair);
  }

  function say(): void {
    clearTimeout(timer);
    timer = undefined;
    saidMs = performance.now();
    said = essence();
    options.say(latest());
  }

  function sayNews(): void {
    timer = undefined;
    if (essence() !== said) say();
  }

  /** Progress alone is no news: it is in the heartbeat's statement. */
  function essence(): string {
    const { applied, state } = options.statement();
    return JSON.stringify([applied, state]);
  }

  return {
    changed() {
      if (isStopped || timer !== undefined) return;
      const dueMs = saidMs + options.members() * statementPauseMsPerMember;
      timer = setTimeout(sayNews, Math.max(statementDelayMs, dueMs - performance.now()));
    },
    latest,
    stop() {
      isStopped = true;
      clearTimeout(timer);
      clearInterval(interval);
    },
  };
}
