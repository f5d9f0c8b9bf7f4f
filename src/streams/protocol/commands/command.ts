import { MalformedFrameError } from '../errors.ts'
import type { FrameReader } from '../frame-reader.ts'
import { FrameWriter } from '../frame-writer.ts'
import { CommandKey, describeCommand, type CommandName } from './keys.ts'

// Each command is one small file that says what lies on the wire. Key and Version, which start every frame, and the
// CorrelationId and the ResponseCode, which follow in requests and their answers, are written and read by what sends
// and receives them.

/** A command that the broker answers. */
export interface Request<Arguments, Answer> {
  readonly name: CommandName
  /** Writes what follows the correlation id. */
  write (writer: FrameWriter, args: Arguments): void
  /**
   * Reads what follows the response code, when that is ok. More bytes than it reads are no mistake: newer brokers
   * append fields.
   */
  read (reader: FrameReader): Answer
  /** The answer has no response code of its own (Metadata). */
  readonly isWithoutResponseCode?: true
}

/** A command without an answer, from us to the broker. */
export interface Command<Arguments> {
  readonly name: CommandName
  write (writer: FrameWriter, args: Arguments): void
}

/** A command from the broker to us. */
export interface Push<Content> {
  readonly name: CommandName
  read (reader: FrameReader, version: number): Content
}

/** For answers that have nothing but their code. */
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

/** For who receives a command it cannot take. */
export function unknownCommand (key: number, version: number): MalformedFrameError {
  return new MalformedFrameError(
    `the broker sent ${describeCommand(key)} in version ${version}, which is not understood here`
  )
}
