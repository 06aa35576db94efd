import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { repository } from './support.ts';

const app = path.join(repository, 'apps', 'engine', 'src', 'main.ts');
const scaffold = path.join(repository, 'packages', 'create-plugin', 'src', 'main.ts');
const tsc = path.join(repository, 'node_modules', '.bin', 'tsc');

interface Block {
  readonly language: string;
  readonly attributes: string;
  readonly text: string;
}

/**
 * Does what a guide says, block by block, in an empty folder: writes the files, runs the commands, and compares what
 * the guide promises with what is there. Installing is done with the packages of this workspace.
 */
export class GuideRun {
  /** Commands and edits so far, as a reader counts them. */
  readonly steps: string[] = [];
  #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async follow(guide: string): Promise<void> {
    const text = await readFile(path.join(repository, 'docs', guide), 'utf8');
    for (const block of blocksOf(text)) await this.#do(block);
    await this.#compile();
  }

  async #do({ language, attributes, text }: Block): Promise<void> {
    const file = /\bfile=(?<name>\S+)/u.exec(attributes)?.groups?.['name'];
    const place = /\bcontained-in=(?<name>\S+)/u.exec(attributes)?.groups?.['name'];
    if (place !== undefined) return this.#compare(place, text);
    if (file !== undefined) {
      this.steps.push(`edit ${file}`);
      return this.#edit(file, { language, text, append: attributes.includes('append') });
    }
    if (language !== 'sh') return undefined;
    for (const command of text.trim().split('\n')) {
      this.steps.push(command);
      for (const part of command.split(' && ')) await this.#run(part.trim().split(/\s+/u));
    }
  }

  async #edit(
    name: string,
    { language, text, append }: { language: string; text: string; append: boolean },
  ): Promise<void> {
    const file = path.join(this.#folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    const before = existsSync(file) ? await readFile(file, 'utf8') : '';
    if (language === 'diff') await writeFile(file, patched(before, text));
    else await writeFile(file, append ? before + text : text);
  }

  /** Each promised line is in every file of the folder. */
  async #compare(place: string, text: string): Promise<void> {
    const folder = path.join(this.#folder, place);
    const names = await readdir(folder);
    if (names.length === 0) throw new Error(`there is nothing in ${place}`);
    for (const name of names) {
      const content = await readFile(path.join(folder, name), 'utf8');
      for (const line of text.trim().split('\n')) {
        if (!content.includes(line.trim())) throw new Error(`${name} lacks ${line}; it is\n${content}`);
      }
    }
  }

  async #run([program, ...args]: string[]): Promise<void> {
    if (program === 'mkdir') await mkdir(path.join(this.#folder, args[0]!));
    else if (program === 'cd') this.#folder = path.join(this.#folder, args[0]!);
    else if (program === 'npm') await this.#npm(args);
    else if (program === 'npx' && args[0] === 'chargeback') this.#node(app, ...args.slice(1));
    else if (program === 'node') this.#node(...args);
    else throw new Error(`the guide runs ${program} ${args.join(' ')}, which this test does not know`);
  }

  async #npm([command, ...args]: string[]): Promise<void> {
    const manifest = path.join(this.#folder, 'package.json');
    if (command === 'init') await writeFile(manifest, '{}');
    else if (command === 'pkg') await writeFile(manifest, '{ "type": "module" }');
    else if (command === 'install') await this.#install();
    else if (command === 'create' && args[0] === '@chargeback/plugin') this.#node(scaffold, ...args.slice(1));
    else {
      const name = command === 'run' ? args[0]! : command!;
      const { scripts } = JSON.parse(await readFile(manifest, 'utf8')) as { scripts: Record<string, string> };
      const [program, ...rest] = scripts[name]!.replaceAll('"', '').split(' ');
      if (program === 'tsc') this.#tsc();
      else if (program === 'chargeback') this.#node(app, ...rest);
      else this.#node(...rest);
    }
  }

  async #install(): Promise<void> {
    const modules = path.join(this.#folder, 'node_modules');
    await mkdir(path.join(modules, '@chargeback'), { recursive: true });
    await mkdir(path.join(modules, '@types'));
    for (const name of ['allocation', 'money', 'plugin-api', 'testkit']) {
      await symlink(path.join(repository, 'packages', name), path.join(modules, '@chargeback', name));
    }
    await symlink(
      path.join(repository, 'node_modules', '@types', 'node'),
      path.join(modules, '@types', 'node'),
    );
    await symlink(path.join(repository, 'apps', 'engine', 'node_modules', 'zod'), path.join(modules, 'zod'));
  }

  #node(...args: string[]): void {
    execFileSync(process.execPath, ['--conditions=@chargeback/source', ...args], {
      cwd: this.#folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** What the guide shows compiles under the strictest settings, also where it is only run. */
  async #compile(): Promise<void> {
    const sources = (await readdir(this.#folder)).filter((name) => name.endsWith('.ts'));
    if (sources.length === 0) return;
    const strict = [
      '--strict',
      '--noUncheckedIndexedAccess',
      '--exactOptionalPropertyTypes',
      '--skipLibCheck',
    ];
    const modules = [
      '--module',
      'nodenext',
      '--target',
      'es2024',
      '--lib',
      'es2024,esnext.disposable',
      '--types',
      'node',
    ];
    this.#tsc('--noEmit', '--allowImportingTsExtensions', ...strict, ...modules, ...sources);
  }

  #tsc(...args: string[]): void {
    execFileSync(tsc, args, { cwd: this.#folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

function* blocksOf(markdown: string): Iterable<Block> {
  for (const { groups } of markdown.matchAll(
    /^```(?<language>\w+)(?<attributes>[^\n]*)\n(?<text>[\s\S]*?)^```$/gmu,
  )) {
    yield groups as unknown as Block;
  }
}

/** Lines with a + come after the line before them, which must be there once. */
function patched(before: string, diff: string): string {
  const lines = before.split('\n');
  let at = -1;
  for (const line of diff.trimEnd().split('\n')) {
    if (line.startsWith('+')) lines.splice((at += 1), 0, line.slice(1));
    else if (line.trim() !== '...') {
      const found = lines.flatMap((text, index) => (text === line.slice(1) ? [index] : []));
      if (found.length !== 1) throw new Error(`${JSON.stringify(line)} is there ${found.length} times`);
      at = found[0]!;
    }
  }
  return lines.join('\n');
}
