/** What syslog calls its facilities and severities, and their numbers. Pure. */

/** Of syslog(3), most urgent first. */
export type Severity = 'error' | 'warning' | 'notice' | 'info' | 'debug';

export const severities: Readonly<Record<Severity, number>> = {
  error: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
};

/** RFC 5424, 6.2.1; the names are those that syslog.conf, rsyncd.conf and logger know. */
export const facilities: ReadonlyMap<string, number> = new Map([
  ...[
    'kern',
    'user',
    'mail',
    'daemon',
    'auth',
    'syslog',
    'lpr',
    'news',
    'uucp',
    'cron',
    'authpriv',
    'ftp',
  ].map((name, code) => [name, code] as const),
  // The old name of auth, which rsyncd.conf may have.
  ['security', 4],
  ...Array.from({ length: 8 }, (_, at) => [`local${at}`, 16 + at] as const),
]);
