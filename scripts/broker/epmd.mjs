import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { sep } from 'node:path'
import { connect } from 'node:net'
import { rootsDirectory } from '../setup/paths.mjs'

/**
 * Ends the Erlang port mapper (epmd) if its program lies in one of our root folders and no node is registered with it.
 * The first Erlang node of a machine starts epmd as a daemon, and no node stops it. An epmd of the machine's own broker
 * keeps running, and so does one that a node uses.
 */
export async function stopEpmd () {
  const pid = privateEpmd()
  if (pid !== undefined && await hasNoNodes()) process.kill(pid, 'SIGTERM')
}

function privateEpmd () {
  return readPids().find(pid => {
    try {
      return (
        readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'epmd' &&
        readlinkSync(`/proc/${pid}/root`).startsWith(rootsDirectory + sep)
      )
    } catch {
      return false
    }
  })
}

function readPids () {
  try {
    return readdirSync('/proc').map(Number).filter(pid => pid > 0)
  } catch {
    return []
  }
}

/**
 * NAMES_REQ of the epmd protocol: two bytes of length, the tag 110; the answer is four bytes of port, then a line of
 * text for each node (Erlang documentation, "Distribution Protocol").
 * @returns {Promise<boolean>}
 */
function hasNoNodes () {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port: 4369, timeout: 2000 })
    let length = 0
    socket.once('connect', () => socket.write(Buffer.from([0, 1, 110])))
    socket.on('data', chunk => { length += chunk.length })
    socket.once('end', () => resolve(length === 4))
    socket.once('timeout', () => socket.destroy())
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}
