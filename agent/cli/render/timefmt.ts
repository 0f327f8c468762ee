/** strftime(3) in the C locale, local time. Pure but for the zone of the machine. */
import { timeFormatLocale } from 'd3-time-format';

const locale = timeFormatLocale({
  dateTime: '%a %b %e %H:%M:%S %Y',
  date: '%m/%d/%y',
  time: '%H:%M:%S',
  periods: ['AM', 'PM'],
  days: ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'],
  shortDays: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'],
  months: [
    'January',
    'February',
    'March',
    'April',
    'May',
    'June',
    'July',
    'August',
    'September',
    'October',
    'November',
    'December',
  ],
  shortMonths: ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
});

/** What C knows and the library does not, in what it does know. */
const composed: Readonly<Record<string, string>> = {
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  h: '%b',
  k: '%_H',
  l: '%_I',
  n: '\n',
  r: '%I:%M:%S %p',
  R: '%H:%M',
  t: '\t',
  T: '%H:%M:%S',
};

/** What the library writes as C does, with glibc's flags for padding. */
const same = new Set('aAbBcdegGHIjmMpsSuUVwWxXyY');

/** @param format escapes of strftime(3); an unknown one stays as it is. */
export function formatTimeBy(format: string, timeMs: number): string {
  const date = new Date(timeMs);
  const expanded = format.replace(/%([-_0]?)(.)/gs, (whole, flag: string, letter: string) => {
    if (same.has(letter) || (flag === '' && letter === '%')) return whole;
    if (flag !== '') return `%${whole}`;
    if (letter === 'C') return String(Math.floor(date.getFullYear() / 100)).padStart(2, '0');
    if (letter === 'P') return date.getHours() < 12 ? 'am' : 'pm';
    if (letter === 'z') return zoneOffset(date);
    if (letter === 'Z') return zoneName(date);
    return composed[letter] ?? `%${whole}`;
  });
  return locale.format(expanded)(date);
}

/** `+0200` */
function zoneOffset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const two = (value: number): string => String(value).padStart(2, '0');
  const amount = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(amount / 60))}${two(amount % 60)}`;
}

/** `CEST`, or `GMT+2` where the zone has no short name in English. */
function zoneName(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' }).formatToParts(date);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}
