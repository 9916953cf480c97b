"""Charts that use what Helm has, for comparing what is rendered here with what Helm and Argo CD render.

Each is a folder's content by path; :func:`write` puts all of them into one repository, because some depend on others.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VALUES: Final = "values-dev.yaml"


def _metadata(name: str, more: str = "") -> str:
    return f"apiVersion: v2\nname: {name}\nversion: 1.2.3\nappVersion: '2.0'\n{more}"


def _map(name: str, data: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}data:\n  value: {data}\n"


def _hook(name: str, hook: str, weight: int = 0) -> str:
    more = f'  annotations:\n    "helm.sh/hook": {hook}\n    "helm.sh/hook-weight": "{weight}"\n'
    return _map(name, "x", more)


def _crd(plural: str) -> str:
    return (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        f"metadata: {{name: {plural}.example.com}}\nspec: {{group: example.com}}\n"
    )


def packed(name: str, files: Mapping[str, str | bytes]) -> bytes:
    """A chart as ``helm package`` would pack it, the same bytes each time."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as tar:
        for path, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


_LIBRARY: Final = {
    "Chart.yaml": _metadata("common", "type: library\n"),
    "values.yaml": "exports: {shared: {fromLibrary: yes-it-is}}\n",
    "templates/_labels.tpl": '{{- define "common.labels" -}}\n'
    "chart: {{ .Chart.Name }}-{{ .Chart.Version }}\nrelease: {{ .Release.Name }}\n{{- end }}\n",
    "templates/never.yaml": "kind: NeverRendered\n",
}
_SUB: Final = {
    "Chart.yaml": _metadata("sub"),
    "values.yaml": "name: default\nport: 80\nexports: {data: {exported: 5}}\nnested: {a: 1, b: 2}\n",
    "templates/map.yaml": _map(
        "{{ .Release.Name }}-{{ .Chart.Name }}",
        '{{ printf "%s %v %v %v" .Values.name .Values.port .Values.global .Values.nested | quote }}',
    ),
    "templates/NOTES.txt": "notes of a subchart",
    "crds/things.yaml": _crd("things"),
}

FUNCTIONS: Final = """\
{{- define "names.full" -}}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{- end -}}
{{- $list := list 3 1 2 | sortAlpha }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "names.full" . }}
  labels: {{- include "names.labels" . | nindent 4 }}
data:
  yaml: |
    {{- toYaml .Values.tree | nindent 4 }}
  from: {{ (fromYaml .Values.text).a.b | quote }}
  json: {{ toJson .Values.tree | quote }}
  fromJson: {{ (fromJson "{\\"x\\": [1, 2]}").x | toJson | quote }}
  bad: {{ (fromYaml "a: [").Error | quote }}
  array: {{ fromYamlArray "[1, b]" | toJson | quote }}
  toml: {{ toToml .Values.tree | quote }}
  tpl: {{ tpl .Values.template . | quote }}
  regex: {{ regexReplaceAll "([a-z]+)-([0-9]+)" "dev-12" "${2}-${1}" | quote }}
  match: {{ regexFindAll "[a-c]" "abcabd" 3 | join "," | quote }}
  sha: {{ sha256sum "hanbae" }}
  list: {{ $list | join "-" | quote }}
  dict: {{ merge (dict "a" 1) (dict "a" 2 "b" 3) | toJson | quote }}
  deep: {{ mergeOverwrite (deepCopy .Values.tree) (dict "x" (dict "y" "z")) | toJson | quote }}
  ternary: {{ ternary "yes" "no" (eq .Values.count 3.0) | quote }}
  default: {{ .Values.nothing | default "fallback" | quote }}
  coalesce: {{ coalesce "" nil "c" | quote }}
  semver: {{ semverCompare "^1.30.0" .Capabilities.KubeVersion.Version | quote }}
  number: {{ .Values.big }}
  int: {{ .Values.big | int64 }}
  float: {{ .Values.half }}
  math: {{ add 1 2 | mul 3 | sub 20 }}
  kind: {{ kindOf .Values.count }}
  b64: {{ "한배" | b64enc }}
  title: {{ "in one boat" | title | nospace | snakecase | quote }}
  range: {{ range $i, $e := until 3 }}{{ $i }}{{ $e }},{{ end }}
  range2: {{ range $k, $v := .Values.tree }}{{ $k }};{{ end }}
  with: {{ with .Values.tree }}{{ .a }}{{ end }}
  get: {{ dig "tree" "x" "none" (.Values.AsMap | default .Values | deepCopy) | toJson | quote }}
  upgrade: "{{ .Release.IsUpgrade }} {{ .Release.IsInstall }} {{ .Release.Revision }} {{ .Release.Service }}"
  template: "{{ .Template.Name }} {{ .Template.BasePath }}"
  lookup: {{ lookup "v1" "Secret" .Release.Namespace "x" | toJson | quote }}
  many: {{ (lookup "v1" "Secret" "" "").items | default "none" | toJson | quote }}
  dns: {{ getHostByName "localhost" | quote }}
  url: {{ (urlParse "https://a.b/c?d=e").host | quote }}
  kube: "{{ .Capabilities.KubeVersion }} {{ .Capabilities.KubeVersion.Major }} {{ .Capabilities.KubeVersion.Minor }}"
  helm: "{{ .Capabilities.HelmVersion.Version | trunc 3 }}"
  has: "{{ .Capabilities.APIVersions.Has "apps/v1" }} {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" }}"
  custom: "{{ .Capabilities.APIVersions.Has "example.com/v1" }} {{ .Capabilities.APIVersions.Has "no.example.com/v1" }}"
"""

