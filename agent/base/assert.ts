/** Assertions: a failed one is a bug in this program, never bad input and never the world. */

export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

/** @throws {AssertionFailed} when the fact does not hold. */
export function assert(fact: unknown, what: string): asserts fact {
  if (!fact) throw new AssertionFailed(what);
}

/** For the default branch of an exhaustive switch. @throws {AssertionFailed} always. */
export function unreachable(value: never): never {
  throw new AssertionFailed(`a case nobody handles: ${JSON.stringify(value)}`);
}
