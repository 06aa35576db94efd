export type { ContextOptions } from './conformance/canned-contexts.ts';
export type { EcosystemOptions, EcosystemWorld } from './conformance/ecosystem-world.ts';
export {
  type AllocatorOptions,
  type HandlerOptions,
  testAllocator,
  testIdentityResolver,
} from './conformance/test-allocator.ts';
export { testEcosystem } from './conformance/test-ecosystem.ts';
export { type EmitterWorld, testEmitter } from './conformance/test-emitter.ts';
export type { ConfluentEndpoint, ConfluentRequest } from './confluent/api-answer.ts';
export type {
  ConfluentControl,
  ConfluentSimulatorOptions,
  RecordedConfluentRequest,
} from './confluent/confluent-core.ts';
export {
  type ConfluentFault,
  type ConfluentFaultEffect,
  type ConfluentFaultPlan,
  to,
  withField,
} from './confluent/confluent-faults.ts';
export { type ConfluentFetch, createConfluentFetch } from './confluent/confluent-fetch.ts';
export { type ConfluentSimulator, startConfluentSimulator } from './confluent/confluent-simulator.ts';
export { confluentMetrics, type ConfluentMetricsOptions } from './confluent/confluent-metrics.ts';
export { costsOfDay, costsVisibleAt } from './confluent/daily-costs.ts';
export { confluentOrganization } from './confluent/make-organization.ts';
export {
  fictionalOrganization,
  type FictionalOrganization,
  type FictionalOrganizationOptions,
} from './confluent/fictional-organization.ts';
export type { ConfluentOrganization } from './confluent/organization.ts';
export type { ConfluentOrganizationOptions } from './confluent/organization-shape.ts';
export type { SimulatedCost } from './confluent/simulated-cost.ts';
export type { Fault, FaultEffect, FaultPlan } from './simulator/faults.ts';
export {
  fictionalCompany,
  type FictionalCompany,
  type FictionalCompanyOptions,
} from './simulator/fictional-company.ts';
export type { CompanyPrincipal, CompanyTeam } from './simulator/company-principals.ts';
export type { SimulatedPaths } from './simulator/generic-metrics-config.ts';
export type { Labels, MetricDefinition, SeriesDefinition } from './simulator/metric-definition.ts';
export {
  createMetricsModel,
  type MetricsModel,
  type MetricsModelOptions,
} from './simulator/metrics-model.ts';
export { kafkaScaleModel, type KafkaScaleOptions } from './simulator/kafka-scale-model.ts';
export { type OpenMetricsOptions, toOpenMetrics } from './simulator/open-metrics.ts';
export { type PrometheusSimulator, startPrometheusSimulator } from './simulator/prometheus-simulator.ts';
export { scaleConfigYaml, scaleModel, type ScaleOptions, scaleRowsPerDay } from './simulator/scale-model.ts';
export type { SimulatorControl, SimulatorOptions } from './simulator/simulator-core.ts';
export { createSimulatorFetch, type SimulatorFetch } from './simulator/simulator-fetch.ts';
export type { RecordedRequest, SimulatorRequest } from './simulator/simulator-request.ts';
export { tenantsYaml, type YamlMap, type YamlValue } from './simulator/yaml-text.ts';
export { testStorage } from './test-storage.ts';
export type { MadeStore, MakeStore, TestRunner } from './storage-suite/store-test.ts';
export {
  prometheusAvailable,
  type RealPrometheus,
  type RealPrometheusOptions,
  requireReal,
  startRealPrometheus,
} from './real-prometheus.ts';
export {
  postgresAvailable,
  type RealPostgres,
  type RealPostgresOptions,
  startRealPostgres,
} from './real-postgres.ts';
