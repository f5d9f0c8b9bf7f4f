import type { Socket } from 'node:net'
import { encodeCommand, encodeRequest, unknownCommand, type Command, type Request } from './commands/command.ts'
import { close, closeByBroker } from './commands/close.ts'
import { CommandKey, describeCommand, maxVersion, RESPONSE_BIT } from './commands/keys.ts'
import type { Tuning } from './commands/tune.ts'
import { ConnectionClosedError, MalformedFrameError, type ClosedBy } from './errors.ts'
import { FrameAssembler } from './frame-assembler.ts'
import { FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { Heartbeat } from './heartbeat.ts'
import { PendingRequests } from './pending-requests.ts'
import { describeResponseCode, ResponseCode } from './response-codes.ts'
import type { ConnectingSocket } from './socket.ts'

/** Before Open is answered only short frames are due. */
const MAX_HANDSHAKE_FRAME_BYTES = 64 * 1024
/** Chunks may be larger than frame_max: the broker delivers them whole, whatever their size. */
const MAX_FRAME_BYTES = 256 * 1024 * 1024
/** What is no chunk is short, but for confirms, of which a broker gathers as many as it has. */
const MAX_FRAME_BYTES_WITHOUT_CHUNK = 4 * 1024 * 1024
/** How long the last bytes may take to leave once nothing more is expected. */
const LINGER_MS = 2_000

/** What is told to who uses the channel. */
export interface ChannelListener {
  /** A frame that is neither an answer to a request nor dealt with by the channel itself. */
  received (key: number, version: number, reader: FrameReader): void
  /** Once; nothing is told afterwards. */
  closed (error: ConnectionClosedError): void
  drained (): void
  /** A request got no answer in time, and not a byte of anything else has come since it was sent. */
  silent (): void
}

const NOBODY: ChannelListener = {
  received (key, version) { throw unknownCommand(key, version) },
  closed () {},
  drained () {},
  silent () {}
}

/**
 * Frames over a connected socket: requests and their answers, heartbeats, the close handshake and the end. What goes
 * wrong in here, or in a listener, ends this channel and is told to all who wait on it.
 */
export class Channel {
  readonly #socket: Socket
  readonly #assembler: FrameAssembler
  readonly #pending = new PendingRequests()
  #listener: ChannelListener = NOBODY
  #heartbeat: Heartbeat | undefined
  #frameMaxBytes = Infinity
  #isCorked = false
  #closing: Promise<void> | undefined
  #closedWith: ConnectionClosedError | undefined

  constructor ({ socket, onData }: Pick<ConnectingSocket, 'socket' | 'onData'>) {
    this.#socket = socket
    this.#assembler = new FrameAssembler(MAX_HANDSHAKE_FRAME_BYTES, (buffer, start, end, isOwn) => {
      this.#dispatch(new FrameReader(buffer, start, end, isOwn))
    })
    onData((data) => {
      this.#guard(() => {
        this.#assembler.push(data)
      })
    })
    socket.on('drain', () => {
      this.#guard(() => {
        if (this.#closedWith === undefined) this.#listener.drained()
      })
    })
    socket.on('error', (cause) => {
      this.fail('the connection to the broker broke', cause)
    })
    socket.on('end', () => {
      this.#endSocket(this.#closedError('peer', 'the broker ended the connection'))
    })
    socket.on('close', () => {
      this.#finish(this.#closedError('fault', 'the connection to the broker broke'))
    })
  }

  /** Whether requests are taken. */
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

  /** Tells this listener from now on, and nobody else. */
  listen (listener: ChannelListener): void {
    this.#listener = listener
  }

  /** What was agreed on. */
  tune ({ frameMaxBytes, heartbeatSeconds }: Tuning): void {
    this.#frameMaxBytes = frameMaxBytes
    if (heartbeatSeconds === 0) return
    this.#heartbeat = new Heartbeat(heartbeatSeconds * 1000, this.#socket,
      () => { this.#write(new FrameWriter().u16(CommandKey.heartbeat).u16(1).finish()) },
      () => { this.fail(`nothing came from the broker for two heartbeat intervals of ${heartbeatSeconds} s`) })
  }

  /** From here on large frames are accepted. */
  opened (): void {
    this.#assembler.maxFrameBytes = MAX_FRAME_BYTES
  }

  /** @throws ConnectionClosedError */
  throwIfNotOpen (): void {
    if (this.#closedWith !== undefined) throw this.#closedWith
    if (this.#closing !== undefined) throw new ConnectionClosedError('us', 'the connection is being closed')
  }

  /** @param timeoutMs 0: no deadline of its own */
  request<Arguments, Answer>(request: Request<Arguments, Answer>, args: Arguments, timeoutMs: number): Promise<Answer> {
    const { bytesRead } = this.#socket
    return this.#pending.add(request, timeoutMs, (correlationId) => {
      this.throwIfNotOpen()
      this.writeFrame(encodeRequest(request, correlationId, args))
    }, () => { this.#guard(() => { if (this.#socket.bytesRead === bytesRead) this.#listener.silent() }) })
  }

  /**
   * Sends a command that nobody answers; does nothing when the channel is not open, which nobody would answer either.
   */
  send<Arguments> (command: Command<Arguments>, args: Arguments): void {
    if (this.isOpen) this.writeFrame(encodeCommand(command, args))
  }

  /**
   * Writes a frame that is in several pieces, none of which is copied.
   *
   * @throws RangeError when the broker would close the connection for its size
   */
  writeFrame (start: Buffer, rest: readonly Uint8Array[] = []): void {
    const size = start.readUInt32BE(0)
    if (size > this.#frameMaxBytes) {
      throw new RangeError(`a frame of ${size} bytes; the broker takes ${this.#frameMaxBytes}`)
    }
    this.#write(start)
    for (const piece of rest) this.#write(piece)
  }

  /** Says Close, waits for the answer and ends the socket. Requests under way may still be answered. Never rejects. */
  close (reason: string, timeoutMs: number): Promise<void> {
    this.#closing ??= this.#closedWith === undefined ? this.#closeGracefully(reason, timeoutMs) : this.#socketClosed()
    return this.#closing
  }

  /** Ends at once. */
  destroy (error: ConnectionClosedError): void {
    this.#finish(error)
    this.#socket.destroy()
  }

  /** Ends at once, as nobody wanted. */
  fail (message: string, cause?: unknown): void {
    const reason = cause instanceof Error ? `${message}: ${describeError(cause)}` : message
    this.destroy(this.#closedError('fault', reason, cause))
  }

  async #closeGracefully (reason: string, timeoutMs: number): Promise<void> {
    const answered = this.#pending.add(close, timeoutMs, (correlationId) => {
      this.#write(encodeRequest(close, correlationId, { code: ResponseCode.ok, reason }))
    })
    await answered.catch(() => {}) // refused, too late or closed by something else: it ends all the same
    this.#endSocket(new ConnectionClosedError('us', `closed: ${reason}`))
    await this.#socketClosed()
  }

  #dispatch (reader: FrameReader): void {
    const size = reader.remaining
    const keyAndBit = reader.u16()
    const key = keyAndBit & ~RESPONSE_BIT
    const version = reader.u16()
    if (size > MAX_FRAME_BYTES_WITHOUT_CHUNK && key !== CommandKey.deliver) {
      throw new MalformedFrameError(`${describeCommand(key)} in ${size} bytes`)
    }
    if (version < 1 || version > maxVersion(key)) throw unknownCommand(key, version)
    // The answer to Credit is one in name only: it has no correlation id and goes with the commands of the broker.
    if (keyAndBit !== key && key !== CommandKey.credit) this.#pending.answer(key, reader)
    else if (key === CommandKey.close) this.#closedByBroker(reader)
    else if (key !== CommandKey.heartbeat) this.#listener.received(key, version, reader)
  }

  #closedByBroker (reader: FrameReader): void {
    const { correlationId, code, reason } = closeByBroker.read(reader, 1)
    this.#write(
      new FrameWriter()
        .u16(CommandKey.close | RESPONSE_BIT)
        .u16(1)
        .u32(correlationId)
        .u16(ResponseCode.ok)
        .finish()
    )
    this.#endSocket(
      new ConnectionClosedError(
        'peer',
        `the broker closed the connection with ${describeResponseCode(code)}: ${reason}`,
        { responseCode: code }
      )
    )
  }

  // Requests of one turn of the event loop share one write: setImmediate runs after all that the turn's sockets had to
  // say, and an idle loop runs it at once, so that a lone request does not wait.
  #write (bytes: Uint8Array): void {
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      setImmediate(() => {
        this.#isCorked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(bytes)
  }

  #guard (work: () => void): void {
    try {
      work()
    } catch (error) {
      this.fail(
        error instanceof MalformedFrameError ? 'the broker sent a malformed frame' : 'a frame could not be handled',
        error
      )
    }
  }

  // Whatever happens to a connection that is being closed, it is us who closed it.
  #closedError (closedBy: ClosedBy, message: string, cause?: unknown): ConnectionClosedError {
    return new ConnectionClosedError(this.#closing === undefined ? closedBy : 'us', message, { cause })
  }

  // Lets what is written leave, but not for ever: a peer that reads nothing must not keep the socket.
  #endSocket (error: ConnectionClosedError): void {
    this.#finish(error)
    if (this.#socket.destroyed) return
    this.#socket.destroySoon()
    const timer = setTimeout(() => { this.#socket.destroy() }, LINGER_MS)
    this.#socket.once('close', () => { clearTimeout(timer) })
  }

  #finish (error: ConnectionClosedError): void {
    if (this.#closedWith !== undefined) return
    this.#closedWith = error
    this.#heartbeat?.stop()
    this.#assembler.stop()
    this.#pending.failAll(error)
    try {
      this.#listener.closed(error)
    } catch {
      // A listener that throws ends its connection; this one has ended.
    }
  }

  async #socketClosed (): Promise<void> {
    if (this.#socket.closed) return
    await new Promise<void>((resolve) => { this.#socket.once('close', () => { resolve() }) })
  }
}

// When a name has several addresses, Node's error has one error for each and no message of its own.
function describeError (error: Error): string {
  if (error.message !== '') return error.message
  return error instanceof AggregateError ? error.errors.map(String).join(', ') : error.name
}
