import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, Server as TlsServer, type TlsOptions } from 'node:tls'
import { once } from 'node:events'
import type { Test } from 'tap'
import { CommandKey, type CommandName } from '../../../src/streams/protocol/index.ts'
import { FrameAssembler } from '../../../src/streams/protocol/frame-assembler.ts'
import { FrameReader } from '../../../src/streams/protocol/frame-reader.ts'
import { FrameWriter } from '../../../src/streams/protocol/frame-writer.ts'

/** A frame that the client sent, read up to its arguments. */
export interface Received {
  readonly key: number
  readonly version: number
  /** 0 for a command that has none. */
  readonly correlationId: number
  /** At the first argument. */
  readonly reader: FrameReader
  readonly bytes: Buffer
  /** The connection that it came on. */
  readonly socket: Socket
  /** Writes to that connection. */
  reply (...frames: Buffer[]): void
}

export type Answer = (received: Received, broker: ScriptedBroker) => void

const WITHOUT_CORRELATION_ID: ReadonlySet<number> = new Set([
  CommandKey.publish, CommandKey.credit, CommandKey.storeOffset, CommandKey.tune, CommandKey.heartbeat
])

/**
 * A peer that sends frames a real broker never sends, or not at the moment a test needs. It opens the connection as
 * RabbitMQ does, and then gives only the answers that the test defines.
 */
export class ScriptedBroker {
  readonly #server: Server
  readonly #answers: Map<number, Answer>
  readonly #waiting = new Map<number, Array<(received: Received) => void>>()
  readonly received: Received[] = []
  /** The open connections. */
  readonly sockets = new Set<Socket>()
  #socket: Socket | undefined

  constructor (server: Server, answers: ReadonlyMap<number, Answer>) {
    this.#server = server
    this.#answers = new Map([...HANDSHAKE, ...answers])
    const event = server instanceof TlsServer ? 'secureConnection' : 'connection'
    server.on(event, (socket: Socket) => { this.#connected(socket) })
  }

  /** Starts a broker that stops with the test. */
  static async start (
    t: Test, answers: Partial<Record<CommandName, Answer>> = {}, tls?: TlsOptions
  ): Promise<ScriptedBroker> {
    const server = tls === undefined ? createServer({ noDelay: true }) : createTlsServer({ noDelay: true, ...tls })
    const broker = new ScriptedBroker(server, new Map(Object.entries(CommandKey).flatMap(([name, key]) => {
      const answer = Object.entries(answers).find(([answered]) => answered === name)?.[1]
      return answer === undefined ? [] : [[key, answer] as const]
    })))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(async () => { await broker.stop() })
    return broker
  }

  get port (): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the server does not listen')
    return address.port
  }

  /** The latest connection. */
  get socket (): Socket {
    if (this.#socket === undefined) throw new Error('no client has connected')
    return this.#socket
  }

  /** Resolves with the next frame of this command. */
  next (name: CommandName): Promise<Received> {
    return new Promise((resolve) => {
      const key = CommandKey[name]
      this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), resolve])
    })
  }

  send (...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  async stop (): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #connected (socket: Socket): void {
    this.#socket = socket
    this.sockets.add(socket)
    socket.once('close', () => { this.sockets.delete(socket) })
    const assembler = new FrameAssembler(Infinity, (buffer, start, end) => {
      const received = receive(Buffer.from(buffer.subarray(start, end)), socket)
      this.received.push(received)
      for (const resolve of this.#waiting.get(received.key) ?? []) resolve(received)
      this.#waiting.delete(received.key)
      this.#answers.get(received.key)?.(received, this)
    })
    socket.on('error', () => {}) // the client may end the connection in any way
    socket.on('data', (data: Buffer) => { assembler.push(data) })
  }
}

/** A command from the broker. */
export function frame (name: CommandName, write: (writer: FrameWriter) => void = () => {}, version = 1): Buffer {
  const writer = new FrameWriter().u16(CommandKey[name]).u16(version)
  write(writer)
  return writer.finish()
}

export function answerFrame (
  name: CommandName, correlationId: number, responseCode = 1, write: (writer: FrameWriter) => void = () => {}
): Buffer {
  const writer = new FrameWriter().u16(CommandKey[name] | 0x8000).u16(1).u32(correlationId).u16(responseCode)
  write(writer)
  return writer.finish()
}

/** A frame from its beginning, in hexadecimal, and the rest. */
export function rawFrame (start: string, rest: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(start, 'hex'), rest])
  bytes.writeUInt32BE(bytes.length - 4, 0)
  return bytes
}

/** Answers with a response code and nothing else. */
export function answerWith (name: CommandName, responseCode: number): Answer {
  return ({ correlationId, reply }) => { reply(answerFrame(name, correlationId, responseCode)) }
}

function receive (bytes: Buffer, socket: Socket): Received {
  const reader = new FrameReader(bytes, 0, bytes.length)
  const keyAndBit = reader.u16()
  const key = keyAndBit & 0x7fff
  const version = reader.u16()
  const correlationId = WITHOUT_CORRELATION_ID.has(key) ? 0 : reader.u32()
  const reply = (...frames: Buffer[]): void => { socket.write(Buffer.concat(frames)) }
  return { key, version, correlationId, reader, bytes, socket, reply }
}

export function peerPropertiesAnswer (version: string): Answer {
  return ({ correlationId, reply }) => {
    const properties = new Map([['product', 'RabbitMQ'], ['version', version]])
    reply(answerFrame('peerProperties', correlationId, 1, (writer) => writer.map(properties)))
  }
}

export function mechanismsAnswer (...mechanisms: string[]): Answer {
  return ({ correlationId, reply }) => {
    reply(answerFrame('saslHandshake', correlationId, 1, (writer) =>
      writer.array(mechanisms, (to, mechanism) => to.string(mechanism))))
  }
}

/** Accepts the credentials and proposes these values. */
export function tuneAnswer (frameMaxBytes: number, heartbeatSeconds: number): Answer {
  return ({ correlationId, reply }) => {
    const tune = frame('tune', (writer) => writer.u32(frameMaxBytes).u32(heartbeatSeconds))
    reply(answerFrame('saslAuthenticate', correlationId), tune)
  }
}

const HANDSHAKE: ReadonlyMap<number, Answer> = new Map<number, Answer>([
  [CommandKey.peerProperties, peerPropertiesAnswer('4.1.0')],
  [CommandKey.saslHandshake, mechanismsAnswer('AMQPLAIN', 'PLAIN')],
  [CommandKey.saslAuthenticate, tuneAnswer(1_048_576, 60)],
  [CommandKey.open, ({ correlationId, reply }) => {
    const properties = new Map([['advertised_host', 'rabbit-1'], ['advertised_port', '5552']])
    reply(answerFrame('open', correlationId, 1, (writer) => writer.map(properties)))
  }],
  [CommandKey.exchangeCommandVersions, ({ correlationId, reply }) => {
    const versions = [[CommandKey.publish, 1, 2], [CommandKey.queryOffset, 1, 1]]
    reply(answerFrame('exchangeCommandVersions', correlationId, 1, (writer) => {
      writer.array(versions, (to, numbers) => { for (const number of numbers) to.u16(number) })
    }))
  }],
  [CommandKey.close, answerWith('close', 1)]
])
