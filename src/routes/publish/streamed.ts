import type { FastifyReply, FastifyRequest } from 'fastify'
import { bodyChunks, discard } from '../../http/body.ts'
import { clientSignal, noteEffects } from '../../http/request-scope.ts'
import { LineSplitter } from '../../text/line-splitter.ts'
import { RequestError } from '../../api/problems.ts'
import { MessageBatch, type PublishOptions, type PublishSession } from '../../streams/index.ts'
import { sendPublished, withOutcome } from './answer.ts'
import { toRequestError } from './body.ts'

// The entry of a publish frame around a line, and the AMQP section around its bytes.
const LINE_OVERHEAD_BYTES = 20

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
  open: (options: Pick<PublishOptions, 'signal'>) => PublishSession
  /** Adds the message of a line to a batch, and throws when the line is not valid. Lines count from 0. */
  addLine: (line: Buffer, lineNumber: number, batch: MessageBatch) => void
}

/**
 * Publishes a body line by line while it arrives, each chunk of the connection as one batch. The next chunk is not read
 * before the broker has room. All lines before a bad one are published, and the problem says what became of them.
 */
export async function publishStreamed (publish: StreamedPublish): Promise<FastifyReply> {
  const { request, reply, limits, hold, open, addLine } = publish
  const signal = clientSignal(reply)
  const session = open({ signal })
  let failure: { error: unknown } | undefined
  try {
    for await (const batch of batches(request, limits, hold, addLine)) {
      noteEffects(reply)
      await session.write(batch)
    }
  } catch (error) {
    failure = { error }
  }
  const result = await session.finish()
  // The client is gone and cannot be answered.
  if (signal.aborted) return reply
  if (failure === undefined) return await sendPublished(reply, result)
  discard(request.raw)
  throw withOutcome(failure.error, result)
}

async function * batches (
  request: FastifyRequest,
  limits: StreamedLimits,
  hold: StreamedPublish['hold'],
  addLine: StreamedPublish['addLine']
): AsyncGenerator<MessageBatch> {
  const splitter = new LineSplitter(limits.maxLineBytes)
  let lineNumber = 0
  try {
    for await (const chunk of bodyChunks(request.raw, limits.maxStreamedBodyBytes, 'HTTP_MAX_STREAMED_BODY_BYTES')) {
      yield * batchOf(splitter.push(chunk))
      hold(splitter.heldBytes)
      if (splitter.isTooLong) {
        throw tooLarge(`line ${lineNumber} is longer than PUBLISH_MAX_LINE_BYTES (${limits.maxLineBytes} bytes)`)
      }
    }
    const last = splitter.end()
    if (last !== undefined) yield * batchOf([last])
    if (lineNumber === 0) throw new RequestError('validation_failed', 'the body has no lines')
  } finally {
    hold(0)
  }

  function * batchOf (lines: readonly Buffer[]): Generator<MessageBatch> {
    const batch = new MessageBatch(lines.reduce((bytes, line) => bytes + line.length + LINE_OVERHEAD_BYTES, 0))
    let failure: { error: unknown } | undefined
    for (const line of lines) {
      try {
        if (lineNumber >= limits.maxStreamedMessages) {
          throw tooLarge(`the body has more lines than PUBLISH_MAX_STREAMED_MESSAGES (${limits.maxStreamedMessages})`)
        }
        addLine(line, lineNumber, batch)
      } catch (error) {
        failure = { error: toRequestError(error) }
        break
      }
      lineNumber++
    }
    if (batch.count > 0) yield batch
    if (failure !== undefined) throw failure.error
  }
}

function tooLarge (message: string): RequestError {
  return new RequestError('payload_too_large', message)
}
