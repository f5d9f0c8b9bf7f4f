import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Test } from 'tap'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'

export interface Ran { code: unknown, stdout: string, stderr: string }

const RUN_TIMEOUT_MS = 300_000

/** Runs a program to its end, in the folder of this process or another one. Rejects when there is no such program. */
export async function run (
  command: string, args: readonly string[], env: Record<string, string>, cwd?: string
): Promise<Ran> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN_TIMEOUT_MS
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => { stdout += chunk.toString() })
  child.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString() })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

/**
 * Starts the gateway as people do, as a process of its own, and waits until it is ready. Its streams are called
 * differently on the broker, so that the names of the documentation are free, and are deleted with the test.
 *
 * @param env further settings
 * @returns its URL
 */
export async function startGatewayProcess (t: Test, env: Record<string, string> = {}): Promise<string> {
  const gateway = await GatewayProcess.start({
    env: {
      RABBITMQ_STREAM_URL: testStreamUrl(),
      RABBITMQ_MANAGEMENT_URL: testManagementUrl(),
      STREAM_NAME_PATTERN: `docs-${randomUUID()}-{name}`,
      ...env
    }
  })
  t.teardown(async () => { await gateway.end() })
  const ready = await fetch(`${gateway.url}/health/ready`)
  if (!ready.ok) throw new Error(`the gateway is not ready: ${await ready.text()}`)
  t.teardown(async () => { await deleteStreams(gateway.url) })
  return gateway.url
}

async function deleteStreams (url: string): Promise<void> {
  const { streams } = await getJson(`${url}/v1/streams?limit=1000`)
  for (const stream of streams) await fetch(`${url}/v1/streams/${encodeURIComponent(stream)}`, { method: 'DELETE' })
}

/** The JSON of an answer, whatever it is: the caller's assertions say what it has to be. */
export async function getJson (url: string): Promise<ReturnType<typeof JSON.parse>> {
  return JSON.parse(await (await fetch(url)).text())
}
