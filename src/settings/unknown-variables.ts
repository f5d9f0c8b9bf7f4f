import { nearestName } from './near-names.ts'
import type { Environment, SettingDescription } from './setting-reader.ts'

// What container runtimes add for a service with such a name, and the address in it: X_PORT=tcp://172.17.0.2:5672.
const FROM_RUNTIMES = /_SERVICE_(HOST|PORT)|_PORT_\d+_/
const ADDRESS = /^(tcp|udp|sctp):\/\//
// The broker's own variables, which often stand in one file with the gateway's, and those of its image.
const OF_THE_BROKER = new RegExp(
  '^RABBITMQ_(' +
  'ADVANCED_CONFIG|ALLOW_|BASE|BOOT_|CLUSTER_|CONF_ENV|CONFIG_|CONSOLE_|CTL_|DATA_DIR|DBG|DEFAULT_|DEVEL|' +
  'DIST|ENABLED_PLUGINS|ERL|FEATURE_FLAGS|FORCE_|GENERATED_|HOME|IGNORE_|IO_THREAD|KEEP_PID|LOG|MAX_NUMBER_|' +
  'MAX_OPEN_|' +
  'MNESIA|MOTD|NODE|PGP_|PID_|PLUGINS|PRODUCT_|QUORUM_|SASL|SCHEDULER|SCHEMA_|SCRIPTS_|SERVER_|SERVICENAME|SSL_|' +
  'START_|STREAM_(DIR|QUEUE)|UPGRADE_|USE_|VERSION|VM_MEMORY|MANAGEMENT_(SSL|ALLOW|BIND)' +
  ')'
)
const NOT_OURS = /^HTTP_PROXY$/i
// Short words begin variables of many programs.
const MIN_GUESS_LENGTH = 8

/**
 * A warning for each variable that looks like a setting of the gateway and is not one. It shows no value.
 *
 * @param settings every setting that there is
 */
export function warnOfVariables (env: Environment, settings: readonly SettingDescription[]): string[] {
  const known = settings.flatMap(({ name, hasFile }) => hasFile ? [name, `${name}_FILE`] : [name])
  const prefixes = new Set(known.map(firstWord))
  const warnings: string[] = []
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '' || known.includes(name)) continue
    if (NOT_OURS.test(name) || FROM_RUNTIMES.test(name) || ADDRESS.test(value) || OF_THE_BROKER.test(name)) continue
    const meant = name.length < MIN_GUESS_LENGTH ? undefined : nearestName(name, known)
    if (meant !== undefined) warnings.push(`${name} is not a setting; did you mean ${meant}? See docs/configuration.md`)
    else if (prefixes.has(firstWord(name))) warnings.push(`${name} is not a setting; see docs/configuration.md`)
  }
  // Many platforms set PORT for the programs that they run.
  if (isSet(env.PORT) && !isSet(env.HTTP_PORT)) {
    warnings.push('PORT is not a setting and is not read; the port to listen on is HTTP_PORT')
  }
  return warnings
}

function isSet (value: string | undefined): boolean {
  return value !== undefined && value !== ''
}

function firstWord (name: string): string {
  return name.split('_', 1)[0] ?? name
}
