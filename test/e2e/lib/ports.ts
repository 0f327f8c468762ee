/** Ports on the loopback address that nobody listens on. */
import { createServer } from 'node:net';

let nextPort = 20_000 + (process.pid % 1_000) * 10;

/** A port with a free neighbour (blocks travel on that one), below those the system hands out for connections. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort;
    nextPort = nextPort >= 31_000 ? 20_000 : nextPort + 2;
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
