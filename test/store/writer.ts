/** A process that writes batches of 20 records, without end, and says the number of each when it is acknowledged. */
import { writeSync } from 'node:fs';
import { utf8 } from '../../agent/base/bytes.ts';
import { openStore } from '../../agent/store/database.ts';
import { contentOf, edit, fileRecord, share } from './model.ts';

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: writer.ts DIRECTORY');
const index = openStore(directory).share(share);
for (let batch = 0; ; batch += 1) {
  const edits = Array.from({ length: 20 }, (_, row) =>
    edit(`batch${batch}/${row}`, fileRecord(contentOf([`${batch} ${row}`]))),
  );
  await index.write({ index: edits, state: new Map([['last', utf8(String(batch))]]) });
  writeSync(1, `${batch}\n`);
}
