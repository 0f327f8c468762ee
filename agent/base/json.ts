/**
 * Reads JSON of files and of whoever sends some. All of it comes through here: the parser of V8 14.6 (Node 26) writes beyond
 * its memory where thousands of arrays are open when the text turns out to be broken (docs/decisions/0142).
 */
import { jsonDepthMax } from './limits.ts';

/** As `JSON.parse`. @throws {SyntaxError} where it is none, also where arrays and objects lie more than `jsonDepthMax` deep. */
export function parseJson(text: string, revive?: (key: string, value: unknown) => unknown): unknown {
  if (depthOf(text) > jsonDepthMax)
    throw new SyntaxError(`arrays and objects lie more than ${jsonDepthMax} deep in each other`);
  return JSON.parse(text, revive);
}

const quote = 0x22;
const backslash = 0x5c;
const [arrayOpens, arrayCloses] = [0x5b, 0x5d];
const [objectOpens, objectCloses] = [0x7b, 0x7d];

/** How many arrays and objects are open at most; what stands in strings does not count. */
function depthOf(text: string): number {
  let depth = 0;
  let most = 0;
  let isString = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (isString) {
      if (unit === backslash) at += 1;
      else if (unit === quote) isString = false;
    } else if (unit === quote) isString = true;
    else if (unit === arrayOpens || unit === objectOpens) {
      depth += 1;
      most = Math.max(most, depth);
    } else if (unit === arrayCloses || unit === objectCloses) depth -= 1;
  }
  return most;
}
