/** `peers`: the other members, once or as they change. */
import { P2psyncError } from '../../base/errors.ts';
import type { PeerReport, StatusReport } from '../../http/api.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { showLive } from '../render/live.ts';
import { renderPeers } from '../render/peers.ts';
import { widthOfOutput } from './output.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { agent, json } = invocation;
  if (!invocation.has('watch')) {
    const peers = await agent.peers();
    const { share } = invocation.share();
    await invocation.print(share === undefined ? peers : peers.filter((peer) => peer.share === share));
    if (!json || share !== undefined) {
      const lines = render(invocation, await agent.status(), peers, widthOfOutput(invocation));
      await invocation.say(lines.join('\n'));
    }
    return exitCodes.done;
  }
  if (json) throw new P2psyncError('usage', '--watch does not go with --json, which is one document');
  await showLive(invocation, async (width) => {
    const [status, peers] = await Promise.all([agent.status(), agent.peers()]);
    return render(invocation, status, peers, width);
  });
  return exitCodes.done;
}

function render(
  invocation: Invocation,
  status: StatusReport,
  peers: readonly PeerReport[],
  width: number,
): readonly string[] {
  const { share } = invocation.share();
  const shares =
    share === undefined
      ? status.shares
      : status.shares.filter(({ name, id }) => name === share || id === share);
  if (share !== undefined && shares.length === 0) {
    throw new P2psyncError('not-found', `there is no share ${share} here; p2psync status lists them`);
  }
  return renderPeers(shares, peers, { width, color: invocation.color, nowMs: Date.now() });
}