ODDITIES: Final = """\
# a comment before everything
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: oddities
  annotations: {number: "5", quoted: 'yes'}
data:
  on: on
  yes: "yes"
  octal: 0755
  newOctal: 0o755
  hex: 0xFF
  float: 1.0
  exponent: 1e3
  big: 1234567890123
  underscores: 1_000
  date: 2001-12-14
  time: 2001-12-14t21:59:43.10-05:00
  sexagesimal: 190:20:30
  tilde: ~
  empty:
  quoted: 'it''s'
  folded: >-
    one
    two

    three
  literal: |+
    keep

  anchor: &a {x: 1}
  alias: *a
  merge: {<<: *a, y: 2}
  "1": key
  2: number key
  true: truth key
  duplicate: first
  duplicate: second
  unicode: "\\u00e9 한배 \U0001f6f6"
  separator: "a\\n---\\nb"
---

---
# only a comment
---
---
apiVersion: v1
kind: ConfigMap
metadata: {name: second}
---apiVersion: v1
kind: Secret
metadata: {name: glued}
stringData: {a: b}
--- # a comment behind the mark
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: in-list}}
- {apiVersion: v1, kind: Secret, metadata: {name: in-list}}
---
apiVersion: v1
kind: ConfigMapList
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: in-typed-list}}
---
null
"""

_BLOCK: Final = (
    "apiVersion: v1\nkind: {}\nmetadata: {{name: {}}}\ndata:\n  text: {}\n    one\n    two"
)
"""An object whose last text ends with the file, without a line end."""

