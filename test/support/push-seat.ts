import type { Test } from 'tap'
import type { Seat } from '../../src/push/ownership/seat.ts'
import { Connection, ResponseError } from '../../src/streams/protocol/index.ts'
import { testAddresses } from './streams.ts'

/** A seat on a connection of its own, which nothing but the test takes away. */
export interface TestSeat extends Seat {
  /** What was stored over it, in order. */
  readonly stores: number[]
  /** Another process has it from now on. */
  lose: () => void
  /** Whether it is held for certain. */
  isCertain: boolean
}

export async function openSeat (t: Test): Promise<TestSeat> {
  const { host, port } = testAddresses()
  const connection = await Connection.open({
    host,
    port,
    authentication: { mechanism: 'PLAIN', username: 'guest', password: 'guest' },
    virtualHost: '/',
    connectionName: 'seat',
    frameMaxBytes: 1024 * 1024,
    heartbeatSeconds: 60,
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    handlers: {
      confirmed () {}, publishFailed () {}, delivered () {}, metadataUpdated () {}, creditRefused () {}, closed () {}
    }
  })
  t.teardown(async () => { await connection.close() })
  const losing = new AbortController()
  const stores: number[] = []
  const seat: TestSeat = {
    lost: losing.signal,
    stores,
    isCertain: true,
    lose: () => { losing.abort(new Error('the seat is lost')) },
    isFresh: () => seat.isCertain && !losing.signal.aborted,
    async store (stream, consumer, offset) {
      losing.signal.throwIfAborted()
      stores.push(offset)
      await connection.storeAndQueryOffset(consumer, stream, BigInt(offset))
    },
    async stored (stream, consumer) {
      try {
        return Number(await connection.queryOffset(consumer, stream))
      } catch (error) {
        if (error instanceof ResponseError) return undefined
        throw error
      }
    }
  }
  return seat
}
