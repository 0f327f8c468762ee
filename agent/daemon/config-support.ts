/** Settings of `config.toml` that are understood but not acted upon: refused, because one that silently does nothing is a lie. Pure. */
import type { RawConfig } from './config-schema.ts';

export type Unsupported = { readonly path: readonly (string | number)[]; readonly what: string };

/** Those that are set to something other than their default, in the order of this table. */
export function unsupportedSettings(config: RawConfig): readonly Unsupported[] {
  const { ready } = config;
  const found: Unsupported[] = [];
  const refuse = (isSet: boolean, path: readonly (string | number)[], what: string): void => {
    if (isSet) found.push({ path, what });
  };
  refuse(ready.agent_check !== null, ['ready', 'agent_check'], '(leave it out)');
  config.share.forEach((share, index) => {
    refuse(share.apply !== 'staged', ['share', index, 'apply'], 'other than "staged"');
    refuse(share.on_applied.length > 0, ['share', index, 'on_applied'], '(leave it out)');
    refuse(share.keep.versions !== 10, ['share', index, 'keep', 'versions'], 'other than 10');
    refuse(share.keep.days !== 7, ['share', index, 'keep', 'days'], 'other than 7');
  });
  return found;
}
