import type { FastifyReply, FastifyRequest } from 'fastify'
import { bodyMeterOf } from '../../http/body-meter.ts'
import { bodyChunks, discard } from '../../http/body.ts'
import { callerOf } from '../../http/caller.ts'
import { clientSignal, noteEffects } from '../../http/request-scope.ts'
import { untilAborted } from '../../http/until-aborted.ts'
import { LineSplitter } from '../../text/line-splitter.ts'
import { RequestError } from '../../api/problems.ts'
import { WORK_OF_A_TURN, type UnfinishedLine, type Work } from '../../messages/index.ts'
import { MessageBatch, type PublishOptions, type StreamedSession } from '../../streams/index.ts'
import { sendPublished, withOutcome } from './answer.ts'
import { toRequestError } from './body.ts'

// The entry of a publish frame around a line, and the AMQP section around its bytes.
const LINE_OVERHEAD_BYTES = 20
const UNITS_OF_LINE = 100
// A line that may be a millisecond of work or more.
const LONG_LINE_BYTES = 32 * 1024
// A copy that takes a part of a millisecond or more, beside the new memory that it is made to.
const LARGE_COPY_BYTES = 1024 * 1024

/** Bounds of a body that is published while it arrives. */
export interface StreamedLimits {
  maxStreamedBodyBytes: number
  maxStreamedMessages: number
  maxLineBytes: number
}

interface StreamedPublish {
  request: FastifyRequest
  reply: FastifyReply
  limits: StreamedLimits
  /** Says how many bytes of an unfinished line are held here. @throws RequestError `overloaded` */
  hold: (bytes: number) => void
  open: (options: Pick<PublishOptions, 'signal'>) => StreamedSession
  /** Settles when heavy work may go on. */
  turn: () => Promise<void>
  /**
   * Adds the message of a line to a batch, if the line has one, and throws when the line is not valid. Lines count from
   * 0. Returns what is left to do when the work was used up before.
   */
  addLine: (line: Buffer, lineNumber: number, batch: MessageBatch, work: Work) => UnfinishedLine | undefined
}

/**
 * Publishes a body line by line while it arrives, each chunk of the connection as one batch. The next chunk is not read
 * before the broker has room. All lines before a bad one are published, and the problem says what became of them.
 */
export async function publishStreamed (publish: StreamedPublish): Promise<FastifyReply> {
  const { request, reply, open } = publish
  const signal = clientSignal(reply)
  const session = open({ signal })
  const failureOf = async (work: () => Promise<void>): Promise<{ error: unknown } | undefined> => {
    try {
      await work()
      return undefined
    } catch (error) {
      // A credential that has ended may show itself as a failure of what was done with it.
      const { ended } = callerOf(request)
      return { error: ended?.aborted === true ? ended.reason : error }
    }
  }
  const bodyFailure = await failureOf(async () => {
    for await (const batch of batches(publish, signal)) {
      noteEffects(reply)
      await session.write(batch)
    }
  })
  // Messages that could not be sent lie before a line that cannot be read.
  const failure = await failureOf(() => session.flush()) ?? bodyFailure
  const result = await session.finish()
  // The client is gone and cannot be answered.
  if (request.raw.socket.destroyed) return reply
  if (failure === undefined) return await sendPublished(reply, result)
  discard(request.raw)
  throw withOutcome(failure.error, result)
}

async function * batches (publish: StreamedPublish, signal: AbortSignal): AsyncGenerator<MessageBatch> {
  const { request, limits, hold } = publish
  const meter = bodyMeterOf(request.raw)
  const splitter = new LineSplitter(limits.maxLineBytes)
  const lines = new Lines(publish)
  try {
    for await (const chunk of arriving(publish)) {
      if (splitter.copiedBefore(chunk.length) > LARGE_COPY_BYTES) await publish.turn()
      yield * lines.batchesOf(splitter.push(chunk))
      while (splitter.hasMore) {
        await publish.turn()
        yield * lines.batchesOf(splitter.more())
      }
      hold(splitter.heldBytes)
      if (splitter.isTooLong) {
        const { count } = lines
        throw tooLarge(`line ${count} is longer than PUBLISH_MAX_LINE_BYTES (${limits.maxLineBytes} bytes)`)
      }
      const pause = meter?.pause(signal)
      if (pause !== undefined) await pause
    }
    const last = splitter.end()
    if (last !== undefined) yield * lines.batchesOf([last])
  } finally {
    hold(0)
  }
}

// A caller whose credential ends does not keep its request open by sending nothing.
function arriving ({ request, limits: { maxStreamedBodyBytes } }: StreamedPublish): AsyncIterable<Buffer> {
  const chunks = bodyChunks(request.raw, maxStreamedBodyBytes, 'HTTP_MAX_STREAMED_BODY_BYTES')
  const { ended } = callerOf(request)
  return ended === undefined ? chunks : untilAborted(chunks, ended)
}

/** The lines of one request. */
class Lines {
  readonly #publish: StreamedPublish
  #count = 0
  // What may be done before others get their turn.
  #work: Work = { units: WORK_OF_A_TURN }
  // For what comes after the most messages: an empty line at the end is not one message too many.
  #excess: MessageBatch | undefined
  // Of the batches that are whole.
  #messages = 0

  constructor (publish: StreamedPublish) {
    this.#publish = publish
  }

  /** The lines that were read, also empty ones. */
  get count (): number {
    return this.#count
  }

  // One batch, unless the lines are more work than a turn of the event loop may have.
  async * batchesOf (lines: readonly Buffer[]): AsyncGenerator<MessageBatch> {
    let batch = this.#batchFor(lines, 0)
    let failure: { error: unknown } | undefined
    for (const [index, line] of lines.entries()) {
      try {
        if (line.length > LONG_LINE_BYTES) await this.#nextTurn()
        const isFull = this.#messages + batch.count >= this.#publish.limits.maxStreamedMessages
        if (isFull) this.#excess ??= new MessageBatch()
        const unfinished = this.#publish.addLine(line, this.#count, this.#excess ?? batch, this.#work)
        let isAdded = unfinished === undefined
        while (!isAdded) {
          await this.#nextTurn()
          isAdded = unfinished?.continue(this.#work) ?? true
        }
        if (this.#excess !== undefined && this.#excess.count > 0) throw this.#tooMany()
      } catch (error) {
        failure = { error: toRequestError(error, 'validation_failed') }
        break
      }
      this.#count++
      this.#work.units -= UNITS_OF_LINE
      if (this.#work.units <= 0) {
        if (batch.count > 0) yield this.#whole(batch)
        batch = this.#batchFor(lines, index + 1)
        await this.#nextTurn()
      }
    }
    if (batch.count > 0) yield this.#whole(batch)
    if (failure !== undefined) throw failure.error
  }

  #whole (batch: MessageBatch): MessageBatch {
    this.#messages += batch.count
    return batch
  }

  async #nextTurn (): Promise<void> {
    await this.#publish.turn()
    this.#work = { units: WORK_OF_A_TURN }
  }

  #tooMany (): RequestError {
    const { maxStreamedMessages } = this.#publish.limits
    return tooLarge(`the body has more lines than PUBLISH_MAX_STREAMED_MESSAGES (${maxStreamedMessages})`)
  }

  #batchFor (lines: readonly Buffer[], from: number): MessageBatch {
    let bytes = 0
    for (let index = from; index < lines.length; index++) bytes += (lines[index]?.length ?? 0) + LINE_OVERHEAD_BYTES
    return new MessageBatch(bytes)
  }
}

function tooLarge (message: string): RequestError {
  return new RequestError('payload_too_large', message)
}
