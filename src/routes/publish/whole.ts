import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { clientSignal } from '../../http/request-scope.ts'
import type { FieldError } from '../../api/field-error.ts'
import { invalidRequest, RequestError } from '../../api/problems.ts'
import {
  UNBOUNDED_WORK, WORK_OF_A_TURN, type Destination, type WholeRequest, type Work
} from '../../messages/index.ts'
import { MessageBatch, type PublishOptions } from '../../streams/index.ts'
import { sendPublished } from './answer.ts'
import { toRequestError } from './body.ts'
import type { PublishGoal } from './goal.ts'
import type { PublishLimits } from './options.ts'

// By how much a message with few properties is larger than its body. Room for it saves growing the batch.
const MESSAGE_OVERHEAD_BYTES = 64
// What is kept of a message beside its bytes, until it is sent.
const NOTE_BYTES = 160

/** What is the same for all messages of a request. */
export type Common = Pick<Destination, 'ids' | 'filterValue' | 'trace' | 'isRouted'>

/** A publish whose body has been read whole. */
export interface WholePublish {
  readonly app: ApiApp
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly goal: PublishGoal
  readonly options: PublishOptions
  readonly read: WholeRequest
  readonly bodyBytes: number
  readonly limits: Pick<PublishLimits, 'maxMessages'>
  readonly common: Common
  /** Makes the error for messages that are wrong. */
  readonly refusal?: (errors: readonly FieldError[], cause?: unknown) => RequestError
}

/** Publishes the messages of a body, when all of them are right, and answers. */
export async function publishWhole (publish: WholePublish): Promise<FastifyReply> {
  const { app, reply, goal, options, bodyBytes } = publish
  const batch = await batchOf(publish)
  // From here on the batch takes the memory, and the broker counts it.
  app.holdBody(publish.request, 0)
  const signalled = { ...options, signal: clientSignal(reply) }
  const result = batch.count === 0
    ? await goal.open(signalled).finish()
    : await goal.publish(batch, signalled, turnsFor(app, bodyBytes))
  return await sendPublished(reply, result)
}

function turnsFor (app: ApiApp, bodyBytes: number): (() => Promise<void>) | undefined {
  return app.isHeavy(bodyBytes) ? async () => { await app.turn(bodyBytes) } : undefined
}

// Of the batch without growing.
function batchBytes (bodyBytes: number, count: number, { trace }: Common): number {
  return bodyBytes + count * (MESSAGE_OVERHEAD_BYTES + (trace?.byteLength ?? 0))
}

async function batchOf (publish: WholePublish): Promise<MessageBatch> {
  return publish.app.isHeavy(publish.bodyBytes) ? await batchInTurns(publish) : batchAtOnce(publish)
}

function batchAtOnce (publish: WholePublish): MessageBatch {
  const { read, bodyBytes, common } = publish
  const work = { units: UNBOUNDED_WORK }
  scanned(publish, work)
  refuseScanned(publish)
  const batch = new MessageBatch(batchBytes(bodyBytes, read.count, common))
  refuseErrors(read.addTo({ ...common, batch, work }) ?? [], publish)
  return batch
}

// A turn of the event loop has a bounded amount of work. Room is held meanwhile, so that a request that does not fit is
// refused before the work and not after it.
async function batchInTurns (publish: WholePublish): Promise<MessageBatch> {
  const { app, read, bodyBytes, common } = publish
  const { publishing } = brokerOf(publish.request)
  const lease = publishing.reserve(bodyBytes)
  try {
    await app.turn(bodyBytes)
    let work = { units: WORK_OF_A_TURN }
    const nextTurn = async (): Promise<void> => {
      await app.turn(bodyBytes)
      work = { units: WORK_OF_A_TURN }
    }
    while (!scanned(publish, work)) await nextTurn()
    refuseScanned(publish)
    const overhead = publishing.reserve(batchBytes(0, read.count, common) + read.count * NOTE_BYTES)
    try {
      const batch = new MessageBatch(batchBytes(bodyBytes, read.count, common))
      const add = () => read.addTo({ ...common, batch, work })
      let errors = add()
      for (; errors === undefined; errors = add()) {
        overhead.resize(Math.max(overhead.bytes, batch.heldBytes - bodyBytes))
        await nextTurn()
      }
      refuseErrors(errors, publish)
      return batch
    } finally {
      overhead.end()
    }
  } finally {
    lease.end()
  }
}

function scanned ({ read, refusal = invalidRequest }: WholePublish, work: Work): boolean {
  try {
    return read.scan(work)
  } catch (error) {
    throw toRequestError(error, 'bad_request', refusal)
  }
}

function refuseScanned (publish: WholePublish): void {
  const { read: { count, errors }, limits: { maxMessages } } = publish
  if (count > maxMessages) {
    throw new RequestError(
      'payload_too_large',
      `the body has more messages than PUBLISH_MAX_MESSAGES (${maxMessages})`
    )
  }
  refuseErrors(errors, publish)
}

function refuseErrors (errors: readonly FieldError[], { refusal = invalidRequest }: WholePublish): void {
  if (errors.length > 0) throw refusal(errors)
}
