/**
 * Gives back what glibc keeps of freed memory: between pieces that live long it keeps the pages of all the others. Through
 * Node's foreign functions, where this Node has them; does nothing elsewhere.
 */

/** @returns how to do so; null where there is no glibc, or no way to call it. */
export async function findMallocTrim(): Promise<(() => void) | null> {
  try {
    const { dlopen } = await import('node:ffi');
    const { functions } = dlopen(null, { malloc_trim: { arguments: ['u64'], return: 'i32' } });
    return () => void functions.malloc_trim(0n);
  } catch {
    // An older Node, or another C library: memory stays as it is.
    return null;
  }
}
