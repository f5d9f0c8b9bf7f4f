import { spawn } from 'node:child_process'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { gatewayCommand } from './gateway-command.mjs'
import { tiedToParent } from './parents.mjs'
import { isPortFree } from './ports.mjs'
import { waitFor } from './process.mjs'
import { say, Stop } from './say.mjs'
import { interruption } from './signals.mjs'

/** How callers show who they are; undefined without authentication. */
export function gatewayAuth () {
  const ways = process.env['AUTH']
  return ways === undefined || ways === '' || ways === 'none' ? undefined : ways
}

/** Where the gateway will listen: its own settings and their defaults. */
export function gatewayAddress () {
  return { host: process.env['HTTP_HOST'] || '127.0.0.1', port: Number(process.env['HTTP_PORT'] || 8080) }
}

/**
 * Stops with a clear message when the port is taken, before any long step.
 * @param {{ host: string, port: number }} address
 */
export async function checkPort ({ host, port }) {
  // The gateway also accepts 0, for a free port; this script has to know the port.
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Stop('HTTP_PORT must be a number from 1 to 65535.')
  const isFree = () => isPortFree(port, host).catch((error) => {
    throw new Stop(`Cannot listen on HTTP_HOST ${host}, HTTP_PORT ${port}: ${error.message}`)
  })
  // At a restart the gateway of the start before may still be ending.
  if (await waitFor(isFree, { timeoutMs: 3000 })) return
  throw new Stop(
    `Port ${port} of ${host} is already in use. Stop the process that uses it, or choose another port: ` +
    `HTTP_PORT=${port + 1} npm start`
  )
}

/** The gateway as a child process. */
export class Gateway {
  #child
  /** Settles with how it ended. @type {Promise<string>} */
  ended
  #origin

  /** @param {Record<string, string>} environment added to this process' own */
  constructor (environment) {
    const { host, port } = gatewayAddress()
    const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
    const scheme = process.env['HTTP_TLS_CERT_PATH'] ? 'https' : 'http'
    this.#origin = `${scheme}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
    const [program = '', ...args] = tiedToParent(gatewayCommand())
    this.#child = spawn(program, args, {
      env: { LOG_FORMAT: 'pretty', ...process.env, ...environment },
      stdio: ['ignore', 'inherit', 'inherit'],
      // In a process group of its own: Ctrl-C reaches this script alone, which passes it on once. A second signal would
      // make the gateway drop the requests in flight.
      detached: true
    })
    this.ended = new Promise(resolve => {
      this.#child.once('error', error => resolve(error.message))
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
  }

  /** Waits until /health/ready answers 200. Throws a Stop when the gateway ends before, or takes too long. */
  async untilReady () {
    /** @type {string | undefined} */
    let ended
    void this.ended.then(how => { ended = how })
    let health = 'nothing'
    const isReady = await waitFor(async () => {
      if (ended !== undefined || interruption.aborted) return true
      try {
        const { status, body } = await ask(`${this.#origin}/health/ready`)
        health = `${status} ${body}`
        return status === 200
      } catch (error) {
        return doesAskForCertificate(error)
      }
    }, { timeoutMs: 60_000 })
    if (interruption.aborted) throw new Stop('Interrupted.')
    if (ended !== undefined) throw new Stop(`The gateway ended while it started: ${ended}`)
    if (!isReady) {
      throw new Stop(`The gateway was not ready after 60 seconds. ${this.#origin}/health/ready answers: ${health}`)
    }
  }

  /** @param {string} stream */
  async createStream (stream) {
    const response = await fetch(`${this.#origin}/v1/streams/${stream}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{}',
      signal: AbortSignal.timeout(30_000)
    })
    // 409: the stream exists, with other arguments.
    if (!response.ok && response.status !== 409) {
      say(`The stream ${stream} could not be created: ${response.status} ${await response.text()}`)
    }
  }

  /** What to do next. @param {{ isStreamThere: boolean }} options */
  welcome ({ isStreamThere }) {
    return `
The gateway is ready: ${this.#origin}
Swagger UI:           ${this.#origin}/docs

${gatewayAuth() === undefined ? this.#firstRequests(isStreamThere) : this.#firstCredential()}
Ctrl-C stops everything.
`
  }

  #firstCredential () {
    const ways = gatewayAuth()?.split(',').map(way => way.trim()) ?? []
    const self = `${this.#origin}/v1/whoami`
    const calls = ways.map(way => `  ${callOf[way] ?? 'curl'} ${self}`)
    return `Callers have to show who they are: AUTH=${ways.join()}. docs/security.md says how. For example:
${calls.join('\n')}
`
  }

  /** @param {boolean} isStreamThere */
  #firstRequests (isStreamThere) {
    const stream = `${this.#origin}/v1/streams/hello`
    const json = "-H 'content-type: application/json'"
    const introduction = isStreamThere
      ? 'The stream "hello" is there. Publish to it, and read it back:'
      : `Create a stream, publish to it, and read it back:\n  curl -X PUT ${stream} ${json} -d '{}'`
    return `${introduction}
  curl ${stream}/messages ${json} -d '{"messages":[{"body":"hello, stream"}]}'
  curl '${stream}/messages?offset=first'
`
  }

  /** Ends the gateway and waits for it without a deadline: the gateway has its own for requests in flight. */
  async stop () {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM')
    await this.ended
  }
}

/** How a caller of each way shows who it is. @type {Record<string, string>} */
const callOf = {
  'api-keys': 'curl -H "authorization: Bearer $KEY"',
  jwt: 'curl -H "authorization: Bearer $TOKEN"',
  mtls: 'curl --cacert keys/tls.crt --cert keys/client.crt --key keys/client.key',
  rabbitmq: 'curl -u guest:guest'
}

/**
 * Whether the gateway listens and closes connections without a client certificate, which this script does not have.
 * @param {unknown} error
 */
function doesAskForCertificate (error) {
  const isRequired = process.env['HTTP_TLS_CLIENT_AUTH'] === 'required'
  return isRequired && error instanceof Error && 'code' in error && error.code !== 'ECONNREFUSED'
}

/**
 * Asks the gateway of this script, whose certificate may be for another name than that of this machine.
 * @param {string} url
 */
async function ask (url) {
  const signal = AbortSignal.timeout(2000)
  if (!url.startsWith('https:')) {
    const response = await fetch(url, { signal })
    return { status: response.status, body: await response.text() }
  }
  /** @type {import('node:http').IncomingMessage} */
  const response = await new Promise((resolve, reject) => {
    request(url, { signal, rejectUnauthorized: false }, resolve).once('error', reject).end()
  })
  return { status: response.statusCode, body: await text(response) }
}
