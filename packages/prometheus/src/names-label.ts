import { parser } from '@prometheus-io/lezer-promql';

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

/** They choose among series, and keep their labels. */
const CHOOSING = new Set(['Topk', 'Bottomk', 'LimitK', 'LimitRatio']);

/**
 * Whether a PromQL query means its answer to carry a label: groups by it, joins by it, writes it, or asks for it
 * in a selector whose labels no aggregation takes away. What only an aggregation inside another knows does not
 * count. Then a series without it comes from data that has none, and not from the query.
 */
export function namesLabel(query: string, label: string): boolean {
  const isThat = (node: SyntaxNode): boolean => unquoted(query.slice(node.from, node.to)) === label;
  return names(parser.parse(query).topNode, isThat);
}

type IsThat = (node: SyntaxNode) => boolean;

function names(node: SyntaxNode, isThat: IsThat): boolean {
  if (node.name === 'AggregateExpr') return aggregateNames(node, isThat);
  if (node.name === 'LabelName' || node.name === 'QuotedLabelName') return isThat(node);
  if (node.name === 'StringLiteral') return node.parent?.name === 'FunctionCallBody' && isThat(node);
  // What is ignored in a join is not in its result.
  if (node.name === 'GroupingLabels' && node.prevSibling?.name === 'Ignoring') return false;
  return childrenOf(node).some((child) => names(child, isThat));
}

function aggregateNames(node: SyntaxNode, isThat: IsThat): boolean {
  const body = node.getChild('FunctionCallBody');
  const operator = node.getChild('AggregateOp')?.firstChild?.name ?? '';
  const writes = operator === 'CountValues' && (body?.getChildren('StringLiteral').some(isThat) ?? false);
  const modifier = node.getChild('AggregateModifier');
  const listed = modifier?.getChild('GroupingLabels');
  const isListed = listed ? names(listed, isThat) : false;
  if (CHOOSING.has(operator)) return body !== null && names(body, isThat);
  if (modifier?.getChild('Without')) return writes || (!isListed && body !== null && names(body, isThat));
  return isListed || writes;
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) children.push(child);
  return children;
}

function unquoted(text: string): string {
  return /^(["'`]).*\1$/s.test(text) ? text.slice(1, -1) : text;
}