CHARTS: Final[Mapping[str, Mapping[str, str | bytes]]] = {
    "functions": {
        "Chart.yaml": _metadata("functions"),
        VALUES: "count: 3\nbig: 12345678\nhalf: 0.5\ntemplate: '{{ .Release.Name }}/{{ .Values.count }}'\n"
        "text: 'a: {b: deep}'\ntree: {a: 1, b: [x, 2], x: {y: 1}}\n---\ncount: 3\nlate: true\n",
        "templates/_helpers.tpl": '{{- define "names.labels" }}\na: b\nc: {{ .Chart.AppVersion | quote }}'
        "\n{{- end }}\nnot rendered: {{ .Values.count }}\n",
        "templates/map.yaml": FUNCTIONS,
        "templates/NOTES.txt": "Thank you for {{ .Chart.Name }}",
        "templates/nested/NOTES.txt": "not a manifest either",
        "templates/list.txt": _map("of-another-extension", "1"),
        "templates/empty.yaml": "{{ if .Values.nothing }}\nkind: No\n{{ end }}\n",
    },
    "oddities": {
        "Chart.yaml": _metadata("oddities"),
        VALUES: "\ufeffcrlf: true\r\nname: x\r\n",
        "templates/a.yaml": ODDITIES,
        "templates/crlf.yaml": _map("crlf", "{{ .Values.name }}").replace("\n", "\r\n"),
        "templates/bom.yaml": "\ufeff" + _map("bom", "b"),
        "templates/spaces.yaml": "\n\n   \n---\n---\n" + _map("spaces", "c") + "\n  \n\n---   \n\n",
        "templates/end.yaml": _map("end", "without-newline").rstrip("\n"),
        "templates/json.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "json"}}',
        "templates/.hidden.yaml": "kind: Hidden\n",
    },
    "blocks": {
        "Chart.yaml": _metadata("blocks"),
        VALUES: "{}\n",
        "crds/open.yaml": _BLOCK.format("CustomResourceDefinition", "crd", "|"),
        "templates/clipped.yaml": _BLOCK.format("ConfigMap", "clipped", "|"),
        "templates/folded.yaml": _BLOCK.format("ConfigMap", "folded", ">"),
        "templates/stripped.yaml": _BLOCK.format("ConfigMap", "stripped", "|-"),
        "templates/kept.yaml": _BLOCK.format("ConfigMap", "kept", "|+") + "\n\n\n",
        "templates/last.yaml": _BLOCK.format("ZLast", "last", "|+") + "\n\n\n",
        "templates/hook.yaml": _BLOCK.replace(
            "{{", "{{annotations: {{helm.sh/hook: pre-install}}, "
        ).format("ConfigMap", "hook", "|+"),
    },
    "loose": {
        "Chart.yaml": _metadata("loose"),
        VALUES: "{}\n",
        "templates/a.yaml": _map(
            "loose", "1", "  annotations: {number: 5, truth: yes, nothing: null}\n"
        ),
    },
    "order": {
        "Chart.yaml": _metadata("order"),
        VALUES: "{}\n",
        "crds/b.yaml": "---\n" + _crd("bs") + "---\n" + _crd("b2s") + "\n",
        "crds/a.yaml": _crd("as"),
        "crds/deep/c.yaml": _crd("cs"),
        "crds/d.yml": _crd("ds"),
        "crds/notes.txt": "not a CRD",
        **{
            f"templates/{number:02}-{kind.lower()}.yaml": "\n---\n".join(
                f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}" for name in ("z", "a")
            )
            for number, kind in enumerate(
                (
                    "Zebra",
                    "Ingress",
                    "Deployment",
                    "Alpaca",
                    "Job",
                    "ServiceAccount",
                    "Service",
                    "Namespace",
                    "CustomResourceDefinition",
                    "Secret",
                    "ConfigMap",
                    "RoleBinding",
                    "ValidatingWebhookConfiguration",
                    "Zebra",
                    "APIService",
                    "StatefulSet",
                )
            )
        },
        "templates/a/deep.yaml": _map("deep", "1"),
        "templates/a.yaml": _map("beside", "1"),
    },
    "hooks": {
        "Chart.yaml": _metadata("hooks"),
        VALUES: "on: true\n",
        "templates/post.yaml": _hook("post", "post-install,post-upgrade", 5),
        "templates/pre.yaml": _hook("pre", "pre-install", -5),
        "templates/test.yaml": _hook("test", "test"),
        "templates/tests/old.yaml": _hook("old-test", "test-success"),
        "templates/unknown.yaml": _hook("unknown", "crd-install"),
        "templates/spaced.yaml": _hook("spaced", '" Pre-Delete , post-delete "'),
        "templates/mixed.yaml": _map("plain", "1") + "---\n" + _hook("rollback", "pre-rollback"),
        "templates/job.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n"
        "  annotations: {helm.sh/hook: pre-install, argocd.argoproj.io/hook: Sync}\n",
        "templates/empty.yaml": _hook("empty", '""'),
    },
    "vendored": {
        "Chart.yaml": _metadata(
            "vendored",
            "dependencies:\n"
            "- {name: sub, version: 1.x.x, repository: 'https://charts.example.com', alias: first}\n"
            "- {name: sub, version: 1.2.3, repository: 'https://charts.example.com', alias: second,"
            " condition: 'second.enabled,global.second'}\n"
            "- {name: tagged, version: '*', repository: 'https://charts.example.com', tags: [extra]}\n"
            "- {name: untagged, version: '*', repository: 'https://charts.example.com', tags: [off]}\n"
            "- name: archived\n  version: ~1.2.0\n  repository: https://charts.example.com\n"
            "  import-values:\n  - data\n  - {child: nested, parent: imported}\n"
            "- {name: common, version: '>=1', repository: 'https://charts.example.com',"
            " import-values: [shared]}\n",
        ),
        "values.yaml": "global: {team: crew}\nfirst: {name: one, nested: {b: null}}\nimported: {c: 3}\n",
        VALUES: "tags: {extra: true, off: false}\nsecond: {enabled: true, port: 8080}\n"
        "global: {region: kr}\narchived: {name: packed}\n",
        **{f"charts/sub/{path}": text for path, text in _SUB.items()},
        **{
            f"charts/{name}/{path}": text.replace("name: sub\n", f"name: {name}\n").replace(
                "things", f"{name}s"
            )
            for name in ("tagged", "untagged")
            for path, text in _SUB.items()
        },
        "charts/archived-1.2.3.tgz": packed(
            "archived",
            {
                p: t.replace("name: sub\n", "name: archived\n").replace("things", "archives")
                for p, t in _SUB.items()
            },
        ),
        **{f"charts/common/{path}": text for path, text in _LIBRARY.items()},
        "charts/_ignored/Chart.yaml": "broken: [",
        "templates/map.yaml": _map(
            "{{ .Release.Name }}",
            '{{ toJson (omit .Values "first" "second" "tagged" "archived" "common") | quote }}',
            '  labels: {{- include "common.labels" . | nindent 4 }}\n',
        ),
        "templates/sub.yaml": _map(
            "of-subcharts", "{{ keys .Subcharts | sortAlpha | toJson | quote }}"
        ),
    },
    "near": {
        "Chart.yaml": _metadata(
            "near",
            "dependencies:\n- {name: common, version: ^1.0.0, repository: 'file://../common'}\n"
            "- {name: sub, version: 1.2.3, repository: 'file://../shared/sub', alias: renamed,"
            " condition: renamed.enabled}\n",
        ),
        VALUES: "renamed: {enabled: true, name: from-the-tree}\n",
        "templates/map.yaml": _map(
            "near", "x", '  labels: {{- include "common.labels" . | nindent 4 }}\n'
        ),
    },
    "files": {
        "Chart.yaml": _metadata("files", "annotations: {team: crew}\nkeywords: [a, b]\n"),
        VALUES: "dir: config\n",
        ".helmignore": "# ignored\n*.bak\n/secret.txt\ntmp/\nconfig/skip*\n[xy].txt\n",
        "config/b.conf": "b = 1\n",
        "config/a.conf": "a = 2\n\nlast line",
        "config/skipped.conf": "not there",
        "config/old.bak": "not there",
        "config/deep/c.conf": "c = 3\r\n",
        "secret.txt": "not there",
        "deep/secret.txt": "there",
        "tmp/x": "not there",
        "x.txt": "not there",
        "z.txt": "there",
        "templates/ignored.yaml.bak": "kind: No\n",
        "templates/map.yaml": _map(
            "files",
            '{{ .Files.Get "config/a.conf" | quote }}\n'
            '{{ (.Files.Glob "config/*.conf").AsConfig | indent 2 }}\n'
            '{{ (.Files.Glob "**").AsSecrets | indent 2 }}\n'
            '  missing: {{ .Files.Get "none" | quote }}\n'
            '  ignored: {{ print (.Files.Get "secret.txt") (.Files.Get "x.txt") | quote }}\n'
            "  lines: '{{ range .Files.Lines \"config/a.conf\" }}[{{ . }}]{{ end }}'\n"
            "  team: '{{ .Chart.Annotations.team }}{{ .Chart.Keywords }}'\n"
            '{{- range $path, $_ := .Files.Glob "{config,deep}/**" }}\n'
            '  {{ $path | replace "/" "_" }}: {{ $.Files.Get $path | b64enc }}\n{{- end }}',
        ),
    },
    "legacy": {
        "Chart.yaml": "apiVersion: v1\nname: legacy\nversion: 0.1.0\nkubeVersion: '>=1.20.0-0'\n",
        "requirements.yaml": "dependencies:\n- {name: sub, version: 1.2.3, repository: 'https://charts.example.com',"
        " condition: sub.enabled}\n",
        "values.yaml": "sub: {enabled: false}\n",
        VALUES: "list: [1, 2]\n",
        **{f"charts/sub/{path}": text for path, text in _SUB.items()},
        "templates/map.yaml": _map("legacy", "{{ .Values.list }}"),
    },
    "override": {
        "Chart.yaml": _metadata("override"),
        "values.yaml": "gone: {a: 1}\nkept: {a: 1, b: {c: 2}}\nlist: [1, 2]\nsub: {name: parent, nested: null}\n",
        VALUES: "gone: null\nkept: {b: {c: null, d: 4}}\nlist: []\nsub: {port: 1234567}\nnumber: 100000000\n",
        **{f"charts/sub/{path}": text for path, text in _SUB.items()},
        "templates/map.yaml": _map("override", "{{ toYaml .Values | quote }}"),
        "templates/again.yaml": '{{- $_ := set .Values "leak" "no" }}{{ $_ := set .Values.kept "leak" 1 }}'
        + _map("number", "{{ .Values.number }}"),
        "templates/zlast.yaml": _map("last", "{{ .Values.kept | toJson | quote }}"),
    },
    "schema": {
        "Chart.yaml": _metadata("schema"),
        "values.schema.json": '{"$defs": {"n": {"type": "integer"}}, "properties": {"n": {"$ref": "#/$defs/n"}}}',
        VALUES: "n: 3\n",
        "templates/map.yaml": _map("schema", "{{ .Values.n }}"),
    },
    "deployment": {
        "Chart.yaml": _metadata("deployment"),
        VALUES: "replicas: 2\nenv: {A: '1', B: 'true'}\nresources: {limits: {cpu: 1, memory: 1Gi}}\n",
        "templates/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n"
        "  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\nspec:\n"
        "  replicas: {{ .Values.replicas }}\n  template:\n    metadata:\n      annotations:\n"
        '        checksum: {{ include (print $.Template.BasePath "/config.yaml") . | sha256sum }}\n'
        "    spec:\n      containers:\n      - name: app\n        env:\n"
        "        {{- range $k, $v := .Values.env }}\n        - name: {{ $k }}\n          value: {{ $v | quote }}\n"
        "        {{- end }}\n        resources: {{- toYaml .Values.resources | nindent 10 }}\n",
        "templates/config.yaml": _map("{{ .Release.Name }}", "x"),
        "templates/capable.yaml": '{{- if .Capabilities.APIVersions.Has "example.com/v1/Thing" }}\n'
        "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: thing}\n{{- end }}\n",
    },
}
"""Name → files of a chart that renders."""

