"""The pages under docs/ say what the code does: links resolve, snippets load, shown commands run as shown.

What stands after the language of a fence says what it is: `sh run` is run in the page's own folder, `text out` is what
the block before it printed (`...` = anything), `yaml sources`, `manifest`, `roles` or `cases` is read by the reader of
that file, `python from PATH` is quoted from it.
"""

import importlib.util
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
import yaml
from typer.main import get_command

from hms_federation.compiler import expressions
from hms_policies.bundles import make_bundle
from hms_policies.cases import run_tests
from hms_registry.cli import app
from hms_registry.errors import SqlRefused
from hms_registry.services.cache_settings import CacheSettings, cache_settings
from hms_registry.services.graphql_settings import read_graphql_settings
from hms_registry.services.identity_settings import read_oidc
from hms_registry.services.manifest import parse_manifest
from hms_registry.services.openlineage.settings import openlineage_settings
from hms_registry.services.settings_file import catalogue_url, ingest_roles, tracing_endpoint
from hms_registry.services.sources_file import read_sources
from hms_registry.services.trino_settings import read_trino_settings
from hms_registry.services.webhooks import read_webhooks
from sql_house import House
from warm_command import warm_command

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
GUIDES = [page for page in PAGES if page.parent == DOCS]
_FENCE = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words after it, and what stands in it."""

    page: Path
    language: str
    about: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(page, *found) for found in _FENCE.findall(page.read_text(encoding="utf-8"))]


def every(language: str, about: str = "") -> list[Block]:
    found = [each for page in GUIDES for each in blocks(page)]
    return [each for each in found if each.language == language and each.about.startswith(about)]


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    """Each link that is no URL names a file or folder that is there."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target for target, _ in _LINK.findall(prose) if "://" not in target]

    missing = [target for target in targets if not (page.parent / target).exists()]

    assert missing == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_pages_are_short_and_their_lines_fit(page: Path) -> None:
    """A page is read in one sitting, or its generated part looked up, and its prose wraps at 120."""
    lines = page.read_text(encoding="utf-8").splitlines()
    generated = page.read_text(encoding="utf-8").count("<!-- generated:")

    assert len(lines) <= (360 if generated else 155)
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []


@pytest.mark.parametrize("page", ["cli.md", "sql.md", "trino-policy.md"])
def test_generated_sections_are_as_the_code_is(page: str) -> None:
    """If this fails: python docs/generate.py."""
    generator = load_generator()

    assert (DOCS / page).read_text(encoding="utf-8") == generator.written(page)


def test_the_page_of_commands_has_every_command_and_option() -> None:
    """Each command has a heading, and each of its options stands in its section."""
    from typer.main import get_command

    from hms_registry.cli import app

    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    missing = []
    for path, command in load_generator().walk(get_command(app), ("hms-dta",)):
        words = " ".join(path)
        section = re.search(rf"^### `{words}(?: [^\n]*)?`\n.*?(?=^### |^<!-- end|\Z)", text, re.MULTILINE | re.DOTALL)
        assert section is not None, words
        missing += [(words, name) for param in command.params for name in param.opts if name.upper() not in
                    section[0].upper()]  # fmt: skip

    assert missing == []


def test_the_page_of_sql_has_every_function_and_node() -> None:
    """Each function that may be called is in its table, and each node of an expression has words."""
    text = (DOCS / "sql.md").read_text(encoding="utf-8")
    generator = load_generator()

    assert [name for name in expressions.FUNCTIONS if f"`{name}`" not in text] == []
    assert {node.__name__ for node in expressions._NODES} == set(generator.SYNTAX)
    assert [word for word in generator.SYNTAX.values() if word not in " ".join(text.split())] == []


def test_every_settings_snippet_says_which_file_it_is() -> None:
    """A YAML block is read by the reader of its file; there is none that nobody reads."""
    read = {
        "sources", "manifest", "roles", "cases", "settings", "webhooks", "cronjob", "identity", "ingest", "tracing",
        "cache", "graphql", "kept", "openlineage", "trino",
    }  # fmt: skip
    assert {block.about for block in every("yaml")} <= read


def test_the_webhooks_that_are_shown_are_read(tmp_path: Path) -> None:
    """By the reader of settings.yml."""
    (block,) = every("yaml", "webhooks")
    (tmp_path / "settings.yml").write_text(block.text, encoding="utf-8")

    assert [(each.name, each.who) for each in read_webhooks(tmp_path)] == [("portal", "role:analyst")]


def test_the_trino_that_is_shown_is_read(tmp_path: Path) -> None:
    """By the reader of settings.yml; its password is in the environment."""
    (block,) = every("yaml", "trino")
    (tmp_path / "settings.yml").write_text(block.text, encoding="utf-8")

    found = read_trino_settings(tmp_path, {"TRINO_PASSWORD": "p"})

    assert found is not None
    assert (found.url, found.password, found.opa.url) == ("https://trino.example:8443", "p", "http://127.0.0.1:7780")


