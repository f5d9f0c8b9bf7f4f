const MAPPED_IPV4 = '::ffff:'
const GROUPS_OF_NETWORK = 4

/**
 * The name under which an address is counted. Of an IPv6 address it is the network of 64 bits: whoever has one address
 * of it has all.
 */
export function addressName (address: string | undefined): string {
  if (address === undefined) return 'unknown'
  if (address.startsWith(MAPPED_IPV4) && address.includes('.')) return address.slice(MAPPED_IPV4.length)
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  while (groups.length + last.length < 8) groups.push('0')
  return [...groups, ...last].slice(0, GROUPS_OF_NETWORK).map((group) => parseInt(group, 16).toString(16)).join(':')
}
