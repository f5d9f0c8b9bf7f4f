import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { Line, Pair, type Cut, type ProxyTarget } from './proxy-pair.ts'

/**
 * A TCP proxy between the gateway and a broker that makes the faults of a network: silence, resets, refusals, delay, a
 * trickle. It listens on a free port of 127.0.0.1 until `close`. With several targets each connection goes to the next
 * target, as behind a load balancer.
 */
export class FaultProxy {
  readonly host = '127.0.0.1'
  readonly port: number
  #targets: readonly ProxyTarget[]
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #line = new Line().setMaxListeners(0)
  #isAccepting = true
  #accepted = 0

  private constructor (server: Server, port: number, targets: readonly ProxyTarget[]) {
    this.#server = server
    this.port = port
    this.#targets = targets
    server.on('connection', client => this.#open(client))
  }

  /** Starts a proxy; it is ready when this settles. */
  static async listen (...targets: ProxyTarget[]): Promise<FaultProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
    return new FaultProxy(server, address.port, targets)
  }

  /** Connections open at the moment. */
  get connectionCount (): number {
    return this.#pairs.size
  }

  /** Of these, those that clients have not ended: the others are about to close. */
  get heldCount (): number {
    return [...this.#pairs].filter(({ isHeld }) => isHeld).length
  }

  /** Forwards nothing, in either direction. Connections stay open and silent; new ones are made and stay silent too. */
  pause (): void {
    this.#line.isPaused = true
  }

  /** Forwards again, beginning with what has come in meanwhile: nothing was lost. */
  resume (): void {
    this.#line.isPaused = false
  }

  /** Delays everything from now on by this time, in each direction; 0 ends it. */
  setLatency (latencyMs: number): void {
    this.#line.latencyMs = latencyMs
  }

  /** Connections made so far. */
  get acceptedCount (): number {
    return this.#accepted
  }

  /** The bytes that the target has sent over the last connection. */
  get lastReceivedBytes (): number {
    return this.#line.lastReceivedBytes
  }

  /** New connections go to these targets. */
  forwardTo (...targets: ProxyTarget[]): void {
    this.#targets = targets
  }

  /** Forwards every byte by itself: what comes from the target, what goes there too, or nothing any longer. */
  setTrickle (trickling: Line['trickling']): void {
    this.#line.trickling = trickling
  }

  /** Changes one byte from the target out of this many, on average; undefined: none. */
  garble (oneOf: number | undefined): void {
    this.#line.garbledOneOf = oneOf
  }

  /** Cuts a connection when its target has sent this many bytes: by silence or a reset, in the middle of anything. */
  cutAfter (bytes: number, how: Cut['how']): void {
    this.#line.cut = { bytes, how }
  }

  /** Cuts no further connection. Those that are cut stay so. */
  cutNothing (): void {
    this.#line.cut = undefined
  }

  /** Open connections stay open and silent for ever, and what is sent over them is lost. New connections work. */
  vanish (): void {
    for (const pair of this.#pairs) pair.vanish()
  }

  /** Breaks every connection by a reset (RST), on both sides. */
  killConnections (): void {
    for (const pair of this.#pairs) pair.reset()
  }

  /** New connections are reset as soon as they are made; open ones stay. */
  refuse (): void {
    this.#isAccepting = false
  }

  /** New connections are forwarded again. */
  accept (): void {
    this.#isAccepting = true
  }

  /** Ends the proxy and all its connections; closing twice is fine. */
  async close (): Promise<void> {
    this.#isAccepting = false
    this.killConnections()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #open (client: Socket): void {
    if (!this.#isAccepting) {
      client.resetAndDestroy()
      return
    }
    const target = this.#targets[this.#accepted % this.#targets.length]
    if (target === undefined) throw new Error('a proxy needs a target')
    this.#accepted++
    const pair = new Pair(client, target, this.#line)
    this.#pairs.add(pair)
    pair.ended.addEventListener('abort', () => this.#pairs.delete(pair), { once: true })
  }
}
