import { MalformedFrameError } from '../errors.ts'
import type { FrameReader } from '../frame-reader.ts'
import { FrameWriter } from '../frame-writer.ts'
import { CommandKey, describeCommand, type CommandName } from './keys.ts'

// Each command is one small file that says what lies on the wire. It leaves out Key and Version, which start every
// frame, and the CorrelationId of requests and the CorrelationId and ResponseCode of answers: the channel and its
// pending requests handle these.

/** A command that the broker answers. */
export interface Request<Arguments, Answer> {
  readonly name: CommandName
  /** Writes what follows the correlation id. */
  write (writer: FrameWriter, args: Arguments): void
  /**
   * Reads what follows a response code of ok. More bytes may follow, because newer brokers append fields.
   */
  read (reader: FrameReader): Answer
  /** The answer has no response code (Metadata). */
  readonly isWithoutResponseCode?: true
}

/** A command that the broker does not answer. */
export interface Command<Arguments> {
  readonly name: CommandName
  write (writer: FrameWriter, args: Arguments): void
}

/** A command that the broker sends by itself. */
export interface Push<Content> {
  readonly name: CommandName
  read (reader: FrameReader, version: number): Content
}

/** For answers that have only a response code. */
export function readNothing (): void {}

const VERSION_1 = 1

/** Key uint16, Version uint16, CorrelationId uint32, arguments. */
export function encodeRequest<Arguments> (
  request: Request<Arguments, unknown>,
  correlationId: number,
  args: Arguments
): Buffer {
  const writer = new FrameWriter().u16(CommandKey[request.name]).u16(VERSION_1).u32(correlationId)
  request.write(writer, args)
  return writer.finish()
}

/** Key uint16, Version uint16, arguments. */
export function encodeCommand<Arguments> (command: Command<Arguments>, args: Arguments): Buffer {
  const writer = new FrameWriter().u16(CommandKey[command.name]).u16(VERSION_1)
  command.write(writer, args)
  return writer.finish()
}

/** The error for a command that the receiver does not understand. */
export function unknownCommand (key: number, version: number): MalformedFrameError {
  return new MalformedFrameError(
    `the broker sent ${describeCommand(key)} in version ${version}, which is not understood here`
  )
}
