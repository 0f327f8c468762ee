/** `%VAR%` in the values of `rsyncd.conf`, and the notations of its values. Pure; the environment is an argument. */

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * As rsync expands: a percent sign, a name that begins with a capital letter, a percent sign. What the environment does
 * not hold stays as it is written, and what was put in is not expanded again.
 */
export function expandVariables(text: string, env: Environment): string {
  let expanded = '';
  let at = 0;
  while (at < text.length) {
    const close = /^[A-Z]$/.test(text[at + 1] ?? '') && text[at] === '%' ? text.indexOf('%', at + 1) : -1;
    const name = close < 0 ? '' : text.slice(at + 1, close);
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) {
      expanded += text[at];
      at += 1;
    } else {
      expanded += value;
      at = close + 1;
    }
  }
  return expanded;
}

/** A variable that rsync sets for each connection, such as `%RSYNC_USER_NAME%`, or undefined. */
export function connectionVariable(text: string): string | undefined {
  return /%RSYNC_[A-Z0-9_]+%/.exec(text)?.[0];
}

/** `yes`, `true`, `1`, `no`, `false`, `0`, in any case; null for `unset` and `-1`; undefined for anything else. */
export function readBoolean(text: string): boolean | null | undefined {
  const word = foldName(text);
  if (word === 'yes' || word === 'true' || word === '1') return true;
  if (word === 'no' || word === 'false' || word === '0') return false;
  return word === 'unset' || word === '-1' ? null : undefined;
}

/** As atoi(3): the digits that it begins with, or 0. */
export function readInteger(text: string): number {
  return Number(/^[ \t\v\f\r\n]*([+-]?\d{1,15})/.exec(text)?.[1] ?? 0);
}

/** A name as rsync compares it: without white space, in one case. */
export function foldName(text: string): string {
  return text.replace(/[ \t\v\f\r\n]/g, '').toLowerCase();
}

/** Words as rsync splits its lists: at spaces and commas; at commas alone where the list begins with one. */
export function splitList(text: string): readonly string[] {
  const words = text.trimStart().startsWith(',') ? text.split(',') : text.split(/[ ,\t\r\n]+/);
  return words.map((word) => word.trim()).filter((word) => word !== '');
}
