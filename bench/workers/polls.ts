import { headerOf, HttpConnection, requestBytes } from './http-connection.ts'
import { work, type Sample } from './worker.ts'

/** Polls that wait at the end of a stream, and one client that publishes. */
export interface PollsConfig {
  readonly port: number
  readonly stream: string
  readonly polls: number
  readonly bodyBytes: number
  /** Between the polls' requests and the publish, ms. */
  readonly pauseMs: number
}

const WAIT_SECONDS = 20

/*
 * A round repeats this: all polls wait, one message is published, and each poll has to be answered with it. A latency
 * is the time from the publish request to the last of these answers.
 */
await work<PollsConfig>(async ({ port, stream, polls, bodyBytes, pauseMs }) => {
  const publisher = await HttpConnection.open(port)
  const readers: HttpConnection[] = []
  for (let opened = 0; opened < polls; opened++) readers.push(await HttpConnection.open(port))
  const path = `/v1/streams/${stream}/messages`
  const publish = requestBytes('POST', `${path}/lines`, {}, 'x'.repeat(bodyBytes))
  const first = await readers[0]?.request(requestBytes('GET', `${path}/lines?offset=next`))
  let offset = first === undefined ? NaN : Number(headerOf(first, 'stream-next-offset'))

  return async (seconds): Promise<Sample> => {
    const startedMs = performance.now()
    const latenciesMs: number[] = []
    while (performance.now() < startedMs + seconds * 1000) {
      const request = requestBytes('GET', `${path}/lines?offset=${offset}&wait=${WAIT_SECONDS}`)
      let nextOffset = offset
      let lastMs = 0
      const answers = Promise.all(readers.map(async (reader) => {
        const answer = await reader.request(request)
        lastMs = performance.now()
        if (answer.bodyBytes !== bodyBytes + 1) {
          throw new Error(`a poll was answered with ${answer.head}\n\n${answer.text}`)
        }
        nextOffset = Number(headerOf(answer, 'stream-next-offset'))
      }))
      await new Promise((resolve) => { setTimeout(resolve, pauseMs) })
      const sentMs = performance.now()
      const [confirm] = await Promise.all([publisher.request(publish), answers])
      if (confirm.status !== 200) throw new Error(`a publish was answered with ${confirm.head}\n\n${confirm.text}`)
      latenciesMs.push(lastMs - sentMs)
      offset = nextOffset
    }
    return { count: latenciesMs.length, seconds: (performance.now() - startedMs) / 1000, latenciesMs }
  }
})
