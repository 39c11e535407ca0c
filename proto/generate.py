"""Generate the gRPC code of both contracts; with --check only say whether the generated code is up to date."""

import argparse
import filecmp
import sys
import tempfile
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# (virtual import folder = folder of the .proto, the .proto as imported, source root that receives the code)
CONTRACTS = (
    ("sscsi_shared/v1alpha1=proto/provider/v1alpha1", "sscsi_shared/v1alpha1/provider.proto", "shared/src"),
    ("sscsi_driver/csi=proto/csi/v1", "sscsi_driver/csi/csi.proto", "driver/src"),
)


def generate(out_of: dict[str, Path]) -> None:
    """Write the generated modules; `out_of` maps a contract's source root to the folder written to."""
    from grpc_tools import protoc

    well_known = str(resources.files("grpc_tools") / "_proto")
    for mapping, proto, source_root in CONTRACTS:
        virtual, folder = mapping.split("=")
        out = out_of[source_root]
        arguments = ["protoc", f"-I{virtual}={ROOT / folder}", f"-I{well_known}"]
        arguments += [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
        if protoc.main([*arguments, proto]) != 0:
            sys.exit(f"protoc failed on {proto}")


def stale(out_of: dict[str, Path]) -> list[str]:
    """Paths of checked-in generated files that differ from what `generate` wrote to `out_of`."""
    found = []
    for source_root, out in out_of.items():
        for fresh in sorted(out.rglob("*_pb2*")):
            checked_in = ROOT / source_root / fresh.relative_to(out)
            if not checked_in.exists() or not filecmp.cmp(fresh, checked_in, shallow=False):
                found.append(str(checked_in.relative_to(ROOT)))
    return found


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a generated file is stale")
    if not parser.parse_args().check:
        generate({source_root: ROOT / source_root for _, _, source_root in CONTRACTS})
        return
    with tempfile.TemporaryDirectory() as folder:
        out_of = {}
        for number, (_, _, source_root) in enumerate(CONTRACTS):
            out_of[source_root] = Path(folder, str(number))
            out_of[source_root].mkdir()
        generate(out_of)
        if differing := stale(out_of):
            sys.exit(f"stale generated code, run `make proto`: {', '.join(differing)}")


if __name__ == "__main__":
    main()
