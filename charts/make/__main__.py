"""Make everything that is made of the charts' sources; with --check only say what of it is not up to date."""

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import yaml
from charts.make.dashboard import dashboard
from charts.make.helm import CHARTS, build, helm
from charts.make.manifests import manifests
from charts.make.schemas import schema, umbrella
from charts.make.values import PLACES, described, in_all, read, table, with_common

ROOT: Final = Path(__file__).resolve().parents[2]
_TABLE: Final = re.compile(r"(<!-- values of (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
PARTS: Final = ("driver", *PLACES)


def make(charts: Path, deploy: Path) -> None:
    """Write all of it; the sources are in `charts`."""
    common = (charts / "provider-values.yaml").read_text(encoding="utf-8")
    for provider in PLACES:
        path = charts / f"sscsi-provider-{provider}" / "values.yaml"
        path.write_text(with_common(path.read_text(encoding="utf-8"), provider, common), encoding="utf-8")
    for name in CHARTS[1:]:
        text = read(charts, name)
        notices = yaml.safe_load((charts / name / "notices.yaml").read_text(encoding="utf-8")) or []
        body = schema(yaml.safe_load(text), described(text), notices)
        if name == "sscsi":
            body = umbrella(body, PARTS)
        (charts / name / "values.schema.json").write_text(body, encoding="utf-8")
    (charts / "sscsi-common" / "monitoring" / "dashboard.json").write_text(dashboard(), encoding="utf-8")
    readme = charts / "README.md"
    readme.write_text(_TABLE.sub(lambda found: _table(charts, found), readme.read_text(encoding="utf-8")), "utf-8")
    build(charts)
    for name, text in manifests(charts).items():
        (deploy / name).parent.mkdir(parents=True, exist_ok=True)
        (deploy / name).write_text(text, encoding="utf-8")


def _table(charts: Path, found: re.Match[str]) -> str:
    """A chart's values, or (sscsi-provider) those that every provider has."""
    name = found[2]
    each = {cloud: described(read(charts, f"sscsi-provider-{cloud}")) for cloud in PLACES}
    values = [one for one in in_all(each) if one.common]
    if name != "sscsi-provider":
        everywhere = {one.path for one in values} if name.startswith("sscsi-provider-") else set()
        values = [one for one in described(read(charts, name)) if one.path not in everywhere]
    return f"{found[1]}\n{table(values)}\n\n{found[3]}"


def stale() -> list[str]:
    """What of the made files is not as it would be made now."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        for part in ("charts", "deploy"):
            shutil.copytree(ROOT / part, there / part, ignore=shutil.ignore_patterns("*.tgz", "__pycache__"))
        make(there / "charts", there / "deploy")
        made = [path.relative_to(there) for path in there.glob("**/*") if path.is_file() and path.suffix != ".tgz"]
        return sorted(
            str(path)
            for path in made
            if path.name != "Chart.lock"
            and not ((ROOT / path).exists() and (ROOT / path).read_bytes() == (there / path).read_bytes())
        )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        old = stale()
        sys.exit("not up to date (make chart): " + ", ".join(old) if old else None)
    make(ROOT / "charts", ROOT / "deploy")
    for name in CHARTS[1:]:
        helm("lint", str(ROOT / "charts" / name), "--strict", "--quiet")
        helm("package", str(ROOT / "charts" / name), f"--destination={ROOT / 'dist'}")
    print("charts, deploy/ and dist/*.tgz are made")  # noqa: T201


if __name__ == "__main__":
    main()
