// A Node.js that is too old has to be able to read this: it imports nothing, and its syntax is that of 2019.

const oldest = { major: 20, minor: 19 }

/**
 * Says so in one line when this Node.js is too old, and sets the exit code 1.
 * @returns {boolean} whether it is new enough
 */
export function isNodeNewEnough () {
  const version = process.versions.node
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return true
  process.stderr.write(`Node.js ${oldest.major}.${oldest.minor} or newer is needed; this is ${version}.\n`)
  process.exitCode = 1
  return false
}
