/** A source and replicas that are equal and left alone: what `memory` and `idle` look at. */
import { type Lab, withLab } from '../lab.ts';
import { masterTree } from '../master.ts';
import type { Bench } from '../scenario.ts';
import { grouped } from '../table.ts';
import { makeFiles } from '../trees.ts';

type Options = {
  readonly scenario: string;
  readonly destinations: number;
  readonly files: number;
  /** Called for each contender, when it is at rest. */
  readonly look: (lab: Lab, subject: string) => Promise<void>;
};

export async function atRest(bench: Bench, { scenario, destinations, files, look }: Options): Promise<void> {
  const master = masterTree(bench, `${files}-files`, (top) => makeFiles(top, files));
  const network = { kind: 'loopback' } as const;
  for (const contender of bench.contenders) {
    bench.say(`${scenario}: ${contender.name}, ${grouped(files)} files`);
    await withLab(bench, scenario, contender, { destinations, network }, async (lab) => {
      lab.fill(master, 'everywhere');
      const session = await lab.prepare();
      await session.startDestinations();
      session.startSource();
      await lab.ready(session);
      await lab.rest();
      await look(lab, `${grouped(files)} files`);
      await lab.judge(scenario);
    });
  }
}