def test_the_identity_provider_that_is_shown_is_read(tmp_path: Path) -> None:
    """By the reader of settings.yml."""
    (block,) = every("yaml", "identity")
    (tmp_path / "settings.yml").write_text(block.text, encoding="utf-8")

    found = read_oidc(tmp_path)

    assert found is not None
    assert (found.audience, found.claims.groups) == ("hms-dta", ("realm_access", "roles"))


def test_the_cronjob_that_is_shown_runs_a_command_and_never_two() -> None:
    """Its arguments are the command's own, and it does not start a pod beside another."""
    (block,) = every("yaml", "cronjob")
    job = yaml.safe_load(block.text)["spec"]
    (container,) = job["jobTemplate"]["spec"]["template"]["spec"]["containers"]

    commands = [command for _, command in load_generator().walk(get_command(app), ())]
    known = {option for command in commands for each in command.params for option in each.opts}
    assert {word for word in container["args"] if word.startswith("--")} <= known | {"--home"}
    assert job["concurrencyPolicy"] == "Forbid"


@pytest.mark.parametrize("block", every("yaml", "settings"), ids=lambda block: block.page.name)
def test_settings_snippets_are_read(block: Block, tmp_path: Path) -> None:
    """The product's reader takes them, and a password of odd characters."""
    (tmp_path / "settings.yml").write_text(block.text, encoding="utf-8")

    assert catalogue_url(tmp_path, {"CATALOGUE_PASSWORD": "a/b@c"}) == "postgresql://hms:a%2Fb%40c@db.example:5432/hms"


def test_who_may_register_and_where_spans_go_are_read(tmp_path: Path) -> None:
    """As the pages show them, side by side."""
    shown = [block.text for about in ("ingest", "openlineage", "tracing", "graphql") for block in every("yaml", about)]
    (tmp_path / "settings.yml").write_text("".join(shown), encoding="utf-8")

    assert ingest_roles(tmp_path) == {"steward"}
    assert openlineage_settings(tmp_path).namespaces == {"postgres://prod-db.internal:5432": "cdc"}
    assert read_graphql_settings(tmp_path).introspection
    assert tracing_endpoint(tmp_path) == "http://127.0.0.1:4318/v1/traces"


def test_kept_documents_are_read_where_the_page_says(tmp_path: Path) -> None:
    """From the folder that it names."""
    (block,) = every("yaml", "kept")
    (tmp_path / "settings.yml").write_text(block.text, encoding="utf-8")
    (tmp_path / "portal" / "queries").mkdir(parents=True)
    (tmp_path / "portal" / "queries" / "me.graphql").write_text("{ me { subject } }")

    settings = read_graphql_settings(tmp_path)

    assert (list(settings.documents.values()), settings.is_only_documents) == (["{ me { subject } }"], True)


def test_the_cache_that_is_shown_is_read(tmp_path: Path) -> None:
    """With a password of odd characters."""
    (block,) = every("yaml", "cache")
    (tmp_path / "settings.yml").write_text(block.text, encoding="utf-8")

    stated = cache_settings(tmp_path, {"CACHE_PASSWORD": "a/b@c"})

    assert stated == CacheSettings(url="redis://:a%2Fb%40c@cache.example:6379/0", most_bytes=128 << 20)


@pytest.mark.parametrize("block", every("yaml", "sources"), ids=lambda block: block.page.name)
def test_sources_snippets_are_read(block: Block, tmp_path: Path) -> None:
    """The product's reader takes them."""
    path = tmp_path / "sources.yml"
    path.write_text(block.text, encoding="utf-8")

    assert read_sources(path)


@pytest.mark.parametrize("block", every("yaml", "manifest"), ids=lambda block: block.page.name)
def test_manifest_snippets_are_read(block: Block) -> None:
    """The product's reader takes them."""
    assert parse_manifest(block.text, name=block.page.name).name


def statements(about: str) -> list[str]:
    """The statements of a block of SQL, one a line, without what is said of them."""
    return [line.partition(" --")[0].strip() for block in every("sql", about) for line in block.text.splitlines()]


HOUSE = House(tables={"cdc.public.flu": pa.table({"week_end": [date(2024, 1, 6)], "cases": [30]})})


@pytest.mark.parametrize("sql", statements("answered"))
def test_sql_that_is_shown_as_answered_is(sql: str) -> None:
    """It plans and runs."""
    assert HOUSE.run(sql).num_columns


@pytest.mark.parametrize("sql", statements("refused"))
def test_sql_that_is_shown_as_refused_is(sql: str) -> None:
    """It is refused before anything is read."""
    with pytest.raises(SqlRefused):
        HOUSE.plan(sql)


