import type { Channel } from './channel.ts'
import { parseChunk } from './chunk.ts'
import { unknownCommand } from './commands/command.ts'
import { consumerUpdate, encodeConsumerUpdateAnswer } from './commands/consumer-update.ts'
import { creditRefusal } from './commands/credit.ts'
import { deliver, type Delivery } from './commands/deliver.ts'
import { CommandKey } from './commands/keys.ts'
import { metadataUpdate } from './commands/metadata-update.ts'
import { publishConfirm } from './commands/publish-confirm.ts'
import { publishError } from './commands/publish-error.ts'
import { ChunkError } from './errors.ts'
import type { FrameReader } from './frame-reader.ts'
import type { AnswerUpdate, ConnectionHandlers } from './options.ts'

/**
 * Reads a command that the broker sends by itself and calls its handler. An error of a codec or of a handler is thrown
 * and ends the connection.
 *
 * @param channel for the answer, if the command has one
 */
export function handleCommand (
  key: number, version: number, reader: FrameReader, handlers: ConnectionHandlers, channel: Channel
): void {
  switch (key) {
    case CommandKey.publishConfirm: {
      const { publisherId, publishingIds } = publishConfirm.read(reader, version)
      handlers.confirmed(publisherId, publishingIds)
      return
    }
    case CommandKey.publishError: {
      const { publisherId, failures } = publishError.read(reader, version)
      for (const { publishingId, responseCode } of failures) {
        handlers.publishFailed(publisherId, publishingId, responseCode)
      }
      return
    }
    case CommandKey.deliver:
      handleDelivery(deliver.read(reader, version), handlers)
      return
    case CommandKey.metadataUpdate: {
      const { responseCode, stream } = metadataUpdate.read(reader, version)
      handlers.metadataUpdated(responseCode, stream)
      return
    }
    case CommandKey.credit: {
      const { subscriptionId, responseCode } = creditRefusal.read(reader, version)
      handlers.creditRefused(subscriptionId, responseCode)
      return
    }
    case CommandKey.consumerUpdate: {
      const { correlationId, subscriptionId, isActive } = consumerUpdate.read(reader, version)
      const answer = answerOnce(channel, correlationId)
      if (handlers.consumerUpdated === undefined) answer()
      else handlers.consumerUpdated(subscriptionId, isActive, answer)
      return
    }
    default:
      throw unknownCommand(key, version)
  }
}

// The answer may come much later, when the connection may have ended. The broker takes only one.
function answerOnce (channel: Channel, correlationId: number): AnswerUpdate {
  let isAnswered = false
  return (spec) => {
    if (isAnswered) return
    isAnswered = true
    if (channel.isOpen) channel.writeFrame(encodeConsumerUpdateAnswer(correlationId, spec))
  }
}

// A damaged chunk does not harm the frames after it, so it concerns its subscription alone.
function handleDelivery (delivery: Delivery, handlers: ConnectionHandlers): void {
  const { subscriptionId, committedChunkId, chunk: { buffer, start, end, isOwn } } = delivery
  let chunk
  try {
    chunk = parseChunk(buffer, start, end, isOwn)
  } catch (error) {
    if (!(error instanceof ChunkError) || handlers.deliveryFailed === undefined) throw error
    handlers.deliveryFailed(subscriptionId, error)
    return
  }
  handlers.delivered(subscriptionId, chunk, committedChunkId)
}