LOOSE: Final = ("loose",)
"""Charts that Helm takes and Argo CD does not: annotations that are no text."""

SHARED: Final[Mapping[str, Mapping[str, str]]] = {"common": _LIBRARY, "shared/sub": _SUB}
"""What ``near`` depends on."""

REFUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "library": {"Chart.yaml": _metadata("library", "type: library\n")},
    "far": {
        "Chart.yaml": _metadata(
            "far", "dependencies: [{name: x, version: 1.0.0, repository: 'file://../none'}]\n"
        )
    },
    "future": {"Chart.yaml": _metadata("future", "kubeVersion: '>=1.99'\n")},
    "wrong-version": {
        "Chart.yaml": _metadata(
            "wrong-version",
            "dependencies: [{name: sub, version: ^9, repository: 'file://../shared/sub'}]\n",
        )
    },
    "no-chart": {"Chart.yaml": _metadata("no-chart"), "charts/README.md": "not a chart"},
    "infinite": {
        "Chart.yaml": _metadata("infinite"),
        "templates/a.yaml": _map("infinite", ".inf"),
    },
    "broken": {"Chart.yaml": _metadata("broken"), "templates/a.yaml": "a: [\n"},
    "list": {"Chart.yaml": _metadata("list"), "templates/a.yaml": "- a\n"},
    "annotations": {
        "Chart.yaml": _metadata("annotations"),
        "templates/a.yaml": "kind: A\napiVersion: v1\nmetadata: {annotations: {a: [b]}}\n",
    },
    "ignore": {"Chart.yaml": _metadata("ignore"), ".helmignore": "a/**/b\n"},
    "nil": {"Chart.yaml": _metadata("nil"), "templates/a.yaml": "{{ .Values.a.b.c }}\n"},
    "mark": {"Chart.yaml": _metadata("mark"), VALUES: "a: 1\n--- b\n"},
}
"""Name → files of a chart that Helm refuses."""


def write(root: Path) -> None:
    """Write all of them below a folder."""
    for charts in (CHARTS, SHARED, REFUSED):
        for name, files in charts.items():
            for path, content in ({VALUES: ""} | dict(files)).items():
                target = root / name / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.encode() if isinstance(content, str) else content)
