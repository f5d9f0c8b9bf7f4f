import { connect, createServer } from 'node:net'

/**
 * Free TCP ports of 127.0.0.1. They are below 32768, where the ports begin that Linux gives to outgoing connections: an
 * outgoing connection could take the port of a broker that is stopped for a moment.
 * @param {number} count
 */
export async function freePorts (count) {
  /** @type {Set<number>} */
  const ports = new Set()
  while (ports.size < count) {
    const port = 10240 + Math.floor(Math.random() * 22000)
    if (await isPortFree(port)) ports.add(port)
  }
  return [...ports]
}

/** @param {number} port @param {string} [host] @returns {Promise<boolean>} */
export function isPortFree (port, host = '127.0.0.1') {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', error => {
      if ('code' in error && error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    })
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** @param {number} port @param {string} [host] @returns {Promise<boolean>} */
export function isListening (port, host = '127.0.0.1') {
  return new Promise(resolve => {
    const socket = connect({ port, host, timeout: 2000 })
    const answer = (/** @type {boolean} */ is) => {
      socket.destroy()
      resolve(is)
    }
    socket.once('connect', () => answer(true))
    socket.once('timeout', () => answer(false))
    socket.once('error', () => answer(false))
  })
}
