import type { Gateway } from './gateway.ts'

/** A batch as the answer to a read has it. */
export interface FilteredBatch {
  readonly messages: ReadonlyArray<Record<string, unknown>>
  readonly nextOffset: number
  readonly endOfStream: boolean
  readonly gap?: { readonly from: number, readonly to: number }
  readonly commitOffset?: number | null
}

function isBatch (json: unknown): json is FilteredBatch {
  return typeof json === 'object' && json !== null && 'messages' in json && 'nextOffset' in json
}

/** The batch of a read that has to succeed. */
export async function readBatch (gateway: Gateway, path: string): Promise<FilteredBatch> {
  const { status, text, json } = await gateway.get(path)
  if (status !== 200 || !isBatch(json)) throw new Error(`GET ${path} answered ${status}: ${text}`)
  return json
}

/** The bodies that a read of the stream finds when it is followed from `offset` to the end of the stream. */
export async function followFiltered (
  gateway: Gateway, stream: string, query: string, offset = 0
): Promise<{ bodies: unknown[], reads: number, nextOffset: number }> {
  const bodies: unknown[] = []
  for (let reads = 1, from = offset; ; reads++) {
    const batch = await readBatch(gateway, `/v1/streams/${stream}/messages?offset=${from}&${query}`)
    bodies.push(...batch.messages.map(({ body }) => body))
    from = batch.nextOffset
    if (batch.endOfStream) return { bodies, reads, nextOffset: from }
    if (reads > 10_000) throw new Error('the end of the stream is never reached')
  }
}

/** Publishes these messages in one request, which has to store them all. */
export async function publishAll (
  gateway: Gateway, stream: string, messages: readonly object[], query = ''
): Promise<void> {
  const path = `/v1/streams/${stream}/messages${query}`
  const { status, text } = await gateway.request('POST', path, { json: { messages } })
  if (status !== 200) throw new Error(`POST ${path} answered ${status}: ${text}`)
}

/**
 * Publishes messages one by one, every tenth with the filter value `a`, while readers follow the stream with a filter.
 *
 * @returns the bodies that were published with `a`, and what each reader has seen by the end
 */
export async function followWhilePublishing (
  gateway: Gateway, stream: string, messages: number, queries: readonly string[]
): Promise<{ wanted: number[], seen: unknown[][] }> {
  let isPublished = false
  const follow = async (query: string): Promise<unknown[]> => {
    const bodies: unknown[] = []
    for (let offset = 0; ;) {
      const isLast = isPublished
      const batch = await readBatch(gateway, `/v1/streams/${stream}/messages?offset=${offset}&${query}`)
      bodies.push(...batch.messages.map(({ body }) => body))
      offset = batch.nextOffset
      if (isLast && batch.endOfStream) return bodies
    }
  }
  const publish = async (): Promise<void> => {
    for (let n = 0; n < messages; n++) {
      const value = n % 10 === 0 ? 'a' : 'b'
      await publishAll(gateway, stream, [{ body: n, filterValue: value, properties: { subject: value } }])
    }
    isPublished = true
  }
  const [, ...seen] = await Promise.all([publish(), ...queries.map(follow)])
  return { wanted: Array.from({ length: Math.ceil(messages / 10) }, (_, n) => n * 10), seen }
}
