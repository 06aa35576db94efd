/** What a configuration is made of. */
export type YamlValue = string | number | boolean | readonly YamlValue[] | YamlMap;

export interface YamlMap {
  readonly [key: string]: YamlValue;
}

const PLAIN = /^[A-Za-z_/][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*$/;
const WORDS_WITH_A_MEANING = /^(true|false|null|yes|no|on|off|y|n)$/i;

/** A configuration file with these tenants. */
export function tenantsYaml(tenants: YamlMap): string {
  return yamlText({ tenants });
}

/** Block-style YAML of plain data, readable enough to be shown to people. */
export function yamlText(value: YamlValue, indent = ''): string {
  if (typeof value !== 'object') return `${indent}${scalar(value)}\n`;
  if (Array.isArray(value)) {
    return value.map((item: YamlValue) => `${indent}- ${yamlText(item, `${indent}  `).trimStart()}`).join('');
  }
  return Object.entries(value)
    .map(([key, item]: [string, YamlValue]) => {
      if (typeof item !== 'object') return `${indent}${scalar(key)}: ${scalar(item)}\n`;
      if (Object.keys(item).length === 0)
        return `${indent}${scalar(key)}: ${Array.isArray(item) ? '[]' : '{}'}\n`;
      return `${indent}${scalar(key)}:\n${yamlText(item, `${indent}  `)}`;
    })
    .join('');
}

function scalar(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  return PLAIN.test(value) && !WORDS_WITH_A_MEANING.test(value) ? value : JSON.stringify(value);
}
