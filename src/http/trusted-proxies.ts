import { BlockList, isIP } from 'node:net'

/** An address, or a network of addresses. */
export interface Network { readonly address: string, readonly family: 'ipv4' | 'ipv6', readonly bits: number }

/** Tells whether an address is that of a trusted proxy. */
export function trustedProxies (networks: readonly Network[]): (address: string) => boolean {
  const list = new BlockList()
  for (const { address, family, bits } of networks) list.addSubnet(address, bits, family)
  return (text) => {
    // What a socket that listens for both families says of an IPv4 client.
    const address = text.startsWith('::ffff:') && text.includes('.') ? text.slice(7) : text
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }
}
