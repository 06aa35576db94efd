export { createPlugin, type CreatePluginOptions, PluginNameError } from './create-plugin.ts';
