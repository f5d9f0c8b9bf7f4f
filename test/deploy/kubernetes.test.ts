import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { OPERATIONS } from '../../scripts/docs/openapi-document.ts'
import { describeSettings, loadConfig } from '../../src/config.ts'
import { describeImage } from './dockerfile.ts'
import { namesInComments, readEnvFile } from './env-file.ts'
import { manifestFaults } from './kubernetes-faults.ts'
import { isNode, items, member, text, type Node } from './yaml-node.ts'

const FOLDER = 'deploy/kubernetes'
const read = (file: string): string => readFileSync(`${FOLDER}/${file}`, 'utf8')
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
const kustomization = toNode(parse(read('kustomization.yaml')))
const image = describeImage()
const page = readFileSync('docs/kubernetes.md', 'utf8')
const MIB = 1024 * 1024

function toNode (value: unknown): Node {
  if (!isNode(value)) throw new Error(`a document of ${FOLDER} is not an object`)
  return value
}

const objects = files.flatMap((file) => parseAllDocuments(read(file)).map((document) => {
  if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join(' ')}`)
  return toNode(document.toJS())
}))

function ofKind (kind: string): Node {
  const [found, ...more] = objects.filter((object) => object['kind'] === kind)
  if (found === undefined || more.length > 0) throw new Error(`${FOLDER} needs one ${kind}`)
  return found
}

const pod = member(ofKind('Deployment'), 'spec.template')
const labels = member(pod, 'metadata.labels')
const [container = {}] = items(pod, 'spec.containers')
const settings = describeSettings()
const values = readEnvFile(`${FOLDER}/gateway.env`)
const settingsInFiles = [...read('gateway.env').matchAll(/^#?(\w+)_FILE=(\S+)$/gm)]
const settingOf = (name: string): string => values[name] ?? settings.find((one) => one.name === name)?.default ?? ''

/** The files of the pod that come from secrets, by their paths, with the content of the example. */
const podFiles = new Map(items(container, 'volumeMounts').flatMap(({ name, mountPath }) => {
  const volume = items(pod, 'spec.volumes').find((one) => one['name'] === name) ?? {}
  const secret = objects.find((one) => one['kind'] === 'Secret' &&
    member(one, 'metadata')['name'] === member(volume, 'secret')['secretName']) ?? {}
  return Object.entries(member(secret, 'stringData'))
    .map(([file, content]): [string, string] => [`${String(mountPath)}/${file}`, String(content)])
}))

function fileInPod (path: string): string {
  const content = podFiles.get(path)
  if (content === undefined) throw new Error(`the pod has no ${path}`)
  return content
}

/** A manifest with a fault in it. */
function edited (file: string, from: string, to: string): Node {
  const content = read(file)
  if (!content.includes(from)) throw new Error(`${file} has no ${from}`)
  return toNode(parse(content.replace(from, to)))
}

t.test('every manifest is what Kubernetes takes, and has no field that it does not know', async (t) => {
  t.ok(objects.length >= 7, `${objects.length} objects`)
  const wrong = [
    [edited('deployment.yaml', 'replicas: 2', 'repliccas: 2'), /repliccas.* does not exist/],
    [edited('deployment.yaml', 'replicas: 2', 'replicas: two'), /'string' is not assignable to type 'number'/],
    [edited('deployment.yaml', 'whenUnsatisfiable: ScheduleAnyway', 'whenUnsatisfiable: Always'), /"Always"/],
    [edited('deployment.yaml', 'memory: 1280Mi', 'memory: 1280MB'), /limits\/memory must match/],
    [edited('pod-disruption-budget.yaml', 'selector:', 'selectors:'), /selectors.* does not exist/],
    [edited('service-monitor.yaml', 'interval: 15s', 'intervall: 15s'), /intervall.* does not exist/],
    [edited('service-monitor.yaml', 'interval: 15s', 'interval: often'), /interval must match/]
  ] as const
  const faults = await manifestFaults([...objects, ...wrong.map(([object]) => object)])
  wrong.forEach(([, expected], index) => { t.match(faults[objects.length + index], expected) })
  t.same(faults.slice(0, objects.length), objects.map(() => ''))
})

t.test('the kustomization lists every manifest but the example of secrets and what needs an operator', async (t) => {
  t.same(Object.keys(kustomization).sort(), [
    'apiVersion', 'configMapGenerator', 'images', 'kind', 'resources'
  ])
  t.match(kustomization, { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization' })
  const listed = kustomization['resources']
  t.ok(Array.isArray(listed))
  const named = Array.isArray(listed) ? listed.map(String) : []
  t.same([...named, 'secrets.example.yaml', 'service-monitor.yaml'].sort(), files.sort())
  const [generator = {}] = items(kustomization, 'configMapGenerator')
  t.same(generator, { name: 'stream-gateway', envs: ['gateway.env'] })
  t.same(items(container, 'envFrom'), [{ configMapRef: { name: 'stream-gateway' } }])
  const [{ name, newTag } = {}] = items(kustomization, 'images')
  t.equal(name, container['image'])
  t.equal(newTag, image.labels['org.opencontainers.image.version'])
})

t.test('every variable of the deployment is a setting, with a value that the gateway takes', async (t) => {
  t.equal(container['env'], undefined, 'what is not in the file is not checked here')
  const names = Object.keys(values).map((name) => name.replace(/_FILE$/, ''))
  t.ok(names.length >= 6, names.join(' '))
  t.same(names.filter((name) => !settings.some((setting) => setting.name === name)), [])
  const { config, warnings } = loadConfig({ ...image.env, ...values }, fileInPod)
  t.same(warnings, [])
  t.same(config.access.ways, ['api-keys'])
})

t.test('the files of settings name what else is often set, by names that are settings', async (t) => {
  for (const path of [`${FOLDER}/gateway.env`, 'deploy/systemd/gateway.env']) {
    const names = namesInComments(path)
    t.ok(['LAG_STREAMS', 'PUSH_ENABLED', 'TRACING'].every((name) => names.includes(name)), path)
    // The standard variables of OpenTelemetry are not the gateway's own.
    const own = names.filter((name) => !name.startsWith('OTEL_'))
    const isSetting = (name: string): boolean => settings.some((setting) => setting.name === name)
    t.same(own.filter((name) => !isSetting(name.replace(/_FILE$/, ''))), [], path)
  }
})

t.test('the ports agree: settings, image, container, Service, policy and monitor', async (t) => {
  const ports = items(container, 'ports').map(({ name, containerPort }) => [name, String(containerPort)])
  t.same(ports, [['http', image.port], ['operations', settingOf('OPS_PORT')]])
  t.equal(image.env['HTTP_PORT'], image.port)
  t.same([image.env['HTTP_HOST'], settingOf('OPS_HOST')], ['0.0.0.0', '0.0.0.0'])
  const names = ports.map(([name]) => name)
  t.same(items(ofKind('Service'), 'spec.ports').map(({ name, targetPort }) => [name, targetPort]),
    names.map((name) => [name, name]))
  const rules = items(ofKind('NetworkPolicy'), 'spec.ingress')
  t.same(rules.flatMap((rule) => items(rule, 'ports').map(({ port }) => port)), names)
  t.ok(rules.every((rule) => items(rule, 'from').length > 0), 'nothing is open to everybody')
  const [endpoint = {}] = items(ofKind('ServiceMonitor'), 'spec.endpoints')
  t.match(endpoint, { port: 'operations', path: pathOf('getMetrics') })
})

t.test('the probes ask the port for operations, and do not restart a gateway when the broker is down', async (t) => {
  const asked = [
    ['startupProbe', 'getLiveness'], ['livenessProbe', 'getLiveness'], ['readinessProbe', 'getReadiness']
  ] as const
  for (const [probe, operation] of asked) {
    t.same(member(container, `${probe}.httpGet`), { path: pathOf(operation), port: 'operations' })
    t.ok(Number(member(container, probe)['timeoutSeconds']) >= 2, 'the gateway answers within two seconds')
  }
})

function pathOf (operation: string): string | undefined {
  return OPERATIONS.find(({ id }) => id === operation)?.path
}

t.test('a pod is not killed before the gateway has ended by itself', async (t) => {
  const grace = Number(member(pod, 'spec')['terminationGracePeriodSeconds'])
  // main.ts ends the process ten seconds after the drain timeout, of which the delay is a part.
  t.ok(grace * 1000 > Number(settingOf('DRAIN_TIMEOUT_MS')) + 10_000, `${grace} seconds`)
  t.ok(Number(settingOf('DRAIN_DELAY_MS')) >= 1000, 'the Service needs time to notice')
  t.ok(Number(settingOf('DRAIN_DELAY_MS')) < Number(settingOf('DRAIN_TIMEOUT_MS')))
})

t.test('the pod has what the restricted pod security standard asks, and the user of the image', async (t) => {
  const [uid, gid] = image.user.split(':').map(Number)
  t.same(member(pod, 'spec.securityContext'), {
    runAsNonRoot: true, runAsUser: uid, runAsGroup: gid, seccompProfile: { type: 'RuntimeDefault' }
  })
  t.same(container['securityContext'], {
    allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] }
  })
  const spec = member(pod, 'spec')
  t.equal(spec['automountServiceAccountToken'], false)
  t.same(Object.keys(spec).filter((key) => key.startsWith('host')), [])
})

t.test('the pod has secrets in files alone, in whole folders, which it cannot write', async (t) => {
  t.same([...podFiles.keys()].sort(), ['API_KEYS_PATH', 'RABBITMQ_MANAGEMENT_URL_FILE', 'RABBITMQ_STREAM_URL_FILE']
    .map((name) => values[name]))
  for (const { readOnly, subPath } of items(container, 'volumeMounts')) t.same([readOnly, subPath], [true, undefined])
  t.notMatch(read('gateway.env'), /:\/\/\S+@|PASSWORD/i)
})

t.test('one pod may be away, and pods that are not ready do not keep a node from being drained', async (t) => {
  const { maxUnavailable, unhealthyPodEvictionPolicy } = member(ofKind('PodDisruptionBudget'), 'spec')
  t.same([maxUnavailable, unhealthyPodEvictionPolicy], [1, 'AlwaysAllow'])
  t.ok(Number(member(ofKind('Deployment'), 'spec')['replicas']) > 1)
})

t.test('the limit of memory has room for the budgets', async (t) => {
  const budgets = ['PUBLISH_BUDGET_BYTES', 'READ_BUDGET_BYTES', 'HTTP_BODY_BUDGET_BYTES'].map(settingOf).map(Number)
  const process = 180 * MIB
  const needed = (budgets.reduce((sum, bytes) => sum + bytes, process)) * 1.25
  const { memory } = member(container, 'resources.limits')
  t.match(memory, /^\d+Mi$/)
  t.ok(parseInt(String(memory)) * MIB >= needed, `${String(memory)}, ${Math.ceil(needed / MIB)}Mi are needed`)
})

t.test('everything selects the pods of the deployment', async (t) => {
  t.same(member(ofKind('Deployment'), 'spec.selector.matchLabels'), labels)
  t.same(member(ofKind('Service'), 'spec.selector'), labels)
  t.same(member(ofKind('NetworkPolicy'), 'spec.podSelector.matchLabels'), labels)
  t.same(member(ofKind('PodDisruptionBudget'), 'spec.selector.matchLabels'), labels)
  t.same(member(ofKind('ServiceMonitor'), 'spec.selector.matchLabels'), member(ofKind('Service'), 'metadata.labels'))
  for (const spread of items(pod, 'spec.topologySpreadConstraints')) {
    t.same(member(spread, 'labelSelector.matchLabels'), labels)
  }
})

t.test('the example of secrets has what the deployment reads, and no secret', async (t) => {
  t.ok(settingsInFiles.length >= 3)
  for (const [line, , path = ''] of settingsInFiles) {
    if (line.startsWith('#')) t.match(read('secrets.example.yaml'), `# ${basename(path)}: `, 'a comment in both files')
    else t.match(fileInPod(path), /:\/\/gateway:PASSWORD@/)
  }
  t.same(JSON.parse(fileInPod(settingOf('API_KEYS_PATH'))), { keys: [] })
})

t.test('the page names every file and what the deployment needs', async (t) => {
  for (const file of [...files, 'kustomization.yaml', 'gateway.env']) t.match(page, file)
  for (const volume of items(pod, 'spec.volumes')) {
    t.match(page, `secret generic ${text(member(volume, 'secret'), 'secretName')}`)
  }
  for (const [, , path = ''] of settingsInFiles) t.match(page, `--from-literal=${basename(path)}=`)
})
