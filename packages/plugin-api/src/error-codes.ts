// oxlint-disable max-lines -- a data table
/** What a code says about how the process ends: 1 will be retried, 2 needs a new configuration, 3 is ours. */
export type ExitCode = 1 | 2 | 3;

export interface ErrorCodeEntry {
  readonly meaning: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
}

const entry = (exitCode: ExitCode, meaning: string, fix: string): ErrorCodeEntry => ({
  meaning,
  fix,
  exitCode,
});

/** Every code, by area. `docs/errors.md` is generated from this table; retired codes are never reused. */
export const ERROR_CODES = {
  // Money
  CB_MONEY_CURRENCY: entry(1, 'Two currencies met in one sum.', 'Bill each currency in a tenant of its own.'),
  CB_MONEY_PARSE: entry(
    1,
    'An amount is not a finite decimal number.',
    'Correct the amount at its source; the line is held, not dropped.',
  ),
  CB_MONEY_TOO_LARGE: entry(
    1,
    'An amount does not fit the ledger (about 92 billion of the currency).',
    'Check the unit of the rate or of the quantity.',
  ),
  CB_MONEY_WEIGHT: entry(
    1,
    'A split was asked for with unusable weights.',
    'Make the allocator return non-negative weights, at least one of them positive, each recipient once.',
  ),

  // Configuration
  CB_CONFIG_INVALID: entry(
    2,
    'The configuration has problems; each is listed.',
    'Mend the listed places; `chargeback validate` checks without running.',
  ),
  CB_CONFIG_READ: entry(
    2,
    'A configuration or environment file cannot be read.',
    'Check the path and that the file is readable.',
  ),
  CB_CONFIG_YAML: entry(2, 'The file is not valid YAML.', 'Correct the YAML at the place shown.'),
  CB_CONFIG_UNKNOWN_KEY: entry(
    2,
    'A key means nothing here.',
    'Use the nearest name offered, or remove the key.',
  ),
  CB_CONFIG_VALUE: entry(
    2,
    'A value is missing, of the wrong kind or out of bounds.',
    'Write a value as described.',
  ),
  CB_CONFIG_VARIABLE: entry(
    2,
    'An environment variable that the configuration names is not set.',
    'Set it, put it into the .env file, or give a default: ${NAME:-default}.',
  ),
  CB_CONFIG_SHARED_DATABASE: entry(
    2,
    'Two tenants name the same database.',
    'Give each tenant its own storage.connection_string.',
  ),
  CB_CONFIG_IGNORED_KEY: entry(
    2,
    'A key of the existing product has no meaning here and is ignored.',
    'Remove the key.',
  ),
  CB_CONFIG_UNKNOWN_TENANT: entry(2, 'No tenant of that name is configured.', 'Use one of the names listed.'),

  // Plugins
  CB_PLUGIN_LOAD: entry(2, 'A plugin could not be loaded.', 'Mend the cause shown; the other plugins go on.'),
  CB_PLUGIN_DUPLICATE: entry(
    2,
    'Two plugins register the same ecosystem.',
    'Remove one of them or rename its ecosystem.',
  ),
  CB_PLUGIN_API_VERSION: entry(
    2,
    'A plugin was written for another version of the contract.',
    'Install a version of the plugin made for this engine.',
  ),
  CB_PLUGIN_UNKNOWN_ECOSYSTEM: entry(
    2,
    'A tenant names an ecosystem that no plugin registered.',
    'Use one of the ecosystems listed, or mend the plugin that failed to load.',
  ),
  CB_PLUGIN_CREATE: entry(
    1,
    'A plugin could not be started for a tenant.',
    'Mend the cause shown; the tenant is retried at the next run.',
  ),
  CB_PLUGIN_DUPLICATE_PRODUCT: entry(
    2,
    'An ecosystem declares one product type twice.',
    'Give each product type one route.',
  ),

  // Overrides
  CB_OVERRIDE_SYNTAX: entry(
    2,
    'The path of an override cannot be understood.',
    'Write dir.module.export, package#export or ./file.mjs#export.',
  ),
  CB_OVERRIDE_PRODUCT_TYPE: entry(
    2,
    'An override names a product type that the ecosystem does not have.',
    'Use one of the product types listed by `chargeback plugins wiring`.',
  ),
  CB_OVERRIDE_MODULE: entry(
    2,
    'The module of an override is not there, or there are several.',
    'Put the file at one of the paths tried, or install the package beside the configuration file.',
  ),
  CB_OVERRIDE_IMPORT: entry(2, 'The module of an override cannot be loaded.', 'Mend the cause shown.'),
  CB_OVERRIDE_EXPORT: entry(
    2,
    'The module of an override has no such export.',
    'Use one of the exports listed.',
  ),
  CB_OVERRIDE_KIND: entry(
    2,
    'What an override names is of another kind than its place needs.',
    'Export a function, or what defineAllocator, defineIdentityResolver or defineEmitter returns.',
  ),
  CB_OVERRIDE_CREATE: entry(2, 'An override could not be made from its parameters.', 'Mend the cause shown.'),
  CB_OVERRIDE_REHEARSAL: entry(
    2,
    'An override misbehaved on the canned lines that it is tried with before any money moves.',
    'Mend it as shown; testAllocator and testIdentityResolver of @chargeback/testkit show the case.',
  ),

  // Admin API of the billed system
  CB_ADMIN_UNREACHABLE: entry(
    1,
    'None of the servers that list the inventory could be reached.',
    'Check resource_source.bootstrap_servers, the network and that the servers are up.',
  ),
  CB_ADMIN_TLS: entry(
    1,
    'The encrypted connection to a server that lists the inventory could not be made.',
    'Check resource_source.security_protocol, ca_file, cert_file and key_file.',
  ),
  CB_ADMIN_AUTH: entry(
    1,
    'A server that lists the inventory refused the credentials.',
    'Check resource_source.sasl_mechanism, sasl_username and sasl_password, and what they may describe.',
  ),
  CB_ADMIN_TIMEOUT: entry(
    1,
    'A server that lists the inventory did not answer in time.',
    'Raise resource_source.timeout_seconds, or look into the load of the servers.',
  ),

  // Metrics
  CB_METRICS_UNREACHABLE: entry(
    1,
    'The metrics server could not be reached.',
    'Check metrics.url, the network and that the server is up.',
  ),
  CB_METRICS_TIMEOUT: entry(
    1,
    'The metrics server did not answer in time.',
    'Raise metrics.timeout_seconds, or make the query cheaper.',
  ),
  CB_METRICS_AUTH: entry(
    1,
    'The metrics server refused the credentials.',
    'Check metrics.auth_type and its credentials.',
  ),
  CB_METRICS_RATE_LIMITED: entry(
    1,
    'The metrics server kept asking to slow down.',
    'Lower metrics_prefetch_workers or raise the limit of the server.',
  ),
  CB_METRICS_SERVER: entry(
    1,
    'The metrics server answered with an error.',
    'Look into the log of the metrics server.',
  ),
  CB_METRICS_QUERY: entry(
    1,
    'The metrics server rejected a query.',
    "Correct the query; try it in the server's own page.",
  ),
  CB_METRICS_ANSWER: entry(
    1,
    'The answer is not one of the Prometheus HTTP API.',
    'Point metrics.url at a Prometheus-compatible server, path prefix included.',
  ),
  CB_METRICS_SAMPLE: entry(
    1,
    'Samples that are NaN, infinite or negative were set aside.',
    'Correct the query; the coverage is lowered by the rejected samples.',
  ),
  CB_METRICS_LABEL: entry(
    1,
    'Series do not carry the label that names the identity or the resource. Where others do, or the query asks for it, their usage goes to UNALLOCATED.',
    'Aggregate by that label: sum by (<label>) (…); or leave such series out: {<label>!=""}.',
  ),
  CB_METRICS_PARTIAL: entry(
    1,
    'The metrics server warned that its answer is not whole.',
    'Look into the warning; the coverage of the day is not complete.',
  ),
  CB_METRICS_TOO_LARGE: entry(
    1,
    'An answer is larger than the bound.',
    'Aggregate in the query, or raise metrics.max_response_bytes.',
  ),

  // A vendor's API
  CB_SOURCE_UNREACHABLE: entry(
    1,
    "The vendor's API could not be reached.",
    'Check the base URL, the network and a proxy in between.',
  ),
  CB_SOURCE_TIMEOUT: entry(
    1,
    "The vendor's API did not answer in time.",
    'Raise timeout_seconds; the request is made again at the next run.',
  ),
  CB_SOURCE_AUTH: entry(
    1,
    "The vendor's API does not accept the credentials.",
    'Check key and secret; a key that was deleted or has expired must be replaced.',
  ),
  CB_SOURCE_FORBIDDEN: entry(
    1,
    "The credentials are known but may not ask this of the vendor's API.",
    'Give the owner of the key the role that the request needs.',
  ),
  CB_SOURCE_NOT_FOUND: entry(
    1,
    "The vendor's API does not know an address that must exist.",
    'Check the base URL; an empty answer is not assumed.',
  ),
  CB_SOURCE_RATE_LIMITED: entry(
    1,
    "The vendor's API kept asking to slow down.",
    'Lower requests_per_second; the request is made again at the next run.',
  ),
  CB_SOURCE_SERVER: entry(
    1,
    "The vendor's API answered with an error of its own.",
    "Look at the vendor's status page; the request is made again at the next run.",
  ),
  CB_SOURCE_REQUEST: entry(
    1,
    "The vendor's API rejected a request.",
    'Look into the message; correct the setting it speaks of.',
  ),
  CB_SOURCE_ANSWER: entry(
    1,
    "An answer of the vendor's API cannot be understood.",
    'Point the base URL at the API itself; if it does, report this as a defect, with the message.',
  ),
  CB_SOURCE_PAGING: entry(
    1,
    'The pages of a listing do not come to an end or lead to another server.',
    'The listing is asked for again at the next run; nothing of it was used.',
  ),
  CB_SOURCE_TOO_LARGE: entry(1, 'An answer is larger than the bound.', 'Raise max_response_bytes.'),

  // Usage and coverage
  CB_USAGE_INCOMPLETE: entry(
    1,
    'Metrics of a day are missing in part or altogether.',
    'Mend the gap, or choose missing_usage: estimate or fallback.',
  ),

  // Billing and allocation
  CB_BILLING_GATHER: entry(
    1,
    'The bill of a window could not be gathered.',
    'Mend the cause shown; the dates are tried again at the next run.',
  ),
  CB_INVENTORY_EMPTY: entry(
    1,
    'A listing names nothing of a type of which things are known.',
    'Check the rights of the credentials. When everything is really gone, set zero_gather_deletion_threshold.',
  ),
  CB_BILLING_AMOUNT: entry(
    1,
    'An amount of a bill is not a decimal number that fits the ledger; the date is held.',
    'Ask the vendor to mend the row; the date is gathered again at the next run.',
  ),
  CB_BILLING_ROW: entry(
    1,
    'A row of a bill does not say what it is for, or contradicts itself; the dates it may belong to are held.',
    'Ask the vendor to mend the row; the dates are gathered again at the next run.',
  ),
  CB_BILLING_DUPLICATE: entry(
    1,
    'Rows of a bill share an id.',
    'Nothing needs doing where the rows are the same; otherwise ask the vendor which one counts.',
  ),
  CB_BILLING_HISTORY: entry(
    1,
    'Dates lie further back than the vendor keeps bills.',
    'Lower lookback_days; what was stored stays.',
  ),
  CB_BILLING_LIFETIME: entry(
    1,
    'A bill names a resource for a time in which it did not exist, as its listing has it; the cost is retained.',
    'Ask the vendor which is right. To allocate such lines whole, set partial_period: allocate_full.',
  ),
  CB_INVENTORY_GATHER: entry(
    1,
    'Resources or identities could not be listed.',
    'Mend the cause shown; what was known stays known.',
  ),
  CB_INVENTORY_CREDENTIALS: entry(
    1,
    'A part of the inventory needs credentials of its own, and none are configured.',
    'Add the credentials, or leave the type out.',
  ),
  CB_LINE_INVALID: entry(
    1,
    'A billing line is not usable.',
    'Mend the plugin that yielded it; the date is held.',
  ),
  CB_ALLOCATION_FAILED: entry(
    1,
    'An allocator or resolver failed on a line.',
    'Mend the allocator; after allocation_retry_limit tries the line goes to UNALLOCATED.',
  ),
  CB_ALLOCATION_MODEL: entry(
    2,
    'An allocation model is built wrongly.',
    'End a chain with one terminal model; let the ratios of a composite add up to 1.',
  ),
  CB_ALLOCATION_UNKNOWN_PRODUCT: entry(
    1,
    'A product type has no route; its cost went to the fallback route.',
    'Update the plugin, or override the fallback by its name in `chargeback plugins wiring`.',
  ),
  CB_UNCONSERVED: entry(
    3,
    'Rows and retained cost of a line do not add up to the line. Nothing was written.',
    'Report this as a defect, with the line.',
  ),
  CB_GRANULARITY_UNKNOWN: entry(
    2,
    'A line has a granularity that is neither built in nor configured.',
    'Add it to plugin_settings.granularity_durations.',
  ),
  CB_RUN_RETENTION: entry(
    1,
    'Days are left out because retention would remove them again.',
    'Raise retention_days, or look back fewer days.',
  ),
  CB_RUN_TIMEOUT: entry(
    1,
    'A run took longer than it may.',
    'Raise tenant_execution_timeout_seconds, or look back fewer days at once; the next run goes on where this one stopped.',
  ),
  CB_RUN_SUSPENDED: entry(
    1,
    'A tenant is suspended, because its source failed too often.',
    'Mend the cause, then run `chargeback resume`.',
  ),
  CB_RUN_INTERRUPTED: entry(1, 'The run was asked to stop.', 'Run again; it resumes where it stopped.'),

  // Storage
  CB_STORAGE_CONNECTION: entry(
    2,
    'A storage.connection_string cannot be understood.',
    'Write sqlite:///relative/path.db, sqlite:////absolute/path.db or postgresql://user:password@host:5432/database.',
  ),
  CB_STORAGE_OPEN: entry(
    2,
    'The database cannot be opened.',
    'Check that the directory exists and that the file is writable; for a server its name, user and password.',
  ),
  CB_STORAGE_UNREACHABLE: entry(
    1,
    'The database server cannot be reached, or went away.',
    'Check the host, the port and that the server is up, then run again; nothing half-written is kept.',
  ),
  CB_STORAGE_MIGRATION: entry(
    2,
    'The schema of the database could not be brought up to date.',
    'Mend the cause shown. Nothing was changed: the former version of the program goes on working.',
  ),
  CB_STORAGE_COPY: entry(
    1,
    'A tenant could not be copied from one database to another.',
    'Mend the cause shown and copy into an empty database; the one copied from is never changed.',
  ),
  CB_STORAGE_OWNER: entry(
    2,
    'The database belongs to another tenant.',
    'Give this tenant its own storage.connection_string.',
  ),
  CB_STORAGE_VERSION: entry(
    2,
    'The database was written by a newer version of this program.',
    'Install that version or a later one.',
  ),
  CB_STORAGE_BUSY: entry(
    1,
    'Another process holds the database.',
    'Let the other process finish, then run again.',
  ),
  CB_STORAGE_LEASE: entry(
    1,
    'Another process works on the tenant.',
    'Let it finish, or wait until its lease expires, then run again.',
  ),
  CB_STORAGE_REJECTED: entry(
    1,
    'The database refused a value.',
    'The day is left out and tried again; report the message to the author of the plugin.',
  ),
  CB_STORAGE_WRITE: entry(
    1,
    'The database could not be written.',
    'Check the free space and the permissions; nothing half-written is kept.',
  ),

  // Emitters
  CB_EMIT_FAILED: entry(
    1,
    'An emitter failed; the rows are safe in the database.',
    'Mend the cause shown; the date is emitted again at the next run.',
  ),
  CB_EMIT_PATH: entry(
    2,
    'An output file would lie outside output_dir.',
    'Remove path separators and .. from filename_template.',
  ),
  CB_EMIT_SETTINGS: entry(2, 'An emitter is configured wrongly.', 'Write the parameters as described.'),
  CB_EMIT_INCOMPLETE: entry(
    1,
    'A day or month is not emitted, because a day of it has no inputs, is not calculated, or was removed by retention.',
    'Run with --from and --to around the day.',
  ),
  CB_EMIT_LEFT: entry(
    1,
    'What an emitter wrote with other settings is still at the destination, beside what shows the same costs now.',
    'Look at what is named and remove it, or move it elsewhere.',
  ),
  CB_EMIT_RECEIPT: entry(
    1,
    'An emitter confirmed other rows or another total than it was given.',
    'Mend the emitter; the date is emitted again.',
  ),

  // Serving
  CB_SERVE_LISTEN: entry(
    2,
    'An address or port cannot be listened on.',
    'Choose another address or port, or stop what uses it.',
  ),

  // Command line
  CB_RECONCILE_DIFFERENCE: entry(
    3,
    'Billed, allocated and retained cost do not add up.',
    'Report this as a defect, with the lines shown.',
  ),
  CB_INTERNAL: entry(1, 'Something unforeseen.', 'Report this as a defect, with the message and its cause.'),
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;
