import type { Test } from 'tap'
import type { BrokerNode } from '../../scripts/broker/index.mjs'
import type { Broker, PublishResult } from '../../src/streams/index.ts'
import { batchOf, numbered, openBroker } from './streams.ts'

/** What clients were told: every message has one of the three outcomes. */
export interface Ledger { lastError?: unknown, confirmed: Set<string>, unknown: Set<string>, failed: Set<string> }

export function gatewayFor (t: Test, nodes: readonly BrokerNode[]): Broker {
  const [first] = nodes
  return openBroker(t, {
    hosts: nodes.map(({ streamPort }) => ({ host: '127.0.0.1', port: streamPort })),
    management: { url: `http://127.0.0.1:${first?.managementPort ?? 0}`, username: 'guest', password: 'guest' },
    confirmTimeoutMs: 30_000
  })
}

function record (ledger: Ledger, bodies: readonly string[], result: PublishResult): void {
  const failures = new Map(result.failures.map(({ index, status }) => [index, status]))
  bodies.forEach((body, index) => { ledger[failures.get(index) ?? 'confirmed'].add(body) })
}

/** Publishes one small batch after the other until told to stop; the caller sees the ledger grow. */
export function publishUntil (broker: Broker, stream: string, ledger: Ledger, stop: AbortSignal, publisher?: string): Promise<void> {
  return (async () => {
    for (let round = 0; !stop.aborted && round < 100_000; round++) {
      const bodies = numbered(20, round * 20).map((body) => `${publisher ?? 'unnamed'} ${body}`)
      // A named publisher repeats a request until it is sure, with the same ids: that is what the name is for.
      for (let isSure = false; !isSure;) {
        try {
          const result = await broker.publish(stream, batchOf(bodies, publisher === undefined ? undefined : round * 20 + 1), { ...(publisher !== undefined && { publisher }) })
          isSure = publisher === undefined || result.failures.length === 0
          if (isSure) record(ledger, bodies, result)
          ledger.lastError = result.failures[0]?.error
        } catch (error) {
          if (!(error instanceof Error && 'retryable' in error && error.retryable === true)) throw error
          ledger.lastError = error
          await new Promise((resolve) => setTimeout(resolve, 20))
          isSure = publisher === undefined
          if (isSure) for (const body of bodies) ledger.failed.add(body)
        }
      }
    }
  })()
}

export function newLedger (): Ledger {
  return { confirmed: new Set(), unknown: new Set(), failed: new Set() }
}

export async function untilUp (broker: Broker): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if ((await broker.status()).state === 'up') return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the broker did not come up again')
}

/** Waits until so many more messages are confirmed; fails when publishing has ended, or stands still for a minute. */
export async function untilConfirmed (ledger: Ledger, count: number, publishing: ReadonlyArray<Promise<void>>): Promise<void> {
  const goal = ledger.confirmed.size + count
  const deadline = performance.now() + 60_000
  const ended = Promise.all(publishing).then(() => { throw new Error('publishing has ended') })
  while (ledger.confirmed.size < goal) {
    if (performance.now() > deadline) throw new Error(`publishing stands still at ${ledger.confirmed.size} confirmed messages`, { cause: ledger.lastError })
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5))])
  }
  ended.catch(() => {})
}

/** Compares what is in the stream with what clients were told. */
export function check (t: Test, stored: readonly string[], ledger: Ledger, isNamed: boolean): void {
  const counts = new Map<string, number>()
  for (const body of stored) counts.set(body, (counts.get(body) ?? 0) + 1)
  const lost = [...ledger.confirmed].filter((body) => !counts.has(body))
  const wronglyFailed = [...ledger.failed].filter((body) => counts.has(body))
  const repeated = [...counts].filter(([, count]) => count > 1)
  t.comment(`${ledger.confirmed.size} confirmed, ${ledger.unknown.size} unknown, ${ledger.failed.size} failed, ${counts.size} stored, ${repeated.length} repeated`)
  t.ok(ledger.confirmed.size > 0)
  t.same(lost, [], 'no confirmed message is lost')
  t.same(wronglyFailed, [], 'nothing that was said not to be stored is stored')
  t.same(repeated, [], isNamed ? 'with a publisher name nothing comes twice' : 'nothing is sent again on its own')
}
