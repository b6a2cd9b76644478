#!/usr/bin/env bash
# umoci 0.4.7, unpack
# Expected: annotations of an image get into the container's config.json, and no more than it says.
# Seen: its labels do, those of manifest and index do not; an image that gives no date, author or
# signal is said to be of 0001-01-01, by "", and to be stopped with "".
# Fata: its images give no date, so that they come out the same; what urunc has to know is not in
# annotations, but in a file, urunc.json.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need umoci 0.4.7
need jq 1.6
begin

cat >image.py <<'PYTHON'
"""Makes an image with an empty layer, a label, and annotations in its manifest and its index."""
import hashlib
import io
import json
import os
import tarfile

os.makedirs("image/blobs/sha256")


def blob(content, kind):
    digest = hashlib.sha256(content).hexdigest()
    with open(f"image/blobs/sha256/{digest}", "wb") as file:
        file.write(content)
    kind = f"application/vnd.oci.image.{kind}"
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


def text(value):
    return json.dumps(value).encode()


archive = io.BytesIO()
tarfile.open(fileobj=archive, mode="w").close()
layer = blob(archive.getvalue(), "layer.v1.tar")
configuration = {
    "architecture": "amd64",
    "os": "linux",
    "config": {"Labels": {"of.test.label": "1"}},
    "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
}
manifest = {
    "schemaVersion": 2,
    "config": blob(text(configuration), "config.v1+json"),
    "layers": [layer],
    "annotations": {"of.test.manifest": "1"},
}
manifest = blob(text(manifest), "manifest.v1+json")
name = {"org.opencontainers.image.ref.name": "latest"}
manifest["annotations"] = name | {"of.test.index": "1"}
with open("image/index.json", "wb") as file:
    file.write(text({"schemaVersion": 2, "manifests": [manifest]}))
with open("image/oci-layout", "wb") as file:
    file.write(text({"imageLayoutVersion": "1.0.0"}))
PYTHON
python3 image.py
umoci unpack --rootless --image image:latest bundle
jq .annotations bundle/config.json
notes=$(jq -r '.annotations | keys[] | select(startswith("of.test"))' bundle/config.json)
same "annotations of the image's own" of.test.label "$notes"
note() { jq --arg name "org.opencontainers.image.$1" '.annotations[$name]' bundle/config.json; }
same created '"0001-01-01T00:00:00Z"' "$(note created)"
same author '""' "$(note author)"
same stopSignal '""' "$(note stopSignal)"