def policy_of(page: Path) -> dict[str, str]:
    """The policy files that a page shows, as one bundle."""
    shown = blocks(page)
    files = {"roles.yml": "".join(each.text for each in shown if each.about == "roles")}
    files["shown.polar"] = "\n".join(each.text for each in shown if each.language == "polar")
    return files | {f"tests/{at}.yml": each.text for at, each in enumerate(shown) if each.about == "cases"}


@pytest.mark.parametrize("page", sorted({block.page for block in [*every("polar"), *every("yaml", "roles")]}))
def test_policy_snippets_of_a_page_load_as_one_policy(page: Path) -> None:
    """Rules, roles and cases of a page load together, and the cases hold."""
    report = run_tests(make_bundle(policy_of(page), author="docs"), ())

    assert report.is_ok, report.sentences()


@pytest.mark.parametrize("block", every("python", "from"), ids=lambda block: block.page.name)
def test_quoted_code_is_quoted(block: Block) -> None:
    """Each paragraph of the block stands in the file that it names."""
    source = (ROOT / block.about.removeprefix("from ")).read_text(encoding="utf-8")

    assert [part for part in block.text.strip("\n").split("\n\n") if part not in source] == []


def commands(script: str) -> Iterator[list[str]]:
    for line in script.splitlines():
        for part in re.split(r"\|\||&&|\||;|&$|>", line.partition("#")[0]):
            try:
                words = shlex.split(part)
            except ValueError:
                continue
            if words[:1] == ["hms-dta"]:
                yield words[1:]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_shown_commands_and_options_exist(page: Path) -> None:
    """Whatever a page shows of hms-dta, the command line has."""
    from typer.main import get_command

    from hms_registry.cli import app

    known = {path[1:]: {name for param in command.params for name in param.opts} | {"-h", "--help"}
             for path, command in load_generator().walk(get_command(app), ("hms-dta",))}  # fmt: skip
    everywhere = known.pop(())
    unknown = []
    for words in (words for block in blocks(page) if block.language == "sh" for words in commands(block.text)):
        plain = tuple(word for word in words if not word.startswith("-"))
        path = next((path for path in known if any(plain[at : at + len(path)] == path for at in range(2))), None)
        options = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
        unknown += [(words, options)] if path is None or options - known[path] - everywhere else []

    assert unknown == []


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A path on which the stranger's adapter is installed, as pip would leave it."""
    site = tmp_path_factory.mktemp("site")
    info = site / "tide_adapter-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tide-adapter\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[hms_dta.adapters]\ntide = tide_adapter:TideAdapter\n")
    return os.pathsep.join(map(str, (site, ROOT / "tests" / "stranger", *filter(None, [os.environ.get("PYTHONPATH")]))))


@pytest.fixture(scope="module")
def command() -> Iterator[Path]:
    """A folder with `hms-dta`, for PATH."""
    with tempfile.TemporaryDirectory() as folder, warm_command(Path(folder)) as found:
        yield found


def run(block: Block, folder: Path, *, port: int, path: str, command: Path) -> str:
    environ = {
        "PATH": os.pathsep.join(map(str, (command, Path(sys.executable).parent, os.environ["PATH"]))),
        "USER": "olga",
        "LOGNAME": "olga",
        "PYTHONUTF8": "1",
        "PYTHONPATH": path,
    }
    script = block.text.replace("7777", str(port))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, f"{block.page.name}: {script}\n{done.stdout}"
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def told(printed: str, shown: str) -> list[str]:
    """The lines of *shown* that do not come, in their order, in *printed*."""
    lines = iter([line.rstrip() for line in printed.splitlines()])

    def is_next(line: str) -> bool:
        pattern = re.compile(".*".join(map(re.escape, line.rstrip().split("..."))))
        return any(pattern.fullmatch(each) for each in lines)

    return [line for line in shown.splitlines() if line.strip() and not is_next(line)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in GUIDES if any(block.about == "run" for block in blocks(page))], ids=lambda page: page.name
)
def test_shown_commands_do_what_is_shown(page: Path, tmp_path: Path, stranger: str, command: Path) -> None:
    """A reader who types a page's commands, one after the other, sees what the page shows."""
    port, printed = free_port(), ""

    for block in blocks(page):
        if block.about == "run":
            printed = run(block, tmp_path, port=port, path=stranger, command=command)
        elif block.about == "out":
            assert told(printed, block.text) == [], printed


def test_every_run_has_its_fence_marked() -> None:
    """A block of shell is run, or shows what cannot be: it says which."""
    assert {block.about for block in every("sh")} <= {"run", "shown"}


def test_a_page_of_outputs_is_really_compared() -> None:
    """The comparison of outputs sees a line that is missing, and one that comes too early."""
    compare: Callable[[str, str], list[str]] = told

    assert compare("a\nb 17 c\n", "b ... c\n") == []
    assert compare("a\nb\n", "c\n") == ["c"]
    assert compare("a\nb\n", "b\na\n") == ["a"]
