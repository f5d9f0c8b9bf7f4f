import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const PLUGINS = ['rabbitmq_management', 'rabbitmq_stream', 'rabbitmq_stream_management']

/**
 * @typedef {object} Ports
 * @property {number} stream
 * @property {number} management
 * @property {number} amqp
 * @property {number} distribution between nodes, and for the tools
 * @property {number} [streamTls] the stream protocol over TLS, where certificates are given
 */

/**
 * PEM. A client may present a certificate of the same authority; with EXTERNAL its common name is the user.
 * @typedef {{ ca: string, cert: string, key: string }} Certificates
 */

/**
 * Writes a node's configuration into its folder. The node listens on the loopback only, needs little disk and memory,
 * and forms a cluster with its peers when they start together.
 * @param {string} directory
 * @param {{ ports: Ports, isInContainer: boolean, peers: string[], extra: string[], plugins: string[],
 *   cookie: string, tls: Certificates | undefined, inside: string }} options
 */
export function writeConfiguration (directory, { ports, isInContainer, peers, extra, plugins, cookie, tls, inside }) {
  const address = isInContainer ? '0.0.0.0' : '127.0.0.1'
  const lines = [
    `listeners.tcp.1 = ${address}:${ports.amqp}`,
    `stream.listeners.tcp.1 = ${address}:${ports.stream}`,
    // The metadata of a stream sends clients to this host and port.
    'stream.advertised_host = 127.0.0.1',
    `stream.advertised_port = ${ports.stream}`,
    `management.tcp.ip = ${address}`,
    `management.tcp.port = ${ports.management}`,
    // guest may connect from the loopback alone. Seen from inside a container, this machine is not the loopback.
    ...isInContainer ? ['loopback_users = none'] : [],
    'disk_free_limit.absolute = 50MB',
    'vm_memory_high_watermark.absolute = 1GB',
    'log.console = false',
    // Without it RabbitMQ asks DNS for the name of the machine at every stream connection, which can take seconds.
    'cluster_name = private-broker',
    ...peers.length > 1 ? clusterFormation(peers) : [],
    ...tls ? tlsListener(`${address}:${ports.streamTls}`, inside) : [],
    ...extra
  ]
  mkdirSync(join(directory, 'log'), { recursive: true })
  mkdirSync(join(directory, 'conf.d'), { recursive: true })
  writeFileSync(join(directory, 'rabbitmq.conf'), `${lines.join('\n')}\n`)
  writeFileSync(join(directory, 'advanced.config'), '[].\n')
  writeFileSync(join(directory, 'rabbitmq-env.conf'), '')
  const enabled = [...PLUGINS, ...plugins, ...tls ? ['rabbitmq_auth_mechanism_ssl'] : []]
  writeFileSync(join(directory, 'enabled_plugins'), `[${enabled.join()}].\n`)
  for (const [name, pem] of Object.entries(tls ?? {})) {
    writeFileSync(join(directory, `${name}.pem`), pem, { mode: 0o600 })
  }
  writeFileSync(join(directory, '.erlang.cookie'), cookie, { mode: 0o600 })
}

/**
 * Names every place where RabbitMQ would otherwise find something of the machine's own broker: its env file, conf.d,
 * plugins, cookie.
 * @param {string} directory as the broker sees it
 * @param {{ nodename: string, ports: Ports }} options
 * @returns {Record<string, string>}
 */
export function brokerEnvironment (directory, { nodename, ports }) {
  const loopbackOnly = '-kernel inet_dist_use_interface {127,0,0,1}'
  const isLocal = nodename.endsWith('@localhost')
  return {
    LANG: 'C.UTF-8',
    HOME: directory,
    RABBITMQ_NODENAME: nodename,
    RABBITMQ_USE_LONGNAME: 'false',
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
    RABBITMQ_CONFIG_FILES: join(directory, 'conf.d', '*.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: join(directory, 'rabbitmq-env.conf'),
    RABBITMQ_PID_FILE: join(directory, 'pid'),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    // The start script then becomes the Erlang VM instead of its parent, so that the known pid is that of the VM.
    RUNNING_UNDER_SYSTEMD: 'true',
    // Two schedulers are enough for a private node. With +B i it ignores Ctrl-C, which is for the process that started
    // it.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `+S 2:2 +B i${isLocal ? ` ${loopbackOnly}` : ''}`,
    ...isLocal && { RABBITMQ_CTL_ERL_ARGS: loopbackOnly, ERL_EPMD_ADDRESS: '127.0.0.1' }
  }
}

/** @param {string} address @param {string} inside where the broker sees the node's folder */
function tlsListener (address, inside) {
  return [
    `stream.listeners.ssl.1 = ${address}`,
    `ssl_options.cacertfile = ${inside}/ca.pem`,
    `ssl_options.certfile = ${inside}/cert.pem`,
    `ssl_options.keyfile = ${inside}/key.pem`,
    'ssl_options.verify = verify_peer',
    'ssl_options.fail_if_no_peer_cert = false',
    'ssl_cert_login_from = common_name',
    'auth_mechanisms.1 = PLAIN',
    'auth_mechanisms.2 = EXTERNAL'
  ]
}

/**
 * Nodes that start at the same time wait for each other. One of them creates the cluster, the others join it.
 * @param {string[]} peers
 */
function clusterFormation (peers) {
  return [
    'cluster_formation.peer_discovery_backend = classic_config',
    ...peers.map((peer, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${peer}`),
    `cluster_formation.target_cluster_size_hint = ${peers.length}`,
    'cluster_formation.discovery_retry_limit = 120',
    'cluster_formation.discovery_retry_interval = 500'
  ]
}
