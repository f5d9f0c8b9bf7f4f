import ipaddr from 'ipaddr.js'

type Network = ReturnType<typeof ipaddr.parseCIDR>

// ipaddr.js takes these for ordinary addresses. They carry an IPv4 address, and some systems connect to that one.
const IPV4_COMPATIBLE = ipaddr.parseCIDR('::/96')

/**
 * Whether an address belongs to the public internet. Loopback, private, link-local, shared, multicast, reserved and
 * documentation addresses do not, and neither do IPv6 addresses that stand for an IPv4 address by a way of translation
 * (NAT64, 6to4, Teredo, IPv4-compatible). An IPv4-mapped address is judged as the IPv4 address that it is.
 *
 * @param address without brackets; anything but an address is not public
 */
export function isPublic (address: string): boolean {
  const parsed = parse(address)
  if (parsed === undefined || parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || !parsed.match(IPV4_COMPATIBLE)
}

/** A set of networks that may be named in a setting. */
export class Networks {
  readonly #networks: readonly Network[]

  /** @param networks in CIDR notation; a single address counts as the network of it alone. @throws Error */
  constructor (networks: readonly string[]) {
    this.#networks = networks.map((network) => {
      if (network.includes('/')) return ipaddr.parseCIDR(network)
      const address = ipaddr.process(network)
      return [address, address.kind() === 'ipv4' ? 32 : 128]
    })
  }

  has (address: string): boolean {
    const parsed = parse(address)
    if (parsed === undefined) return false
    return this.#networks.some((network) => network[0].kind() === parsed.kind() && parsed.match(network))
  }
}

function parse (address: string): ReturnType<typeof ipaddr.process> | undefined {
  return ipaddr.isValid(address) ? ipaddr.process(address) : undefined
}
