/**
 * Yamux, as it comes, answers each frame with a window update: a packet back for every packet, also where a window is
 * nearly empty. Here a stream says so once a good part of the smallest window has been used, as hashicorp/yamux does.
 */
import { StreamState, YamuxStream } from '@libp2p/yamux/stream';
import { windowUpdateBytes } from '../base/limits.ts';

/** Bytes that came since the last update. */
const used = new WeakMap<YamuxStream, number>();
let isDone = false;

/** For every stream of this process from now on. The muxer tells of a stream only when it is too late to change one. */
export function spareWindowUpdates(): void {
  if (isDone) return;
  isDone = true;
  const { handleData, sendWindowUpdate } = YamuxStream.prototype;
  YamuxStream.prototype.handleData = function (frame) {
    used.set(this, (used.get(this) ?? 0) + frame.header.length);
    handleData.call(this, frame);
  };
  YamuxStream.prototype.sendWindowUpdate = function () {
    // In other states it also opens or accepts the stream, or notes that it is paused.
    if (this.state === StreamState.Established && (used.get(this) ?? 0) < windowUpdateBytes) return;
    if (this.state !== StreamState.Paused) used.set(this, 0);
    sendWindowUpdate.call(this);
  };
}
