/** Text on a terminal: how wide it is, how it is shortened and coloured. Pure. */

export type Color = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

const codes: Readonly<Record<Color, string>> = {
  red: '31',
  green: '32',
  yellow: '33',
  cyan: '36',
  dim: '2',
  bold: '1',
};

export function paint(text: string, color: Color | undefined, enabled: boolean): string {
  return enabled && color !== undefined && text !== '' ? `\x1b[${codes[color]}m${text}\x1b[0m` : text;
}

// Made when a text needs it: loading the tables of Unicode takes longer than a whole `status`.
let segmenter: Intl.Segmenter | undefined;
let widePattern: RegExp | undefined;

/** What a reader takes for one character each. */
function graphemesOf(text: string): readonly string[] {
  if (isNarrow(text)) return text.split('');
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return [...segmenter.segment(text)].map(({ segment }) => segment);
}

/** One column for each code unit. */
function isNarrow(text: string): boolean {
  return /^[\x20-\x7e…]*$/.test(text);
}

/** East Asian wide characters and emoji. */
function isWide(grapheme: string): boolean {
  widePattern ??=
    /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]|[\u{20000}-\u{3fffd}])/u;
  return widePattern.test(grapheme);
}

/** Columns that the text takes; it holds no control characters. */
export function widthOf(text: string): number {
  if (isNarrow(text)) return text.length;
  return graphemesOf(text).reduce((width, grapheme) => width + (isWide(grapheme) ? 2 : 1), 0);
}

/** At most `width` columns; what is left out at the end, or at the start, becomes `…`. */
export function shorten(text: string, width: number, side: 'start' | 'end'): string {
  if (widthOf(text) <= width) return text;
  const segments = [...graphemesOf(text)];
  if (side === 'start') segments.reverse();
  const kept: string[] = [];
  let left = width - 1;
  for (const segment of segments) {
    left -= widthOf(segment);
    if (left < 0) break;
    kept.push(segment);
  }
  return side === 'start' ? `…${kept.reverse().join('')}` : `${kept.join('')}…`;
}

export function pad(text: string, width: number, align: 'left' | 'right'): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'left' ? text + blanks : blanks + text;
}

/** `web2` before `web10`; a share's rows stay together. */
export function byName(
  left: { readonly share: string; readonly name: string },
  right: { readonly share: string; readonly name: string },
): number {
  const compare = (one: string, other: string): number =>
    one.localeCompare(other, 'en', { numeric: true, sensitivity: 'variant' });
  return compare(left.share, right.share) || compare(left.name, right.name);
}
