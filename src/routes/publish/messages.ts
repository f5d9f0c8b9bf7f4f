import type { Static } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { traceHeadersOf } from '../../http/trace-headers.ts'
import { invalidRequest, RequestError } from '../../api/problems.ts'
import { strictObject } from '../../api/schemas.ts'
import type { FieldError } from '../../api/field-error.ts'
import {
  PublishingIds, requestCodec, traceContextOf, UNBOUNDED_WORK, WORK_OF_A_TURN, type BodyFormat, type Destination,
  type JsonRequest, type TraceContext, type Work
} from '../../messages/index.ts'
import { MessageBatch, type PublishingPort } from '../../streams/index.ts'
import { sendPublished } from './answer.ts'
import { toRequestError, wholeBody } from './body.ts'
import { CompressionQuery, compressionOf } from './compression.ts'
import type { GoalKind } from './goal.ts'
import {
  commonFilterValue, publishOptions, PublishQuery, SEVERAL_PUBLISHED, type PublishLimits
} from './options.ts'
import { publishStreamed } from './streamed.ts'

// By how much a message with few properties is larger than its body. Room for it saves growing the batch.
const MESSAGE_OVERHEAD_BYTES = 64
// What is kept of a message beside its bytes, until it is sent.
const NOTE_BYTES = 160

const DESCRIPTION =
  'As a JSON object, all of whose messages are checked before the first one is sent; or as NDJSON, one message a ' +
  'line, published while the body arrives. The body may be compressed (`Content-Encoding`).'

const MessagesQuery = strictObject({ ...PublishQuery.properties, ...CompressionQuery })

export function publishMessages (
  app: ApiApp, limits: PublishLimits, formats: readonly BodyFormat[], kind: GoalKind
): void {
  app.post(
    `${kind.path}/messages`,
    {
      bodyLimit: limits.maxBodyBytes,
      config: { problems: kind.problems, bodyFormats: formats },
      schema: {
        operationId: `publish${kind.subject}Messages`,
        tags: kind.tags,
        summary: `Publish messages${kind.to}`,
        description: DESCRIPTION + kind.about,
        params: kind.params,
        querystring: kind.query(MessagesQuery),
        response: SEVERAL_PUBLISHED
      }
    },
    async (request, reply) => {
      const { publishing } = brokerOf(request)
      const goal = kind.goalOf(request, request.query)
      const common = commonOf(request.query, kind, traceContextOf(traceHeadersOf(request)))
      const options = publishOptions(request.query)
      const codec = requestCodec(request.headers['content-type'])
      const compression = compressionOf(request.query, codec.framing)
      if (codec.framing === 'lines') {
        const destination = { ...common, limits, isCompressed: compression !== undefined }
        return await publishStreamed({
          request,
          reply,
          limits,
          hold: (bytes) => app.holdBody(request, bytes),
          open: ({ signal }) => goal.open({ ...options, compression, signal }),
          turn: async () => { await app.turn(Infinity) },
          addLine: (line, index, batch, work) => codec.addLine(line, index, { ...destination, batch, work })
        })
      }
      const body = await wholeBody(app, request)
      const read = codec.decode(body, limits)
      const batch = await batchOf(app, publishing, read, body.length, limits, common)
      // From here on the batch takes the memory, and the broker counts it.
      app.holdBody(request, 0)
      const signalled = { ...options, signal: clientSignal(reply) }
      const result = batch.count === 0
        ? await goal.open(signalled).finish()
        : await goal.publish(batch, signalled, turnsFor(app, body.length))
      return await sendPublished(reply, result)
    }
  )
}

function turnsFor (app: ApiApp, bodyBytes: number): (() => Promise<void>) | undefined {
  return app.isHeavy(bodyBytes) ? async () => { await app.turn(bodyBytes) } : undefined
}

/** What is the same for all messages of a request. */
type Common = Pick<Destination, 'ids' | 'filterValue' | 'trace' | 'isRouted'>

function commonOf (
  query: Static<typeof PublishQuery>, { isRouted }: GoalKind, trace: TraceContext | undefined
): Common {
  return { ids: new PublishingIds(query.publisher), filterValue: commonFilterValue(query), trace, isRouted }
}

// Of the batch without growing.
function batchBytes (bodyBytes: number, count: number, { trace }: Common): number {
  return bodyBytes + count * (MESSAGE_OVERHEAD_BYTES + (trace?.byteLength ?? 0))
}

async function batchOf (
  app: ApiApp, publishing: PublishingPort, read: JsonRequest, bodyBytes: number, limits: PublishLimits, common: Common
): Promise<MessageBatch> {
  return app.isHeavy(bodyBytes)
    ? await batchInTurns(app, publishing, read, bodyBytes, limits, common)
    : batchAtOnce(read, bodyBytes, limits, common)
}

function batchAtOnce (
  read: JsonRequest,
  bodyBytes: number,
  limits: PublishLimits,
  common: Common
): MessageBatch {
  const work = { units: UNBOUNDED_WORK }
  scanned(read, work)
  refuseScanned(read, limits)
  const batch = new MessageBatch(batchBytes(bodyBytes, read.count, common))
  refuseErrors(read.addTo({ ...common, batch, work }) ?? [])
  return batch
}

// A turn of the event loop has a bounded amount of work. Room is held meanwhile, so that a request that does not fit is
// refused before the work and not after it.
async function batchInTurns (
  app: ApiApp,
  publishing: PublishingPort,
  read: JsonRequest,
  bodyBytes: number,
  limits: PublishLimits,
  common: Common
): Promise<MessageBatch> {
  const lease = publishing.reserve(bodyBytes)
  try {
    await app.turn(bodyBytes)
    let work = { units: WORK_OF_A_TURN }
    const nextTurn = async (): Promise<void> => {
      await app.turn(bodyBytes)
      work = { units: WORK_OF_A_TURN }
    }
    while (!scanned(read, work)) await nextTurn()
    refuseScanned(read, limits)
    const overhead = publishing.reserve(batchBytes(0, read.count, common) + read.count * NOTE_BYTES)
    try {
      const batch = new MessageBatch(batchBytes(bodyBytes, read.count, common))
      const add = () => read.addTo({ ...common, batch, work })
      let errors = add()
      for (; errors === undefined; errors = add()) {
        overhead.resize(Math.max(overhead.bytes, batch.heldBytes - bodyBytes))
        await nextTurn()
      }
      refuseErrors(errors)
      return batch
    } finally {
      overhead.end()
    }
  } finally {
    lease.end()
  }
}

function scanned (read: JsonRequest, work: Work): boolean {
  try {
    return read.scan(work)
  } catch (error) {
    throw toRequestError(error)
  }
}

function refuseScanned ({ count, errors }: JsonRequest, { maxMessages }: PublishLimits): void {
  if (count > maxMessages) {
    throw new RequestError(
      'payload_too_large',
      `the body has more messages than PUBLISH_MAX_MESSAGES (${maxMessages})`
    )
  }
  refuseErrors(errors)
}

function refuseErrors (errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidRequest(errors)
}
