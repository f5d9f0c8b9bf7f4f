import { lookup as resolve, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { isPublic, Networks } from './addresses.ts'

const MAX_URL_LENGTH = 2048
// Other ports below 1024 belong to services that understand a part of what an HTTP request may say: mail, databases.
const FIRST_FREE_PORT = 1024
const WEB_PORTS = [80, 443]

export interface GuardOptions {
  /** Endpoints may be reached without TLS. */
  readonly allowHttp: boolean
  /** Names of hosts whose addresses may be private, in lower case. */
  readonly allowedHosts: readonly string[]
  /** Networks, in CIDR notation, to which endpoints may belong although they are private. */
  readonly allowedNetworks: readonly string[]
}

/** The guard has refused to connect. */
export class GuardError extends Error {
  override readonly name = 'GuardError'
}

/**
 * Decides to which endpoints the gateway connects, so that a caller cannot use a subscription to reach what only the
 * gateway can reach. A name is judged by the addresses that it has at the moment of the connection, all of
 * them, and the connection goes to one of those.
 */
export class Guard {
  readonly #options: GuardOptions
  readonly #hosts: ReadonlySet<string>
  readonly #networks: Networks

  /** @throws Error when a network is not written in CIDR notation */
  constructor (options: GuardOptions) {
    this.#options = options
    this.#hosts = new Set(options.allowedHosts)
    this.#networks = new Networks(options.allowedNetworks)
  }

  /** Why a URL cannot be that of an endpoint, for its user to read; undefined when it can. Asks no name server. */
  refusalOf (text: string): string | undefined {
    if (text.length > MAX_URL_LENGTH) return `must not be longer than ${MAX_URL_LENGTH} characters`
    if (!URL.canParse(text)) return 'must be an absolute URL'
    const { protocol, username, password, hash, port, hostname } = new URL(text)
    if (protocol === 'http:' && !this.#options.allowHttp) return 'must begin with https://'
    if (protocol !== 'https:' && protocol !== 'http:') return 'must begin with https://'
    if (username !== '' || password !== '') return 'must not have a user or a password: send a header instead'
    if (hash !== '') return 'must not have a fragment'
    if (port !== '' && Number(port) < FIRST_FREE_PORT && !WEB_PORTS.includes(Number(port))) {
      return `must have port 80, 443, or one from ${FIRST_FREE_PORT} on`
    }
    return this.#refusalOfLiteral(hostname)
  }

  /** Whether a connection may be made to the host as it is written. @throws GuardError */
  admit (hostname: string): void {
    const refusal = this.#refusalOfLiteral(hostname)
    if (refusal !== undefined) throw new GuardError(`the endpoint ${refusal}`)
  }

  /** Resolves a name for a connection, and refuses it when one of its addresses is not allowed. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, [])
      const refused = addresses.find(({ address }) => !this.#allows(hostname, address))
      if (refused !== undefined) return callback(new GuardError(`${hostname} has an address that is not public`), [])
      const [first] = addresses
      if (first === undefined) return callback(new GuardError(`${hostname} has no address`), [])
      if (options.all === true) callback(null, addresses satisfies LookupAddress[])
      else callback(null, first.address, first.family)
    })
  }

  // Node.js asks no lookup for an address.
  #refusalOfLiteral (hostname: string): string | undefined {
    const address = hostname.replace(/^\[(.*)\]$/, '$1')
    if (isIP(address) === 0 || this.#allows(address, address)) return undefined
    return 'must have a public address'
  }

  #allows (hostname: string, address: string): boolean {
    return isPublic(address) || this.#hosts.has(hostname.toLowerCase()) || this.#networks.has(address)
  }
}
