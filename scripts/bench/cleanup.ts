/** What has to be undone however the bench ends: processes, namespaces, directories. Everything here is synchronous. */

const pending = new Set<() => void>();

/** @returns what undoes it now and forgets it. */
export function undoAtEnd(undo: () => void): () => void {
  pending.add(undo);
  return () => {
    if (pending.delete(undo)) undo();
  };
}

/** Newest first. */
export function undoAll(): void {
  for (const undo of [...pending].reverse()) {
    pending.delete(undo);
    try {
      undo();
    } catch (error) {
      console.error(`cleaning up: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
