/** One thing that `doctor` looked at. */

export type Check = {
  /** Short and stable: `inotify-watches`. */
  readonly check: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly message: string;
  /** What to type or to change; null where nothing is to be done. */
  readonly remedy: string | null;
};

export function ok(check: string, message: string): Check {
  return { check, state: 'ok', message, remedy: null };
}

export function warn(check: string, message: string, remedy: string): Check {
  return { check, state: 'warn', message, remedy };
}

export function fail(check: string, message: string, remedy: string): Check {
  return { check, state: 'fail', message, remedy };
}
