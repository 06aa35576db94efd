/** How one API of the vendor is reached. */
export interface CcloudConnection {
  /** A path prefix is kept. */
  readonly baseUrl: string;
  /** Origins that a next-page link may name besides that of the base URL: it is never followed as it stands. */
  readonly knownOrigins?: readonly string[];
  readonly key: string;
  readonly secret: string;
  /** Where key and secret are configured, such as `ccloud_api`: said in advice. */
  readonly settingsPath: string;
  readonly caFile?: string;
  /** Of each try. */
  readonly timeoutSeconds: number;
  readonly maxAttempts: number;
  readonly maxInFlight: number;
  readonly requestsPerSecond: number;
  readonly maxResponseBytes: number;
}

export type Query = Readonly<Record<string, string | number>>;

export interface CcloudRequest {
  /** Begins with a slash. */
  readonly path: string;
  readonly query?: Query;
  /** Every number of the answer comes as its source text, see `parseJson`. */
  readonly exactNumbers?: boolean;
  /** What the owner of the key needs, such as `the role MetricsViewer`: said when the request is forbidden. */
  readonly needs?: string;
}

export interface CcloudPostRequest extends CcloudRequest {
  readonly body: unknown;
}
