// Starts the built binary in a fresh folder, with handlers of the test's own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

interface Config {
  auth: { quote: { hs256: string } };
  handlers: Record<string, object>;
  notifyKey?: string;
}

export async function startStack(binary: string, change: (config: Config) => void) {
  const dir = await mkdtemp(path.join(tmpdir(), 'vk-pay-server-'));
  // The schedule is what delivers again; once a second is fast enough to wait for.
  const child = spawn(binary, ['--port', '0', '--data-dir', dir, '--schedule', '1'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '', log = '';
  child.stderr.on('data', (bytes) => (log += bytes));
  child.stdout.on('data', (bytes) => (output += bytes));
  for (let waited = 0; !output.includes('Ctrl-C'); waited += 100) {
    if (child.exitCode !== null || waited > 60_000) throw new Error(`not started\n${log}`);
    await new Promise((done) => setTimeout(done, 100));
  }
  const base = output.match(/http:\/\/127\.0\.0\.1:\d+/)?.[0] ?? '';
  const key = output.match(/Bearer (demo-[0-9a-f]+)/)?.[1] ?? '';
  // It reads its document before each request.
  const file = path.join(dir, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Config;
  change(config);
  await writeFile(`${file}.new`, JSON.stringify(config), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return {
    base,
    key,
    quoteSecret: config.auth.quote.hs256,
    /** Pays at the simulated wallet. */
    async pay(number: string) {
      const wallet = `${base}/sandbox/cashier/${number}`;
      const token = (await (await fetch(wallet)).text()).match(/name="_token" value="([0-9a-f]+)"/)?.[1] ?? '';
      const paid = await fetch(wallet, { method: 'POST', body: new URLSearchParams({ _token: token, how: 'pay' }), redirect: 'manual' });
      if (paid.status !== 303) throw new Error(`not paid: ${paid.status}`);
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      await rm(dir, { recursive: true, force: true });
    },
  };
}
