import { setTimeout as sleep } from 'node:timers/promises'
import { listenForPushes, numberOf, type PushRequest } from './push-endpoint.ts'
import { work, type Sample } from './worker.ts'

/**
 * An endpoint. The path says what it does:
 * - `/counted...`: deliveries are counted and answered during rounds, and wait for the next one between them
 * - `/hanging`: never answered
 * - any other: answered at once
 */
export interface PushReceiverConfig {
  readonly port: number
}

const NEXT_OFFSET = /"nextOffset":(\d+)\}$/
const TAIL_BYTES = 40

await work<PushReceiverConfig>(async ({ port }) => {
  const waiting: PushRequest[] = []
  let isRound = false
  let count = 0
  const take = (request: PushRequest): void => {
    count += messagesOf(request)
    request.answer()
  }
  await listenForPushes(port, (request) => {
    if (request.path === '/hanging') return
    if (!request.path.startsWith('/counted')) return request.answer()
    if (isRound) take(request)
    else waiting.push(request)
  })
  return async (seconds): Promise<Sample> => {
    const startedMs = performance.now()
    count = 0
    isRound = true
    for (const request of waiting.splice(0)) take(request)
    await sleep(seconds * 1000)
    isRound = false
    if (count === 0) throw new Error('nothing was delivered')
    return { count, seconds: (performance.now() - startedMs) / 1000, latenciesMs: [] }
  }
})

// The streams have messages alone, no other records, so that offsets count messages.
function messagesOf (request: PushRequest): number {
  const tail = request.body.subarray(-TAIL_BYTES).toString('latin1')
  const next = NEXT_OFFSET.exec(tail)?.[1]
  return next === undefined ? 1 : Number(next) - numberOf(request, 'stream-offset')
}
