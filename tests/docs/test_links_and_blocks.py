"""Every markdown file of the repository: links lead somewhere, and code is what it says it is."""

import argparse
import ast
import json
import posixpath
import re
import shlex
import shutil
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from charts.make import helm

import sscsi_driver.options
import sscsi_provider_aws.__main__ as aws
import sscsi_provider_azure.__main__ as azure
import sscsi_provider_gcp.__main__ as gcp
import sscsi_provider_vault.__main__ as vault
from pages import ROOT, Block, all_blocks, anchors, indented, links, pages, text_of
from sscsi import demo, mount, refresh
from sscsi_shared.server.serve import PROVIDER_FLAGS

PAGES = pages()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    wrong = []
    for link in links(page):
        if re.match(r"(https?|mailto):", link):
            continue
        target, _, anchor = link.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) if target else page
        if (ROOT / path).is_dir() and anchor:
            path = f"{path}/README.md"
        if not (ROOT / path).exists() or (anchor and anchor not in anchors(path)):
            wrong.append(link)
    assert not wrong


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=str)
def test_yaml_is_yaml(block: Block) -> None:
    assert list(yaml.safe_load_all(block.text)) != [None]


def test_json_is_json() -> None:
    for block in all_blocks("json"):
        json.loads(block.text)


@pytest.mark.parametrize("block", all_blocks("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    ast.parse(block.text)


def test_a_block_says_its_language() -> None:
    assert {block.language for block in all_blocks()} <= {"sh", "yaml", "json", "python", "text"}


# Commands


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command line of ours in a block of `sh`, or in an indented one: where it is, and its words."""
    for block in (*all_blocks("sh"), *indented()):
        joined = re.sub(r"\\\n", " ", block.text)
        for line in joined.splitlines():
            try:
                words = shlex.split(line, comments=True)
            except ValueError:  # a quotation that goes over several lines: a program of another language
                continue
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words = words[1:]
            if words and (name := posixpath.basename(words[0])) in {*DAEMONS, "sscsi", "make", "kubectl", "helm"}:
                yield f"{block}: {line.strip()}", [name, *words[1:]]


DAEMONS = {
    "sscsi-driver": {flag.name for flag in sscsi_driver.options.FLAGS},
    "sscsi-provider-aws": {flag.name for flag in (*aws.FLAGS, *PROVIDER_FLAGS)},
    "sscsi-provider-gcp": {flag.name for flag in (*gcp.FLAGS, *PROVIDER_FLAGS)},
    "sscsi-provider-vault": {flag.name for flag in (*vault.FLAGS, *PROVIDER_FLAGS)},
    "sscsi-provider-azure": {flag.name for flag in (*azure.FLAGS, *PROVIDER_FLAGS)},
}


@cache
def tool() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sscsi", exit_on_error=False)
    subparsers = parser.add_subparsers(required=True)
    for name, command in (("mount", mount), ("refresh", refresh), ("demo", demo)):
        command.declare(subparsers.add_parser(name, exit_on_error=False))
    return parser


@cache
def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def problem(words: list[str]) -> str:
    """What is wrong with a command line; empty if nothing is."""
    name, *rest = words
    if name == "sscsi":
        try:
            tool().parse_args([re.sub(r"\$\{?\w+\}?", "/x", word) if word != "$TOKEN" else "x=/x" for word in rest])
        except (argparse.ArgumentError, SystemExit) as error:
            return str(error)
        return ""
    if name == "make":
        return "".join(word for word in rest if "=" not in word and word not in targets())
    if name == "kubectl":
        for flag, word in pairwise(rest):
            if flag == "-p":
                json.loads(word)
        files = [word for flag, word in pairwise(rest) if flag == "-f"]
        return "".join(file for file in files if file.startswith("deploy/") and not (ROOT / file).exists())
    if name == "helm":
        return rendered(rest)
    given = {word.lstrip("-").partition("=")[0] for word in rest if word.startswith("-")}
    return ", ".join(sorted(given - DAEMONS[name]))


def rendered(words: list[str]) -> str:
    """Why Helm would not make the objects of an installation; empty if it would, or where there is nothing to make."""
    if words[0] != "install" or not words[2].startswith("charts/"):
        return ""
    with TemporaryDirectory() as folder:
        charts = Path(folder) / "charts"
        shutil.copytree(ROOT / "charts", charts)
        helm.build(charts)
        try:
            objects = helm.helm("template", words[1], str(charts.parent / words[2]), *words[3:])
        except helm.HelmError as error:
            return str(error)
    return "" if "kind: DaemonSet" in objects else "nothing is installed"


def test_commands_have_the_options_that_are_shown() -> None:
    found = list(commands())
    assert {words[0] for _, words in found} >= {"sscsi", "make", "kubectl", "sscsi-driver", "sscsi-provider-aws"}
    assert [(where, told) for where, words in found if (told := problem(words))] == []


def test_values_that_are_shown_are_there() -> None:
    """Those of docs/install.md's table, all at once."""
    table = text_of("docs/install.md").split("| you want | set |")[1].split("\n\n")[0]
    values = re.findall(r"`((?:\w+\.)+\w+)(=\S+)?`", table)
    assert len(values) > 12
    usual = {True: "=true", False: "={shop}"}
    given = [f"--set={name}{value or usual[name.endswith('.enabled')]}" for name, value in values]
    assert rendered(["install", "sscsi", "charts/sscsi", *given]) == ""


@pytest.mark.parametrize(
    "line",
    [
        "helm install x charts/sscsi --set drivr.enabled=false",
        "sscsi mount x --provder y",
        "make nothing",
        "kubectl apply -f deploy/x.yaml",
        "sscsi-driver --nod=1",
    ],
)
def test_a_wrong_option_is_found(line: str) -> None:
    assert problem(line.split())
