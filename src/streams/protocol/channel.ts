import type { Socket } from 'node:net'
import { encodeCommand, encodeRequest, unknownCommand, type Command, type Request } from './commands/command.ts'
import { close, closeByBroker, encodeCloseAnswer } from './commands/close.ts'
import { CommandKey, describeCommand, maxVersion, RESPONSE_BIT } from './commands/keys.ts'
import type { Tuning } from './commands/tune.ts'
import { ConnectionClosedError, MalformedFrameError, type ClosedBy } from './errors.ts'
import { FrameAssembler } from './frame-assembler.ts'
import { FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { Heartbeat } from './heartbeat.ts'
import { PendingRequests } from './pending-requests.ts'
import { describeResponseCode, ResponseCode } from './response-codes.ts'
import { SocketOutput } from './socket-output.ts'
import type { ConnectingSocket } from './socket.ts'

/** Before Open is answered the broker sends only short frames. */
const MAX_HANDSHAKE_FRAME_BYTES = 64 * 1024
/** A chunk may be larger than frame_max: the broker delivers it whole, whatever its size. */
const MAX_FRAME_BYTES = 256 * 1024 * 1024
/** Frames without a chunk are short, except PublishConfirm: the broker puts all the confirms it has into one. */
const MAX_FRAME_BYTES_WITHOUT_CHUNK = 4 * 1024 * 1024

/** What the channel reports to its user. */
export interface ChannelListener {
  /** A frame that is neither an answer to a request nor handled by the channel itself. */
  received (key: number, version: number, reader: FrameReader): void
  /** Called once; nothing is called afterwards. */
  closed (error: ConnectionClosedError): void
  drained (): void
  /** A request got no answer in time, and no byte at all has arrived since it was sent. */
  silent (): void
}

const NOBODY: ChannelListener = {
  received (key, version) { throw unknownCommand(key, version) },
  closed () {},
  drained () {},
  silent () {}
}

/**
 * Frames over a connected socket: requests and their answers, heartbeats, the close handshake and the end. An error in
 * the channel or in its listener ends the channel, and every pending request fails with it.
 */
export class Channel {
  readonly #socket: Socket
  readonly #output: SocketOutput
  readonly #assembler: FrameAssembler
  readonly #pending = new PendingRequests()
  #listener: ChannelListener = NOBODY
  #heartbeat: Heartbeat | undefined
  #frameMaxBytes = Infinity
  #closing: Promise<void> | undefined
  #closedWith: ConnectionClosedError | undefined

  constructor ({ socket, onData }: Pick<ConnectingSocket, 'socket' | 'onData'>) {
    this.#socket = socket
    this.#output = new SocketOutput(socket)
    this.#assembler = new FrameAssembler(MAX_HANDSHAKE_FRAME_BYTES, (buffer, start, end, isOwn) => {
      this.#dispatch(new FrameReader(buffer, start, end, isOwn))
    })
    onData((data) => { this.#guard(() => { this.#assembler.push(data) }) })
    socket.on('drain', () => { this.#guard(() => { if (this.#closedWith === undefined) this.#listener.drained() }) })
    socket.on('error', (cause) => { this.fail('the connection to the broker broke', cause) })
    socket.on('end', () => { this.#end(this.#closedError('peer', 'the broker ended the connection')) })
    socket.on('close', () => { this.#finish(this.#closedError('fault', 'the connection to the broker broke')) })
  }

  /** Whether the channel accepts requests. */
  get isOpen (): boolean {
    return this.#closing === undefined && this.#closedWith === undefined
  }

  get frameMaxBytes (): number {
    return this.#frameMaxBytes
  }

  get needsDrain (): boolean {
    return this.#socket.writableNeedDrain
  }

  get bufferedBytes (): number {
    return this.#socket.writableLength
  }

  /** Replaces the listener. */
  listen (listener: ChannelListener): void {
    this.#listener = listener
  }

  /** Applies what client and broker agreed on. */
  tune ({ frameMaxBytes, heartbeatSeconds }: Tuning): void {
    this.#frameMaxBytes = frameMaxBytes
    if (heartbeatSeconds === 0) return
    this.#heartbeat = new Heartbeat(heartbeatSeconds * 1000, this.#socket,
      () => { this.#output.write(new FrameWriter().u16(CommandKey.heartbeat).u16(1).finish()) },
      () => { this.fail(`nothing came from the broker for two heartbeat intervals of ${heartbeatSeconds} s`) })
  }

  /** Call after Open: from now on the channel accepts large frames. */
  opened (): void {
    this.#assembler.maxFrameBytes = MAX_FRAME_BYTES
  }

  /** @throws ConnectionClosedError */
  throwIfNotOpen (): void {
    if (this.#closedWith !== undefined) throw this.#closedWith
    if (this.#closing !== undefined) throw new ConnectionClosedError('us', 'the connection is being closed')
  }

  /** Whether a request has no answer yet. */
  get isAwaiting (): boolean {
    return this.#pending.count > 0
  }

  /** @param timeoutMs 0: the request has no deadline of its own */
  request<Arguments, Answer> (
    request: Request<Arguments, Answer>, args: Arguments, timeoutMs: number
  ): Promise<Answer> {
    const { bytesRead } = this.#socket
    return this.#pending.add(request, streamOf(args), timeoutMs, (correlationId) => {
      this.throwIfNotOpen()
      this.writeFrame(encodeRequest(request, correlationId, args))
    }, () => { this.#guard(() => { if (this.#socket.bytesRead === bytesRead) this.#listener.silent() }) })
  }

  /** Sends a command that the broker never answers. Does nothing when the channel is not open. */
  send<Arguments> (command: Command<Arguments>, args: Arguments): void {
    if (this.isOpen) this.writeFrame(encodeCommand(command, args))
  }

  /**
   * Writes a frame that consists of several pieces. No piece is copied.
   *
   * @throws RangeError when the frame is so large that the broker would close the connection
   */
  writeFrame (start: Buffer, rest: readonly Uint8Array[] = []): void {
    const size = start.readUInt32BE(0)
    if (size > this.#frameMaxBytes) {
      throw new RangeError(`a frame of ${size} bytes is above the broker's limit of ${this.#frameMaxBytes}`)
    }
    this.#output.write(start)
    for (const piece of rest) this.#output.write(piece)
  }

  /** Sends Close, waits for the answer and ends the socket. Pending requests may still be answered. Never rejects. */
  close (reason: string, timeoutMs: number): Promise<void> {
    this.#closing ??= this.#closedWith === undefined ? this.#closeGracefully(reason, timeoutMs) : this.#output.closed()
    return this.#closing
  }

  /** Ends at once. */
  destroy (error: ConnectionClosedError): void {
    this.#finish(error)
    this.#socket.destroy()
  }

  /** Ends at once because of an error. */
  fail (message: string, cause?: unknown): void {
    this.destroy(this.#closedError('fault', message, cause instanceof AggregateError ? joined(cause) : cause))
  }

  async #closeGracefully (reason: string, timeoutMs: number): Promise<void> {
    const answered = this.#pending.add(close, undefined, timeoutMs, (correlationId) => {
      this.#output.write(encodeRequest(close, correlationId, { code: ResponseCode.ok, reason }))
    })
    await answered.catch(() => {}) // refused, too late or ended otherwise: the channel ends in any case
    this.#end(new ConnectionClosedError('us', `closed: ${reason}`))
    await this.#output.closed()
  }

  #dispatch (reader: FrameReader): void {
    const size = reader.remaining
    const keyAndBit = reader.u16()
    const key = keyAndBit & ~RESPONSE_BIT
    const version = reader.u16()
    if (size > MAX_FRAME_BYTES_WITHOUT_CHUNK && key !== CommandKey.deliver) {
      throw new MalformedFrameError(`a frame of ${size} bytes is too large for ${describeCommand(key)}`)
    }
    if (version < 1 || version > maxVersion(key)) throw unknownCommand(key, version)
    // Credit's answer has the response bit but no correlation id, so it is handled like a command of the broker.
    if (keyAndBit !== key && key !== CommandKey.credit) this.#pending.answer(key, reader)
    else if (key === CommandKey.close) this.#closedByBroker(reader)
    else if (key !== CommandKey.heartbeat) this.#listener.received(key, version, reader)
  }

  #closedByBroker (reader: FrameReader): void {
    const { correlationId, code, reason } = closeByBroker.read(reader, 1)
    this.#output.write(encodeCloseAnswer(correlationId))
    const message = `the broker closed the connection with ${describeResponseCode(code)}: ${reason}`
    this.#end(new ConnectionClosedError('peer', message, { responseCode: code }))
  }

  #guard (work: () => void): void {
    try {
      work()
    } catch (error) {
      const isMalformed = error instanceof MalformedFrameError
      this.fail(isMalformed ? 'the broker sent a malformed frame' : 'a frame could not be handled', error)
    }
  }

  // Once we have begun to close, we count as the one who closed, whatever happens to the connection then.
  #closedError (closedBy: ClosedBy, message: string, cause?: unknown): ConnectionClosedError {
    return new ConnectionClosedError(this.#closing === undefined ? closedBy : 'us', message, { cause })
  }

  #end (error: ConnectionClosedError): void {
    this.#finish(error)
    this.#output.end()
  }

  #finish (error: ConnectionClosedError): void {
    if (this.#closedWith !== undefined) return
    this.#closedWith = error
    this.#heartbeat?.stop()
    this.#assembler.stop()
    const { oldestStream } = this.#pending
    if (oldestStream !== undefined) error.unansweredStream = oldestStream
    this.#pending.failAll(error)
    try {
      this.#listener.closed(error)
    } catch {
      // A listener that throws ends its channel, and this channel has already ended.
    }
  }
}

function streamOf (args: unknown): string | undefined {
  if (typeof args !== 'object' || args === null || !('stream' in args)) return undefined
  return typeof args.stream === 'string' ? args.stream : undefined
}

// When a host name has several addresses, Node throws an error without a message that holds one error per address.
function joined (error: AggregateError): Error {
  const message = error.errors.map((each) => each instanceof Error ? each.message : String(each)).join(', ')
  return Object.assign(new Error(message), 'code' in error ? { code: error.code } : {})
}
